package function

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/state"
)

// Defaults of [Options] and of [Quota].
const (
	DefaultConcurrency      = 1000
	DefaultCodeStorageBytes = 75 << 30
	DefaultMinUnreserved    = 100

	bucketName = "functions"
	// strayAge is how old a body that no record names must be before it is
	// removed: another node may be about to write the record.
	strayAge = time.Hour
)

// Quota is what an account may use at most.
type Quota struct {
	Concurrency      int
	CodeStorageBytes int64
}

// Options for [Open]. The zero value of every member but Region has a default.
type Options struct {
	// Region stands in the ARNs.
	Region string
	// Quota returns the limits of an account. It is called by Create,
	// UpdateCode, PublishVersion and SetReserved and must not block.
	Quota func(account.ID) Quota
	// MinUnreserved is how much of an account's concurrency must stay
	// unreserved.
	MinUnreserved int
	// Seal makes environment variables unreadable in the store. Without it
	// they are stored as they are.
	Seal Sealer
	// Now is the clock; tests set it.
	Now func() time.Time
	Log *slog.Logger
}

// Catalog is the set of all functions. All methods are safe for concurrent use.
type Catalog struct {
	opts   Options
	bucket Bucket
	table  *table
	stop   context.CancelFunc
	closed chan struct{} // closed by Close

	// sharing is held by changes of what an account's functions have of its
	// concurrency for themselves, so that two of them can't take the same.
	sharing sync.Mutex

	// mu guards what follows. Only apply, called by the watch, changes it
	// (and the table) once Open returned; subs, waiting and promised apart.
	mu      sync.RWMutex
	loading *loader       // takes what the watch delivers until Open is done; nil afterwards
	applied uint64        // revision of the last entry that the views reflect
	waiting chan struct{} // closed and forgotten when applied advances; nil when nobody waits
	tenants map[account.ID]*tenant
	// bodies holds, by function id and name, the bodies of versions that no
	// view has: because the record is still to come, or never will.
	bodies  map[string]map[string]*body
	pending map[Key]struct{}
	names   interned
	subs    []*subscription
	feeds   sync.WaitGroup
}

// tenant is what the catalog keeps per account besides the views.
type tenant struct {
	names    []string // of its functions, sorted
	codeSize int64    // stored code of $LATEST and of all versions
	promised int64    // code of mutations under way
	// provisioned names the functions with provisioned concurrency.
	provisioned map[string]struct{}
	ledger      ledger
	// ledgerRev is the ledger's revision in state, 0 when it was never written.
	ledgerRev uint64
}

// Open loads the catalog and keeps it up to date until Close.
func Open(ctx context.Context, st *state.Store, o Options) (*Catalog, error) {
	bucket, err := st.BucketWithPast(ctx, bucketName)
	if err != nil {
		return nil, fmt.Errorf("open the catalog: %w", err)
	}
	return OpenIn(ctx, bucket, o)
}

