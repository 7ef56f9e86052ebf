package function

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"regexp"

	"github.com/hearthd/hearth/internal/state"
)

// Package is stored code: what package code says about it.
type Package struct {
	// SHA256 is base64, as the API shows it; Size is the zip's, in bytes.
	SHA256 string
	Size   int64
}

// CreateInput is a new function.
type CreateInput struct {
	// Config may leave out what has a default: memory, time-out, ephemeral
	// storage, architecture, package type, tracing mode. The catalog keeps it;
	// the caller must not change it any more.
	Config  Configuration
	Package Package
	Tags    map[string]string
	// Publish makes version 1 at the same time.
	Publish bool
}

var functionName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// Create adds a function, Pending until [Catalog.CompleteUpdate].
func (c *Catalog) Create(ctx context.Context, key Key, in CreateInput) (*View, error) {
	if !functionName.MatchString(key.Name) {
		return nil, fail(InvalidParameter, "1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]{1,64}", key.Name)
	}
	in.Config.setDefaults()
	if err := in.Config.check(); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if _, ok := c.Lookup(key); ok {
		return nil, fail(AlreadyExists, "Function already exist: %s", key.Name)
	}
	d := &draft{record: &record{
		ID:     newID(),
		Wanted: content{CodeSHA256: in.Package.SHA256, CodeSize: in.Package.Size, Config: in.Config},
		Status: created(),
		Next:   1,
		Tags:   in.Tags,
	}, newCode: in.Package.Size}
	now := c.opts.Now()
	d.touch(now)
	if in.Publish {
		d.publish(now, d.Wanted.Config.Description)
	}
	view, err := c.commit(ctx, key, d, func(value []byte) (uint64, error) {
		return c.bucket.Create(ctx, recordKey(key), value)
	})
	if errors.Is(err, state.ErrExists) {
		return nil, fail(AlreadyExists, "Function already exist: %s", key.Name)
	}
	return view, err
}

// newID names a function or a body; never reused.
func newID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
