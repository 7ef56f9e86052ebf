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

// strayAge is how old the chunks of another node's upload must be to count as
// left over: no upload takes that long.
const strayAge = 6 * time.Hour

// upload names the chunks of one object: when it was begun, by which [Store],
// and something random.
type upload string

func (s *Store) newUpload() upload {
	return upload(strconv.FormatInt(time.Now().UnixMilli(), 10) + "-" + s.id + "-" + rand.Text())
}

// mayGo tells whether chunks that no entry names can't belong to an upload that
// still runs.
func (s *Store) mayGo(u upload) bool {
	begun, rest, _ := strings.Cut(string(u), "-")
	store, _, _ := strings.Cut(rest, "-")
	if store == s.id {
		return false
	}
	if s.server != nil {
		return true // its store is closed, or this one would not be open
	}
	ms, err := strconv.ParseInt(begun, 10, 64)
	return err == nil && time.Since(time.UnixMilli(ms)) > strayAge
}

func (o *Objects) subject(u upload, chunk string) string {
	return o.subjectPrefix() + string(u) + "." + chunk
}

func (o *Objects) subjectPrefix() string { return "hearth.objects." + o.name + "." }

// upload writes the chunks of an object, which nobody sees until the index
// names them.
func (o *Objects) upload(ctx context.Context, r io.Reader) (object, error) {
	made := object{Upload: o.store.newUpload()}
	sum := sha256.New()
	chunk := make([]byte, chunkBytes)
	for last := false; !last; {
		n, err := io.ReadFull(r, chunk)
		if errors.Is(err, io.EOF) {
			break
		}
		if last = errors.Is(err, io.ErrUnexpectedEOF); err == nil || last {
			sum.Write(chunk[:n])
			_, err = o.store.js.Publish(ctx, o.subject(made.Upload, strconv.Itoa(made.Chunks)), chunk[:n])
		}
		if err != nil {
			// Not with ctx, whose end may be what is wrong.
			return object{}, errors.Join(err, o.discard(context.WithoutCancel(ctx), made.Upload))
		}
		made.Chunks++
		made.Size += int64(n)
	}
	made.SHA256 = sum.Sum(nil)
	return made, nil
}

// discard removes the chunks of an upload.
func (o *Objects) discard(ctx context.Context, u upload) error {
	if err := o.chunks.Purge(ctx, jetstream.WithPurgeSubject(o.subject(u, "*"))); err != nil {
		return fmt.Errorf("remove chunks: %w", err)
	}
	return nil
}

// sweep removes the chunks that no entry of the index names: of uploads that
// were cut short, and those that the server brought back when it had to read
// its files from end to end.
func (o *Objects) sweep(ctx context.Context) error {
	// The chunks first: what is named later is not among them.
	info, err := o.chunks.Info(ctx, jetstream.WithSubjectFilter(o.subject("*", "*")))
	if err != nil {
		return err
	}
	stray := map[upload]struct{}{}
	for subject := range info.State.Subjects {
		name, _, _ := strings.Cut(strings.TrimPrefix(subject, o.subjectPrefix()), ".")
		if u := upload(name); o.store.mayGo(u) {
			stray[u] = struct{}{}
		}
	}
	if len(stray) == 0 {
		return nil
	}
	if err := o.index.Each(ctx, ">", func(e Entry) error {
		found, err := parseObject(e)
		delete(stray, found.Upload)
		return err
	}); err != nil {
		return err
	}
	for u := range stray {
		if err := o.discard(ctx, u); err != nil {
			return err
		}
	}
	return nil
}
