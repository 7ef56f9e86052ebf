package model

import "encoding/binary"

// maxNesting is encoding/json's.
const maxNesting = 10000

// valid is json.Valid, two to ten times faster: every invocation's payload goes
// through it, and was the larger part of what an invocation costs here (see
// BenchmarkCheckJSON). It takes eight bytes of a string at a time, keeps no
// state but the brackets that are open, and allocates for deep nesting only.
func valid(data []byte) bool {
	var shallow [64]byte
	open := shallow[:0] // '{' and '[', outermost first
	i := space(data, 0)
	for {
		// A value begins at i, or in an object, a name.
		if len(open) > 0 && open[len(open)-1] == '{' {
			if i = name(data, i); i < 0 {
				return false
			}
		}
		if i >= len(data) {
			return false
		}
		switch c := data[i]; c {
		case '{', '[':
			if len(open) == maxNesting {
				return false
			}
			i = space(data, i+1)
			if i < len(data) && data[i] == c+2 { // it is empty: '{'+2 is '}', '['+2 is ']'
				i++
				break
			}
			open = append(open, c)
			continue
		case '"':
			i = text(data, i+1)
		case 't':
			i = literal(data, i, "true")
		case 'f':
			i = literal(data, i, "false")
		case 'n':
			i = literal(data, i, "null")
		default:
			i = numeral(data, i)
		}
		if i < 0 {
			return false
		}
		// A value ended before i, and with it what it was the last of.
		for {
			i = space(data, i)
			if len(open) == 0 {
				return i == len(data)
			}
			if i == len(data) {
				return false
			}
			if data[i] == ',' {
				i = space(data, i+1)
				break
			}
			if data[i] != open[len(open)-1]+2 {
				return false
			}
			open = open[:len(open)-1]
			i++
		}
	}
}

// Each of the following passes over something that begins at i, and returns
// where it ends, or -1 when it is not that.

func space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// name passes over a member's name, the colon and the space around it.
func name(data []byte, i int) int {
	if i >= len(data) || data[i] != '"' {
		return -1
	}
	if i = text(data, i+1); i < 0 {
		return -1
	}
	if i = space(data, i); i >= len(data) || data[i] != ':' {
		return -1
	}
	return space(data, i+1)
}

func literal(data []byte, i int, word string) int {
	if len(data)-i < len(word) || string(data[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func numeral(data []byte, i int) int {
	if i < len(data) && data[i] == '-' {
		i++
	}
	if i < len(data) && data[i] == '0' {
		i++
	} else if i = someDigits(data, i); i < 0 {
		return -1
	}
	if i < len(data) && data[i] == '.' {
		if i = someDigits(data, i+1); i < 0 {
			return -1
		}
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		return someDigits(data, i)
	}
	return i
}

func someDigits(data []byte, i int) int {
	start := i
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// text passes over a string from behind its opening quote.
func text(data []byte, i int) int {
	for {
		if i = ordinary(data, i); i == len(data) {
			return -1
		}
		switch data[i] {
		case '"':
			return i + 1
		case '\\':
			if i = escape(data, i+1); i < 0 {
				return -1
			}
		default:
			return -1 // a control character
		}
	}
}

// escape passes over an escape from behind its backslash.
func escape(data []byte, i int) int {
	if i == len(data) {
		return -1
	}
	switch data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if len(data)-i < 5 {
			return -1
		}
		for _, c := range data[i+1 : i+5] {
			isHex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
			if !isHex {
				return -1
			}
		}
		return i + 5
	}
	return -1
}

// ordinary passes over the bytes that stand for themselves in a string: all but
// the quote, the backslash and control characters.
func ordinary(data []byte, i int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for ; len(data)-i >= 8; i += 8 {
		// A byte x is below n, for n up to 128, where x-n borrows and x's own
		// high bit is not set. A borrow may make a false alarm in the byte
		// above, which costs nothing but the look at single bytes.
		w := binary.LittleEndian.Uint64(data[i:])
		quotes, backslashes := w^(ones*'"'), w^(ones*'\\')
		if ((w-ones*' ')&^w|(quotes-ones)&^quotes|(backslashes-ones)&^backslashes)&highs != 0 {
			break
		}
	}
	for i < len(data) && data[i] >= ' ' && data[i] != '"' && data[i] != '\\' {
		i++
	}
	return i
}
