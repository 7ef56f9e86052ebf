package code

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/state"
)

// ErrNotFound is returned (wrapped) for a package that is not stored.
var ErrNotFound = errors.New("no such code package")

const (
	bucketName  = "packages"
	objectsName = "packages"
	// keepUnused is how long a package stays that nobody refers to: a function
	// may be about to. touchAfter, much shorter, is how old the last Put must
	// be for another to be worth noting.
	keepUnused = time.Hour
	touchAfter = 10 * time.Minute
)

// Package is a stored archive.
type Package struct {
	// SHA256 is the digest of the archive in base64, as the API shows it.
	SHA256 string
	// Size is the archive's, Unzipped that of the files in it, in bytes.
	Size, Unzipped int64
}

// indexed is the entry of a package in the bucket, by the hex digest. Objects
// have names of their own: a package that is put again while its former object
// is being deleted gets another one, which that deletion can't hit.
type indexed struct {
	Object   string `json:"object"`
	Size     int64  `json:"size"`
	Unzipped int64  `json:"unzipped"`
	Put      int64  `json:"put"` // Unix seconds of the last Put
}

// Store holds packages, by digest, for all nodes. It is safe for concurrent use.
type Store struct {
	limits  Limits
	bucket  *state.Bucket
	objects *state.Objects
	now     func() time.Time
	puts    singleflight.Group

	mu      sync.Mutex
	strays  map[string]time.Time // objects no entry names, since when they are known
	pending map[string]struct{}  // objects being put by this process
}

// OpenStore opens the packages in st. The zero Limits are Lambda's.
func OpenStore(ctx context.Context, st *state.Store, l Limits) (*Store, error) {
	bucket, err := st.Bucket(ctx, bucketName)
	if err != nil {
		return nil, fmt.Errorf("open the code store: %w", err)
	}
	objects, err := st.Objects(ctx, objectsName)
	if err != nil {
		return nil, fmt.Errorf("open the code store: %w", err)
	}
	return &Store{
		limits: l.orDefaults(), bucket: bucket, objects: objects, now: time.Now,
		strays: make(map[string]time.Time), pending: make(map[string]struct{}),
	}, nil
}

// Check says whether zip would be accepted, and as what, without storing it.
// The error is an [*InvalidError], or ctx's.
func (s *Store) Check(ctx context.Context, zip []byte) (Package, error) {
	if int64(len(zip)) > s.limits.MaxZipped {
		return Package{}, tooLarge("Zipped size must be smaller than %d bytes", s.limits.MaxZipped)
	}
	c, err := inspect(bytes.NewReader(zip), int64(len(zip)), s.limits)
	if err != nil {
		return Package{}, err
	}
	buf := make([]byte, 64<<10)
	for i := range c.entries {
		if e := &c.entries[i]; e.kind == file {
			if err := inflate(ctx, io.Discard, e.zip, buf); err != nil {
				return Package{}, err
			}
		}
	}
	sum := sha256.Sum256(zip)
	return Package{SHA256: base64.StdEncoding.EncodeToString(sum[:]), Size: int64(len(zip)), Unzipped: c.unzipped}, nil
}

// Put checks zip and stores it, durably, unless it is stored already. It is
// kept for at least an hour even if nobody refers to it. The error is an
// [*InvalidError] when the archive is refused.
func (s *Store) Put(ctx context.Context, zip []byte) (Package, error) {
	p, err := s.Check(ctx, zip)
	if err != nil {
		return Package{}, err
	}
	key, err := hexDigest(p.SHA256)
	if err != nil {
		return Package{}, err
	}
	// One upload serves all who bring the same package at the same time; the
	// one whose upload it is may give up without failing the others.
	done := s.puts.DoChan(key, func() (any, error) {
		return nil, s.put(context.WithoutCancel(ctx), key, p, zip)
	})
	select {
	case r := <-done:
		return p, r.Err
	case <-ctx.Done():
		return Package{}, ctx.Err()
	}
}

