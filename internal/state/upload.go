package state

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// strayAge is how old a note must be to be followed up where other nodes may
// be uploading: no upload takes that long.
const strayAge = 6 * time.Hour

// upload names the chunks of one object. It begins with the time when it was
// begun.
type upload string

func newUpload() upload {
	return upload(strconv.FormatInt(time.Now().Unix(), 10) + "-" + rand.Text())
}

func (u upload) begun() time.Time {
	seconds, _, _ := strings.Cut(string(u), "-")
	n, _ := strconv.ParseInt(seconds, 10, 64) // as written by newUpload
	return time.Unix(n, 0)
}

func (o *Objects) subject(u upload, chunk string) string {
	return "hearth.objects." + o.name + "." + string(u) + "." + chunk
}

// upload writes the chunks of an object, which nobody sees until the index
// names them. When it fails, nothing of them is left.
func (o *Objects) upload(ctx context.Context, key string, r io.Reader) (object, error) {
	made := object{Upload: newUpload()}
	if err := o.note(ctx, made.Upload, key); err != nil {
		return object{}, err
	}
	sum := sha256.New()
	chunk := make([]byte, chunkBytes)
	for {
		n, err := io.ReadFull(r, chunk)
		if errors.Is(err, io.EOF) {
			break
		}
		last := errors.Is(err, io.ErrUnexpectedEOF)
		if err == nil || last {
			sum.Write(chunk[:n])
			_, err = o.js.Publish(ctx, o.subject(made.Upload, strconv.Itoa(made.Chunks)), chunk[:n])
		}
		if err != nil {
			// Not with ctx, whose end may be what is wrong.
			return object{}, errors.Join(err, o.discard(context.WithoutCancel(ctx), made.Upload))
		}
		made.Chunks++
		made.Size += int64(n)
		if last {
			break
		}
	}
	made.SHA256 = sum.Sum(nil)
	return made, nil
}

// note writes down that an upload may become one that no entry names.
func (o *Objects) note(ctx context.Context, u upload, key string) error {
	_, err := o.index.Put(ctx, notePrefix+string(u), []byte(key))
	return err
}

// settle removes the note.
func (o *Objects) settle(ctx context.Context, u upload) error {
	e, err := o.index.Get(ctx, notePrefix+string(u))
	if err == nil {
		err = o.index.Delete(ctx, e.Key, e.Revision)
	}
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) {
		return nil // somebody else did
	}
	return err
}

// discard removes the chunks of an upload, then the note.
func (o *Objects) discard(ctx context.Context, u upload) error {
	if err := o.chunks.Purge(ctx, jetstream.WithPurgeSubject(o.subject(u, "*"))); err != nil {
		return fmt.Errorf("remove chunks: %w", err)
	}
	return o.settle(ctx, u)
}

// sweep follows up the notes that were left behind by nodes that were killed,
// or all of them when there is nobody else who could have written one.
func (o *Objects) sweep(ctx context.Context, others bool) error {
	notes, err := o.index.keys(ctx, notePrefix)
	if err != nil {
		return err
	}
	for _, note := range notes {
		u := upload(strings.TrimPrefix(note, notePrefix))
		if others && time.Since(u.begun()) < strayAge {
			continue
		}
		e, err := o.index.Get(ctx, note)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		named, _, err := o.lookup(ctx, string(e.Value))
		switch {
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		case named.Upload == u:
			err = o.settle(ctx, u)
		default:
			err = o.discard(ctx, u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
