package code

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// In the cache's directory, every package has a directory by its hex digest
// with these two in it. Names that begin with a dot are in the making or on
// their way out; a start removes them.
const (
	taskName     = "task"
	manifestName = "manifest.json"
	makingPrefix = ".making-"
	trashPrefix  = ".trash-"

	// noteUseAfter is how old the noted last use of a package, which orders
	// packages after a restart, may become before it is noted anew.
	noteUseAfter = time.Minute
)

var (
	errClosed   = errors.New("the code cache is closed")
	errUnproven = errors.New("not found at the start")
)

// Cache holds unpacked packages in a directory of one node. All methods are
// safe for concurrent use; the directory belongs to one Cache at a time.
//
//	absent ──Acquire──► fetching ──► ready ──evicted──► absent
//	                       │           ▲ │ damaged
//	                       └─ failed   └─┘
type Cache struct {
	dir   string
	store *Store
	max   int64
	log   *slog.Logger
	boot  string

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	work   sync.WaitGroup // fetches and removals

	mu      sync.Mutex
	closed  bool
	entries map[string]*cached // by hex digest; being fetched, or ready
	idle    *list.List         // of ready entries without a lease, least recently used first
	bytes   int64              // of all ready entries
	trashed int                // numbers the trash
}

// cached is one package in the cache.
type cached struct {
	key string
	// fetched is closed when the entry is ready, or failed with err.
	fetched chan struct{}
	err     error

	// Guarded by Cache.mu:
	bytes    int64
	leases   int
	at       *list.Element // in Cache.idle
	noted    time.Time     // last use, as the file system knows it
	unproven bool          // found at the start and not compared since
	trash    string        // where its directory went while leases held it
}

// OpenCache opens the cache in dir, which is made when there is none, and goes
// on with what a former run left there. maxBytes is what it may hold, in bytes
// on disk; what leases hold stays even beyond that.
func OpenCache(dir string, s *Store, maxBytes int64, log *slog.Logger) (*Cache, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// Environments run as other users, so that the way here must be open; the
	// names are digests, and nobody gets to list them.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("open the code cache: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("open the code cache: %w", err)
	}
	c := &Cache{
		dir: dir, store: s, max: maxBytes, log: log, boot: strings.TrimSpace(string(boot)),
		entries: make(map[string]*cached), idle: list.New(),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if err := c.scan(); err != nil {
		return nil, fmt.Errorf("open the code cache: %w", err)
	}
	return c, nil
}

// Close ends fetches under way, which fail, and waits for them. The directory
// stays for the next OpenCache.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
	return nil
}

// scan takes over what is in the directory, oldest use first.
func (c *Cache) scan() error {
	names, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	close(ready)
	var found []*cached
	for _, d := range names {
		at := filepath.Join(c.dir, d.Name())
		if _, err := base64Digest(d.Name()); err != nil {
			if strings.HasPrefix(d.Name(), makingPrefix) || strings.HasPrefix(d.Name(), trashPrefix) {
				if err := removeAll(at); err != nil {
					return err
				}
			}
			continue // not ours
		}
		m, err := readManifest(filepath.Join(at, manifestName))
		if err != nil {
			c.log.Warn("removing an unusable package from the code cache", "package", d.Name(), "err", err)
			if err := removeAll(at); err != nil {
				return err
			}
			continue
		}
		info, err := os.Stat(filepath.Join(at, manifestName))
		if err != nil {
			return err
		}
		found = append(found, &cached{key: d.Name(), fetched: ready, bytes: m.Bytes, noted: info.ModTime(), unproven: true})
	}
	slices.SortFunc(found, func(a, b *cached) int { return a.noted.Compare(b.noted) })
	c.mu.Lock()
	for _, e := range found {
		c.entries[e.key] = e
		e.at = c.idle.PushBack(e)
		c.bytes += e.bytes
	}
	out := c.evictLocked()
	c.mu.Unlock()
	c.remove(out)
	return nil
}

// Lease keeps a package unpacked.
type Lease struct {
	// Dir holds the package's files. It is shared: read only.
	Dir string

	release func()
}

