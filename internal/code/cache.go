package code

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// In the cache's directory, every package has a directory by its hex digest
// with these two in it, and files is the file store. Names that begin with a dot
// are in the making or on their way out; a start removes them.
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
	files *files

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	work   sync.WaitGroup // fetches and removals

	mu      sync.Mutex
	closed  bool
	entries map[string]*cached // by hex digest; being fetched, or ready
	idle    *list.List         // of ready entries without a lease, least recently used first
	bytes   int64              // of all ready entries, without shared files
	trashed int                // numbers the trash
}

// cached is one package in the cache.
type cached struct {
	key string
	// fetched is closed when the entry is ready, or failed with err.
	fetched chan struct{}
	err     error

	// Guarded by Cache.mu:
	bytes    int64         // without shared files
	files    []*sharedFile // of those
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
	if c.files, err = openFiles(filepath.Join(dir, filesName), log); err != nil {
		return nil, fmt.Errorf("open the code cache: %w", err)
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
		var held []*sharedFile
		if err == nil {
			held, err = c.hold(m)
		}
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
		found = append(found, &cached{
			key: d.Name(), fetched: ready, bytes: m.Bytes, files: held, noted: info.ModTime(), unproven: true,
		})
	}
	if err := c.files.clean(); err != nil {
		return err
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

// hold counts the shared files of a package that was found.
func (c *Cache) hold(m *manifest) (held []*sharedFile, err error) {
	for i := range m.Items {
		item := &m.Items[i]
		if !item.shared() {
			continue
		}
		key, err := item.key()
		if err != nil {
			c.files.drop(held)
			return nil, err
		}
		held = append(held, c.files.hold(key, item.Size))
	}
	return held, nil
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
	held = c.bytes + c.files.held()
	counted := make(map[*sharedFile]struct{})
	for _, e := range c.entries {
		if e.leases == 0 || !e.done() {
			continue
		}
		leased += e.bytes
		for _, f := range e.files {
			if _, again := counted[f]; !again {
				counted[f] = struct{}{}
				leased += blocks(f.size)
			}
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
	var out trash
	switch {
	case e.trash != "":
		out.trees = append(out.trees, e.trash)
	case e.done() && c.entries[e.key] == e:
		e.at = c.idle.PushBack(e)
	}
	more := c.evictLocked()
	out.trees, out.files = append(out.trees, more.trees...), more.files
	if len(out.trees) > 0 {
		c.work.Go(func() { c.remove(out) })
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
