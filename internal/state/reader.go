package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// reader reads an object, chunk by chunk, as its reader comes to them: however
// slow that one is, nothing waits and nothing piles up.
type reader struct {
	ctx   context.Context //nolint:containedctx // a reader lives as long as the call that opened it
	store *Objects
	key   string
	object
	next int    // chunk
	rest []byte // of the present one
	sum  hash.Hash
	err  error // is for good
}

func newReader(ctx context.Context, o *Objects, key string, found object) *reader {
	return &reader{ctx: ctx, store: o, key: key, object: found, sum: sha256.New()}
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 && r.err == nil {
		r.err = r.advance()
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// advance gets the next chunk or, after the last one, io.EOF.
func (r *reader) advance() error {
	if r.next == r.Chunks {
		if !bytes.Equal(r.sum.Sum(nil), r.SHA256) {
			return fmt.Errorf("read object %s/%s: it is damaged", r.store.name, r.key)
		}
		return io.EOF
	}
	chunk, err := r.store.chunks.GetLastMsgForSubject(r.ctx, r.store.subject(r.Upload, strconv.Itoa(r.next)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		err = fmt.Errorf("chunk %d of %d: %w", r.next+1, r.Chunks, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("read object %s/%s: %w", r.store.name, r.key, err)
	}
	r.next++
	r.rest = chunk.Data
	r.sum.Write(chunk.Data)
	return nil
}

// Close makes further reading fail.
func (r *reader) Close() error {
	r.rest, r.err = nil, errors.New("the object was closed")
	return nil
}
