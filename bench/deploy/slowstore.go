package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// packagesStream is the stream that holds the packages' bytes.
const packagesStream = "OBJECTS_packages"

// slowStore is a NATS server that a node can keep its state in, behind a proxy
// that holds every piece of a package back on its way to the node, and nothing
// else. What the node then waits for is a real download that is slow, with no
// word of it in the node.
type slowStore struct {
	server   *server.Server
	listener net.Listener
	delay    time.Duration

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil after close
	wg    sync.WaitGroup
}

func startSlowStore(dir string, delay time.Duration) (*slowStore, error) {
	const payload = 8 << 20
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: filepath.Join(dir, "slow-store"), MaxPayload: payload, MaxPending: 8 * payload,
	})
	if err != nil {
		return nil, err
	}
	ns.Start()
	if !ns.ReadyForConnections(time.Minute) {
		ns.Shutdown()
		return nil, errors.New("the NATS server for slow downloads does not start")
	}
	s := &slowStore{server: ns, delay: delay, conns: map[net.Conn]struct{}{}}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		ns.Shutdown()
		return nil, err
	}
	s.wg.Go(s.accept)
	return s, nil
}

// addr is the proxy's.
func (s *slowStore) addr() string { return s.listener.Addr().String() }

func (s *slowStore) close() error {
	err := s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close() // ends whoever reads from it
	}
	s.conns = nil
	s.mu.Unlock()
	s.wg.Wait()
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return err
}

// track notes connections that close has to end; when it is too late for that,
// it ends them itself and returns false.
func (s *slowStore) track(conns ...net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		if s.conns == nil {
			c.Close() // nobody has used it
		} else {
			s.conns[c] = struct{}{}
		}
	}
	return s.conns != nil
}

func (s *slowStore) accept() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", s.server.Addr().String())
		if err != nil {
			client.Close() // it learns it that way
			continue
		}
		if !s.track(client, server) {
			return
		}
		s.wg.Go(func() {
			defer server.Close()    // the other direction learns it
			io.Copy(server, client) //nolint:errcheck // either end may be gone
		})
		s.wg.Go(func() {
			defer client.Close()
			s.toClient(client, server)
		})
	}
}

// toClient passes on what the server sends, message by message: pieces of
// packages late, everything else at once. See NATS' client protocol,
// https://docs.nats.io/reference/reference-protocols/nats-protocol.
func (s *slowStore) toClient(client io.Writer, from io.Reader) {
	var mu sync.Mutex // for client
	var late sync.WaitGroup
	defer late.Wait()
	r := bufio.NewReaderSize(from, 64<<10)
	for {
		message, err := readMessage(r)
		if err != nil {
			return // either end is gone
		}
		pass := func() {
			mu.Lock()
			defer mu.Unlock()
			client.Write(message) //nolint:errcheck // either end may be gone
		}
		if bytes.Contains(message[:min(len(message), 1024)], []byte("\r\nNats-Stream: "+packagesStream+"\r\n")) {
			late.Go(func() {
				time.Sleep(s.delay)
				pass()
			})
			continue
		}
		pass()
	}
}

// readMessage reads one line of the protocol, with the payload that follows it.
func readMessage(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(line, []byte("MSG ")) && !bytes.HasPrefix(line, []byte("HMSG ")) {
		return line, nil
	}
	fields := bytes.Fields(line)
	size, err := strconv.Atoi(string(fields[len(fields)-1]))
	if err != nil {
		return nil, fmt.Errorf("a message without a size: %q", line)
	}
	message := append(line, make([]byte, size+len("\r\n"))...)
	_, err = io.ReadFull(r, message[len(line):])
	return message, err
}