func (s *Store) put(ctx context.Context, key string, p Package, zip []byte) error {
	now := s.now().Unix()
	for {
		e, err := s.bucket.Get(ctx, key)
		if err == nil {
			var in indexed
			if err := json.Unmarshal(e.Value, &in); err != nil {
				return fmt.Errorf("package %s: %w", key, err)
			}
			if now-in.Put < int64(touchAfter/time.Second) {
				return nil
			}
			in.Put = now
			_, err := s.bucket.Update(ctx, key, encode(in), e.Revision)
			if err == nil || !errors.Is(err, state.ErrConflict) && !errors.Is(err, state.ErrNotFound) {
				return err
			}
			continue // touched, or collected, by somebody else
		}
		if !errors.Is(err, state.ErrNotFound) {
			return err
		}
		stored, err := s.upload(ctx, key, p, zip, now)
		if stored || err != nil {
			return err
		}
	}
}

// upload stores a new object and its entry; stored is false when another node
// made an entry first.
func (s *Store) upload(ctx context.Context, key string, p Package, zip []byte, now int64) (stored bool, err error) {
	object := key + "." + uuid.NewString()
	s.mu.Lock()
	s.pending[object] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pending, object)
		s.mu.Unlock()
	}()
	if err := s.objects.Put(ctx, object, bytes.NewReader(zip)); err != nil {
		return false, err
	}
	_, err = s.bucket.Create(ctx, key, encode(indexed{Object: object, Size: p.Size, Unzipped: p.Unzipped, Put: now}))
	if err == nil {
		return true, nil
	}
	if errors.Is(err, state.ErrExists) {
		return false, s.objects.Delete(ctx, object)
	}
	return false, err
}

// Get opens a package's archive. Its digest is checked when it was read to the end.
func (s *Store) Get(ctx context.Context, sha string) (io.ReadCloser, error) {
	key, err := hexDigest(sha)
	if err != nil {
		return nil, err
	}
	in, _, err := s.entry(ctx, key)
	if err != nil {
		return nil, err
	}
	r, err := s.objects.Get(ctx, in.Object)
	if err != nil {
		return nil, notFound(key, err)
	}
	return &verified{ReadCloser: r, hash: sha256.New(), want: key}, nil
}

// Stat says how large a package is.
func (s *Store) Stat(ctx context.Context, sha string) (Package, error) {
	key, err := hexDigest(sha)
	if err != nil {
		return Package{}, err
	}
	in, _, err := s.entry(ctx, key)
	return Package{SHA256: sha, Size: in.Size, Unzipped: in.Unzipped}, err
}

// Bytes returns a package's archive.
func (s *Store) Bytes(ctx context.Context, sha string) ([]byte, error) {
	r, err := s.Get(ctx, sha)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Delete removes a package, whoever refers to it. One that is not there is no error.
func (s *Store) Delete(ctx context.Context, sha string) error {
	key, err := hexDigest(sha)
	if err != nil {
		return err
	}
	for {
		in, rev, err := s.entry(ctx, key)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		err = s.remove(ctx, key, in, rev)
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
}

// remove deletes the entry, if it is still the one seen, and then its object.
func (s *Store) remove(ctx context.Context, key string, in indexed, rev uint64) error {
	if err := s.bucket.Delete(ctx, key, rev); err != nil {
		return err
	}
	return s.objects.Delete(ctx, in.Object)
}

func (s *Store) entry(ctx context.Context, key string) (in indexed, rev uint64, err error) {
	e, err := s.bucket.Get(ctx, key)
	if err != nil {
		return in, 0, notFound(key, err)
	}
	if err := json.Unmarshal(e.Value, &in); err != nil {
		return in, 0, fmt.Errorf("package %s: %w", key, err)
	}
	return in, e.Revision, nil
}

func notFound(key string, err error) error {
	if errors.Is(err, state.ErrNotFound) {
		return fmt.Errorf("%w: %s", ErrNotFound, key)
	}
	return err
}

func encode(in indexed) []byte {
	b, _ := json.Marshal(in) // strings and numbers only: can't fail
	return b
}

// hexDigest turns the API's way of writing a digest into the one that is safe
// as a key and a file's name.
func hexDigest(sha string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(sha)
	if err != nil || len(b) != sha256.Size {
		return "", fmt.Errorf("%w: %q is no SHA-256", ErrNotFound, sha)
	}
	return hex.EncodeToString(b), nil
}

func base64Digest(key string) (string, error) {
	b, err := hex.DecodeString(key)
	if err != nil || len(b) != sha256.Size {
		return "", fmt.Errorf("%q is no SHA-256", key)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}