// OpenIn is Open for a catalog that is kept in bucket.
func OpenIn(ctx context.Context, bucket Bucket, o Options) (*Catalog, error) {
	if o.Region == "" {
		return nil, errors.New("function: Options.Region is empty")
	}
	if o.Quota == nil {
		o.Quota = func(account.ID) Quota {
			return Quota{Concurrency: DefaultConcurrency, CodeStorageBytes: DefaultCodeStorageBytes}
		}
	}
	if o.MinUnreserved == 0 {
		o.MinUnreserved = DefaultMinUnreserved
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	watchCtx, stop := context.WithCancel(context.Background())
	c := &Catalog{
		opts:    o,
		bucket:  bucket,
		table:   newTable(),
		stop:    stop,
		closed:  make(chan struct{}),
		tenants: make(map[account.ID]*tenant),
		bodies:  make(map[string]map[string]*body),
		pending: make(map[Key]struct{}),
		names:   make(interned),
		loading: newLoader(o.Seal),
	}
	// Watch blocks until the present values were delivered; a caller that
	// gives up meanwhile stops it.
	defer context.AfterFunc(ctx, stop)()
	if err := bucket.Watch(watchCtx, c.receive); err != nil {
		stop()
		c.loading.finish()
		return nil, fmt.Errorf("load the catalog: %w", errors.Join(err, ctx.Err()))
	}
	c.load()
	if err := ctx.Err(); err != nil {
		stop()
		return nil, fmt.Errorf("load the catalog: %w", err)
	}
	c.sweep(ctx)
	return c, nil
}

// Close stops following changes and waits until no subscriber is running.
// It must not be called from a subscriber. Lookups go on working; mutations
// fail.
func (c *Catalog) Close() error {
	c.stop()
	c.mu.Lock()
	select {
	case <-c.closed:
	default:
		close(c.closed)
	}
	for _, s := range c.subs {
		s.close()
	}
	c.mu.Unlock()
	c.feeds.Wait()
	return nil
}

// ARN is the ARN without qualifier of the function called k, whether or not it
// exists.
func (c *Catalog) ARN(k Key) string {
	return "arn:aws:lambda:" + c.opts.Region + ":" + string(k.Account) + ":function:" + k.Name
}

// Lookup returns the function called k. It takes no lock and allocates nothing.
func (c *Catalog) Lookup(k Key) (*View, bool) {
	v := c.table.get(k)
	return v, v != nil
}

// Get is Lookup with an [*Error] of kind [NotFound] for the API.
func (c *Catalog) Get(k Key) (*View, error) {
	if v := c.table.get(k); v != nil {
		return v, nil
	}
	return nil, errFunctionNotFound(c.ARN(k))
}

// List returns up to limit functions of an account in the order of their
// names, beginning after the name after, and whether there are more.
func (c *Catalog) List(acct account.ID, after string, limit int) (views []*View, more bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tenants[acct]
	if t == nil {
		return nil, false
	}
	from, found := slices.BinarySearch(t.names, after)
	if found {
		from++
	}
	to := min(from+limit, len(t.names))
	views = make([]*View, 0, to-from)
	for _, name := range t.names[from:to] {
		views = append(views, c.table.get(Key{Account: acct, Name: name}))
	}
	return views, to < len(t.names)
}

// All ranges over the functions of all accounts, in no order.
func (c *Catalog) All() iter.Seq[*View] { return c.table.all }

// Usage is what an account uses of its quota.
type Usage struct {
	FunctionCount int
	// CodeBytes is the size of the packages of $LATEST and of all versions,
	// each counted, as Lambda does, even where they are the same.
	CodeBytes int64
	// Reserved is the sum of all reserved concurrency; Provisioned is that of
	// the provisioned concurrency of functions that reserve none.
	Reserved, Provisioned int
}

// Usage returns what an account uses.
func (c *Catalog) Usage(acct account.ID) Usage {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tenants[acct]
	if t == nil {
		return Usage{}
	}
	return Usage{FunctionCount: len(t.names), CodeBytes: t.codeSize, Reserved: c.reservedLocked(acct, t, ""), Provisioned: c.provisionedLocked(acct, t, "")}
}

// Pending lists the functions whose wanted revision waits for
// [Catalog.CompleteUpdate] or [Catalog.FailUpdate].
func (c *Catalog) Pending() []Key {
	c.mu.RLock()
	defer c.mu.RUnlock()
	keys := make([]Key, 0, len(c.pending))
	for k := range c.pending {
		keys = append(keys, k)
	}
	return keys
}

// Packages returns the CodeSHA256 of every package a function refers to: the
// ones that must not be deleted.
func (c *Catalog) Packages() map[string]struct{} {
	in := make(map[string]struct{})
	for v := range c.table.all {
		in[v.Wanted.CodeSHA256] = struct{}{}
		if v.Serving != nil {
			in[v.Serving.CodeSHA256] = struct{}{}
		}
		if v.Previous != nil { // a rollback may ask for it
			in[v.Previous.CodeSHA256] = struct{}{}
		}
		for _, ver := range v.Versions {
			in[ver.CodeSHA256] = struct{}{}
		}
	}
	return in
}
