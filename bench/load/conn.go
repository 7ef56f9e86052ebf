package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// Conn is one keep-alive connection.
type Conn struct {
	net net.Conn
	r   *bufio.Reader
	// Body of the last answer; overwritten by the next.
	Body []byte
	// FunctionError is whether the last answer had X-Amz-Function-Error.
	FunctionError bool

	keep []string // lower case
	kept []string
}

// Keep has the values of these headers, in lower case, kept of each answer.
func (c *Conn) Keep(names ...string) { c.keep, c.kept = names, make([]string, len(names)) }

// Kept is the i-th kept header of the last answer, "" if it had none.
func (c *Conn) Kept(i int) string { return c.kept[i] }

// Dial opens a connection to host:port.
func Dial(addr string) (*Conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Conn{net: nc, r: bufio.NewReaderSize(nc, 16<<10)}, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.net.Close() }

// Do sends a whole request and reads the whole answer.
func (c *Conn) Do(request []byte) (status int, err error) {
	if _, err := c.net.Write(request); err != nil {
		return 0, err
	}
	return c.read()
}

func (c *Conn) read() (status int, err error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("not a status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	c.FunctionError = false
	clear(c.kept)
	for {
		line, err := c.line()
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case equalFold(name, "content-length"):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		case equalFold(name, "transfer-encoding"):
			chunked = true
		case equalFold(name, "x-amz-function-error"):
			c.FunctionError = true
		default:
			for i, k := range c.keep {
				if equalFold(name, k) {
					c.kept[i] = string(value)
				}
			}
		}
	}
	if chunked {
		return status, c.readChunks()
	}
	c.room(length)
	_, err = io.ReadFull(c.r, c.Body)
	return status, err
}

func (c *Conn) readChunks() error {
	c.Body = c.Body[:0]
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return err
		}
		old := len(c.Body)
		c.room(old + int(n))
		if _, err := io.ReadFull(c.r, c.Body[old:]); err != nil {
			return err
		}
		if end, err := c.line(); err != nil || len(end) != 0 {
			return errors.Join(errors.New("chunk without its end"), err)
		}
		if n == 0 {
			return nil
		}
	}
}

// room makes Body n bytes long and keeps what is in it.
func (c *Conn) room(n int) {
	if n > cap(c.Body) {
		c.Body = append(make([]byte, 0, 2*n), c.Body...)
	}
	c.Body = c.Body[:n]
}

func (c *Conn) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

func equalFold(b []byte, lower string) bool {
	return len(b) == len(lower) && bytes.EqualFold(b, []byte(lower))
}
