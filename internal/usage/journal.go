package usage

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// slots is how many records the ring holds: some seconds of a busy node's.
	slots = 1 << 16
	// A record has 256 bytes, so that none lies in two pages of the file: the
	// kernel writes pages whole.
	recordWords = 32
	recordBytes = recordWords * 8
	headerBytes = 4096
	fileBytes   = headerBytes + slots*recordBytes

	magic  = 0x4865617274685573 // "HearthUs"
	format = 1
)

// The words of the header.
const (
	headMagic = iota
	headFormat
	headID    // of the journal, random
	headEpoch // of the process that writes, one more with each
	headFirst // the position before which everything is folded
)

// epochBits is how many positions a process has.
const epochBits = 40

// journal is a ring of records in a file mapped into memory. Any number of
// goroutines append; one at a time reads and releases.
//
// A record's position tells its slot, by the remainder. Each process begins at
// a multiple of 2^epochBits, so that positions grow though the last process's
// last one is not known for sure after a power cut. A record's first word is
// its position plus one, stored last: a slot that says otherwise is not complete.
type journal struct {
	id    uint64
	words []uint64 // all of the file

	next  atomic.Uint64 // the position that is given out next
	first atomic.Uint64 // as in the header
}

// openJournal maps the journal at path, and returns what the last process left
// that is not released. Until start is called nothing may be appended.
func openJournal(path string) (j *journal, left []record, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	fresh := info.Size() != fileBytes
	if fresh {
		// The blocks are taken now: a store to a page that the disk has no
		// room for would end the process.
		if err := errors.Join(f.Truncate(0), unix.Fallocate(int(f.Fd()), 0, 0, fileBytes)); err != nil {
			return nil, nil, fmt.Errorf("make room for the journal: %w", err)
		}
	}
	b, err := unix.Mmap(int(f.Fd()), 0, fileBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("map the journal: %w", err)
	}
	// It is never unmapped: invocations that are cut off at the end of the
	// process still record, and the next one finds it.
	j = &journal{words: unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), fileBytes/8)}
	if fresh || j.words[headMagic] != magic || j.words[headFormat] != format {
		clear(j.words)
		j.words[headMagic], j.words[headFormat], j.words[headID] = magic, format, randomID()
	}
	j.id = j.words[headID]
	return j, j.scan(), nil
}

// scan returns all complete records that are not released, in their order.
func (j *journal) scan() (left []record) {
	first, known := j.words[headFirst], texts{}
	for slot := range uint64(slots) {
		at := atomic.LoadUint64(j.slot(slot)) - 1
		if at%slots != slot || at < first || at>>epochBits != j.words[headEpoch] {
			continue // never used, released, or torn by a power cut
		}
		if r, ok := j.read(at, known); ok {
			left = append(left, r)
		}
	}
	slices.SortFunc(left, func(a, b record) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	return left
}

// start begins a new epoch: everything that was left is folded.
func (j *journal) start() error {
	j.words[headEpoch]++
	at := j.words[headEpoch] << epochBits
	atomic.StoreUint64(&j.words[headFirst], at)
	j.first.Store(at)
	j.next.Store(at)
	// The epoch reaches the disk before any record does.
	page := unsafe.Slice((*byte)(unsafe.Pointer(&j.words[0])), headerBytes)
	return unix.Msync(page, unix.MS_SYNC)
}

// name is the journal's in the state.
func (j *journal) name() string { return strconv.FormatUint(j.id, 16) }

func (j *journal) slot(at uint64) *uint64 {
	return &j.words[headerBytes/8+(at%slots)*recordWords]
}

// reserve gives out a position, unless the ring is full. pending is how many
// records are in it.
func (j *journal) reserve() (at, pending uint64, ok bool) {
	for {
		at = j.next.Load()
		pending = at - j.first.Load()
		if pending >= slots {
			return 0, pending, false
		}
		if j.next.CompareAndSwap(at, at+1) {
			return at, pending, true
		}
	}
}

// complete goes through the records that are complete, from the first that is
// not released on up to the first that is not complete.
func (j *journal) complete() iter.Seq[record] {
	return func(yield func(record) bool) {
		end, known := j.next.Load(), texts{}
		for at := j.first.Load(); at < end; at++ {
			r, ok := j.read(at, known)
			if !ok || !yield(r) { // or its writer is about to
				return
			}
		}
	}
}

// release gives the slots before a position free.
func (j *journal) release(before uint64) {
	atomic.StoreUint64(&j.words[headFirst], before)
	j.first.Store(before)
}

// touch has the kernel make the pages of the next n slots writable, which may
// take the file system a while after it has written them to the disk; whoever
// records then does not wait for that.
func (j *journal) touch(n uint64) {
	const perPage = headerBytes / recordBytes
	at := j.next.Load()
	for end := at + min(n, slots/2); at < end; at += perPage {
		atomic.AddUint64(j.slot(at), 0)
		if at%politeAfter < perPage {
			runtime.Gosched()
		}
	}
}
