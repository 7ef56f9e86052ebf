package usage

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
)

// The words of a record; the names follow, each after its length in a byte.
const (
	wordAt = iota // position plus one, or not complete
	wordHour
	wordInvocations
	wordErrors
	wordBilled
	wordAsked
	wordAllocated
	wordUsed
	wordNames

	namesBytes = (recordWords - wordNames) * 8
)

// record is one in the journal.
type record struct {
	at   uint64
	hour int64 // since 1970
	function.Key
	version string
	Sums
}

// fits tells whether there is room for the names.
func fits(key function.Key, version string) bool {
	return len(key.Account)+len(key.Name)+len(version)+3 <= namesBytes &&
		len(key.Account) < 256 && len(key.Name) < 256 && len(version) < 256
}

// write completes the record at a position that was reserved.
func (j *journal) write(at uint64, hour int64, key function.Key, version string, s *Sums) {
	w := unsafe.Slice(j.slot(at), recordWords)
	w[wordHour] = uint64(hour)
	w[wordInvocations], w[wordErrors], w[wordBilled] = uint64(s.Invocations), uint64(s.Errors), uint64(s.BilledMS)
	w[wordAsked], w[wordAllocated], w[wordUsed] = uint64(s.Asked), uint64(s.Allocated), uint64(s.Used)
	names := unsafe.Slice((*byte)(unsafe.Pointer(&w[wordNames])), namesBytes)
	names = put(names, string(key.Account))
	names = put(names, key.Name)
	put(names, version)
	atomic.StoreUint64(&w[wordAt], at+1)
}

// texts are the names in a batch of records, each once.
type texts map[string]string

func (t texts) of(b []byte) string {
	if s, ok := t[string(b)]; ok { // without an allocation
		return s
	}
	s := string(b)
	t[s] = s
	return s
}

// read returns the record at a position, if it is complete.
func (j *journal) read(at uint64, known texts) (r record, ok bool) {
	w := unsafe.Slice(j.slot(at), recordWords)
	if atomic.LoadUint64(&w[wordAt]) != at+1 {
		return r, false
	}
	r.at, r.hour = at, int64(w[wordHour])
	r.Invocations, r.Errors, r.BilledMS = int64(w[wordInvocations]), int64(w[wordErrors]), int64(w[wordBilled])
	r.Asked, r.Allocated, r.Used = int64(w[wordAsked]), int64(w[wordAllocated]), int64(w[wordUsed])
	names := unsafe.Slice((*byte)(unsafe.Pointer(&w[wordNames])), namesBytes)
	var parts [3]string
	for i := range parts {
		var part []byte
		if part, names, ok = take(names); !ok {
			return r, false
		}
		parts[i] = known.of(part)
	}
	r.Account, r.Name, r.version = account.ID(parts[0]), parts[1], parts[2]
	return r, true
}

func put(b []byte, s string) (rest []byte) {
	b[0] = byte(len(s))
	return b[1+copy(b[1:], s):]
}

// take is the opposite of put. It is false for what put did not write.
func take(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) >= len(b) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}

func randomID() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.NativeEndian.Uint64(b[:])
}
