package code

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

// List returns the digests of all packages, in no order.
func (s *Store) List(ctx context.Context) ([]string, error) {
	objects, err := s.objects.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var out []string
	for _, object := range objects {
		key, _, _ := strings.Cut(object, ".")
		in, _, err := s.entry(ctx, key)
		if errors.Is(err, ErrNotFound) || err == nil && in.Object != object {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list packages: %w", err)
		}
		sha, err := base64Digest(key)
		if err != nil {
			return nil, fmt.Errorf("list packages: %w", err)
		}
		out = append(out, sha)
	}
	slices.Sort(out)
	return out, nil
}

// Collect removes packages that nobody refers to and that were last put more
// than an hour ago, and returns how many. inUse holds the digests that are
// referred to, and must not be older than the call. Any number of nodes may
// collect while others put: a package is removed only if nobody put it since
// it was found unused.
//
// What a crash left of an upload goes too, once it was seen by two calls an
// hour apart; so Collect is best called every hour or so.
func (s *Store) Collect(ctx context.Context, inUse map[string]struct{}) (removed int, err error) {
	objects, err := s.objects.List(ctx)
	if err != nil {
		return 0, fmt.Errorf("collect packages: %w", err)
	}
	now := s.now()
	strays := make(map[string]time.Time)
	for _, object := range objects {
		key, _, _ := strings.Cut(object, ".")
		e, err := s.bucket.Get(ctx, key)
		var in indexed
		switch {
		case err == nil:
			if err := json.Unmarshal(e.Value, &in); err != nil {
				return removed, fmt.Errorf("collect packages: %s: %w", key, err)
			}
		case !errors.Is(err, state.ErrNotFound):
			return removed, fmt.Errorf("collect packages: %w", err)
		}
		if in.Object != object {
			if since, gone := s.stray(object, now); !gone {
				strays[object] = since
			} else if err := s.objects.Delete(ctx, object); err != nil {
				return removed, fmt.Errorf("collect packages: %w", err)
			}
			continue
		}
		sha, err := base64Digest(key)
		if err != nil {
			return removed, fmt.Errorf("collect packages: %w", err)
		}
		if _, used := inUse[sha]; used || now.Sub(time.Unix(in.Put, 0)) < keepUnused {
			continue
		}
		switch err := s.remove(ctx, key, in, e.Revision); {
		case err == nil:
			removed++
		case !errors.Is(err, state.ErrConflict):
			return removed, fmt.Errorf("collect packages: %w", err)
		}
	}
	s.mu.Lock()
	s.strays = strays
	s.mu.Unlock()
	return removed, nil
}

// stray notes an object that no entry names, and tells since when it is known
// and whether that is long enough to call it abandoned.
func (s *Store) stray(object string, now time.Time) (since time.Time, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, uploading := s.pending[object]; uploading {
		return now, false
	}
	since, known := s.strays[object]
	if !known {
		return now, false
	}
	return since, now.Sub(since) >= keepUnused
}