// Release gives the package free for eviction. Only the first call counts.
func (l *Lease) Release() { l.release() }

// Acquire unpacks the package, unless it is there already, and keeps it until
// the lease is released. Callers that want the same package at the same time
// share one fetch; one that gives up does not end it for the others. The error
// wraps [ErrNotFound] when there is no such package.
func (c *Cache) Acquire(ctx context.Context, sha string) (*Lease, error) {
	key, err := hexDigest(sha)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	e := c.entries[key]
	if e == nil || e.unproven {
		if c.closed {
			c.mu.Unlock()
			return nil, errClosed
		}
		e = c.fetchLocked(key, e)
	}
	c.leaseLocked(e)
	noted := e.noted
	c.mu.Unlock()

	select {
	case <-e.fetched:
	case <-ctx.Done():
		c.release(e)
		return nil, ctx.Err()
	}
	if e.err != nil {
		return nil, e.err
	}
	if now := time.Now(); now.Sub(noted) > noteUseAfter {
		c.noteUse(e, now)
	}
	var once sync.Once
	return &Lease{
		Dir:     filepath.Join(c.dir, key, taskName),
		release: func() { once.Do(func() { c.release(e) }) },
	}, nil
}

// Has tells whether the package is unpacked here.
func (c *Cache) Has(sha string) bool {
	key, err := hexDigest(sha)
	if err != nil {
		return false
	}
	c.mu.Lock()
	e := c.entries[key]
	c.mu.Unlock()
	if e == nil {
		return false
	}
	select {
	case <-e.fetched:
		return e.err == nil
	default:
		return false
	}
}

// Bytes is how much the cache holds on disk, and how much of that leases hold.
func (c *Cache) Bytes() (held, leased int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held = c.bytes
	for _, e := range c.entries {
		if e.leases > 0 {
			leased += e.bytes
		}
	}
	return held, leased
}

func (c *Cache) leaseLocked(e *cached) {
	e.leases++
	if e.at != nil {
		c.idle.Remove(e.at)
		e.at = nil
	}
}

func (c *Cache) release(e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.leases--
	if e.leases > 0 || c.closed {
		return
	}
	var trash []string
	switch {
	case e.trash != "":
		trash = append(trash, e.trash)
	case e.done() && c.entries[e.key] == e:
		e.at = c.idle.PushBack(e)
	}
	if trash = append(trash, c.evictLocked()...); len(trash) > 0 {
		c.work.Go(func() { c.remove(trash) })
	}
}

// done tells whether e was fetched. It may have failed.
func (e *cached) done() bool {
	select {
	case <-e.fetched:
		return true
	default:
		return false
	}
}

func (c *Cache) noteUse(e *cached, now time.Time) {
	name := filepath.Join(c.dir, e.key, manifestName)
	if err := os.Chtimes(name, now, now); err != nil {
		c.log.Warn("can't note the use of a package in the code cache", "package", e.key, "err", err)
	}
	c.mu.Lock()
	e.noted = now
	c.mu.Unlock()
}

// evictLocked takes the least recently used entries out of the cache until the
// rest fits, renames them to trash, and returns what is to be removed.
func (c *Cache) evictLocked() (trash []string) {
	for c.bytes > c.max && c.idle.Len() > 0 {
		e := c.idle.Remove(c.idle.Front()).(*cached)
		e.at = nil
		delete(c.entries, e.key)
		c.bytes -= e.bytes
		if to, err := c.trash(e.key); err != nil {
			c.log.Error("can't evict a package from the code cache", "package", e.key, "err", err)
		} else {
			trash = append(trash, to)
		}
	}
	return trash
}

// trash moves a package's directory out of the way, at once and whole.
// c.mu is held, or nobody else is there yet.
func (c *Cache) trash(key string) (string, error) {
	c.trashed++
	to := filepath.Join(c.dir, fmt.Sprintf("%s%s-%d", trashPrefix, key, c.trashed))
	return to, os.Rename(filepath.Join(c.dir, key), to)
}

func (c *Cache) remove(trash []string) {
	for _, t := range trash {
		if err := removeAll(t); err != nil {
			c.log.Warn("can't remove from the code cache; the next start will", "path", t, "err", err)
		}
	}
}

// fetchLocked puts a new entry for key in the place of prev, which may be nil,
// and has it made: from what prev left, when that was not compared with its
// manifest yet and is sound, or else from the store.
func (c *Cache) fetchLocked(key string, prev *cached) *cached {
	e := &cached{key: key, fetched: make(chan struct{})}
	if prev != nil {
		e.bytes, e.noted = prev.bytes, prev.noted
		if prev.at != nil {
			c.idle.Remove(prev.at)
			prev.at = nil
		}
	}
	c.entries[key] = e
	c.work.Go(func() {
		bytes, err := int64(0), errUnproven
		if prev != nil && prev.unproven {
			if bytes, err = c.prove(key, false); err != nil {
				c.log.Warn("unpacking a damaged package again", "package", key, "err", err)
			}
		}
		if err != nil {
			bytes, err = c.fetch(key, prev)
		}
		c.mu.Lock()
		c.bytes += bytes - e.bytes
		e.bytes, e.err = bytes, err
		if err != nil {
			delete(c.entries, key)
		} else if e.noted.IsZero() {
			e.noted = time.Now()
		}
		close(e.fetched)
		if e.leases == 0 && err == nil {
			e.at = c.idle.PushBack(e)
		}
		trash := c.evictLocked()
		c.mu.Unlock()
		c.remove(trash)
	})
	return e
}

// prove compares a package's directory with its manifest: names, types and
// sizes, and the contents too when asked to, or when the machine was booted
// since and may have lost what was not synced.
func (c *Cache) prove(key string, thoroughly bool) (bytes int64, err error) {
	at := filepath.Join(c.dir, key)
	m, err := readManifest(filepath.Join(at, manifestName))
	if err != nil {
		return 0, err
	}
	if err := m.compare(c.ctx, filepath.Join(at, taskName), thoroughly || m.Boot != c.boot); err != nil {
		return 0, err
	}
	if m.Boot != c.boot {
		m.Boot = c.boot
		if err := writeManifest(filepath.Join(at, manifestName), m); err != nil {
			return 0, err
		}
	}
	return m.Bytes, nil
}

// fetch unpacks a package from the store beside its place, and moves it there
// when it is complete. What prev has in its place is damaged, and makes room.
func (c *Cache) fetch(key string, prev *cached) (bytes int64, err error) {
	making, err := os.MkdirTemp(c.dir, makingPrefix)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			c.remove([]string{making})
		}
	}()
	archive := filepath.Join(making, "package.zip")
	if err := c.download(key, archive); err != nil {
		return 0, err
	}
	task := filepath.Join(making, taskName)
	if err := os.Mkdir(task, 0o700); err != nil {
		return 0, err
	}
	m, err := unpackArchive(c.ctx, archive, task, c.store.limits)
	if err != nil {
		return 0, err
	}
	m.Boot = c.boot
	if err := errors.Join(
		os.Remove(archive),
		writeManifest(filepath.Join(making, manifestName), m),
		os.Chmod(making, 0o711),
	); err != nil {
		return 0, err
	}
	old, err := c.place(key, making, prev)
	c.remove(old)
	return m.Bytes, err
}

// place moves a complete directory to where key's belongs, and what is there
// to the trash, from where it may be removed unless a lease on prev holds it.
func (c *Cache) place(key, making string, prev *cached) (trash []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, err := c.trash(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case prev != nil && prev.leases > 0:
		prev.trash = old
	default:
		trash = []string{old}
	}
	return trash, os.Rename(making, filepath.Join(c.dir, key))
}

// download copies a package's archive to a file.
func (c *Cache) download(key, to string) error {
	sha, err := base64Digest(key)
	if err != nil {
		return err
	}
	r, err := c.store.Get(c.ctx, sha)
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // its digest was checked, or it failed already
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
