// Package deploy is the deployment manager: it says which revision answers a
// request, and makes what an owner wants what the platform serves.
//
// An update leaves a function with a wanted revision that does not serve yet,
// an UpdateAlias an alias with a route that it is on its way to. Each of these
// is a deployment. [Manager.Run] works on all there are: it fetches the code,
// has second environments booted beside those that serve, as many as the
// recent load needs, and then completes the deployment in the catalog. Until
// then what served before answers, and nobody waits. Where nothing has
// environments there is nothing to prepare, and what is wanted serves at once.
//
// [Manager.Choose] is asked for every invocation. It answers from the view in
// memory unless a deployment is under way; then the function's, the alias's or
// the request's own policy says whether the previous revision may answer.
//
// # Promises
//
//   - Once an update is Successful, or an alias has moved, no request that
//     begins later is answered by what served before.
//   - No request fails because of a deployment. When the new code does not
//     initialise, the deployment fails with a reason and the old one goes on.
//   - Of deployments that overtake each other the last one wins, and what was
//     overtaken before it was ready never serves.
//   - A way back to what still has environments waits for nothing.
//
// The tests of this package check them over generated interleavings of
// updates, moves, requests, boots that end well, badly or not at all, and
// crashes. What the manager works on is in the catalog, not here: after a
// crash it goes on with every deployment under way.
package deploy

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/pool"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/worker"
)

const (
	// atOnce deployments are prepared at the same time.
	atOnce = 8
	// retryAfter is the pause before another try when the node or the store
	// failed; the deployment stays in progress meanwhile. The node gets this
	// many tries, the store any number.
	retryAfter = 2 * time.Second
	tries      = 3
	// lookAgain is how often a deployment that waits for a request looks
	// whether there is anything left to wait for.
	lookAgain = 10 * time.Second
)

// Workers are the environments of this node; [worker.Manager] has them.
type Workers interface {
	// Load is what environments of a revision there are, and how busy they were.
	Load(revisionID string) worker.Load
	// Fetch brings the revision's code to the node.
	Fetch(context.Context, *function.Revision) error
	// Prepare boots environments of a revision until there are enough, and
	// returns when all are ready. It does so behind running requests. Errors
	// are those of [worker.Manager.Acquire].
	Prepare(context.Context, *function.Revision, worker.Ahead) error
	// Leave says that requests no longer go to a revision, though some may ask
	// for it by number. Its environments stay a little while.
	Leave(revisionID string)
	// RetireExcept says which revisions of a function may still be asked for.
	// Environments of others that have served stay a little while, for a
	// rollback. With nil the function is gone, and nothing stays.
	RetireExcept(key function.Key, wanted map[string]bool)
	// Keep, Provisioned and ProvisionNews are about environments that are to be
	// there always.
	Keep(key function.Key, kept []worker.Kept)
	Provisioned(revisionID string) worker.Provision
	ProvisionNews() <-chan struct{}
}

// Rooms are what the manager works with.
type Rooms struct {
	Catalog  *function.Catalog
	Workers  Workers
	Limits   *worker.Concurrency
	Pool     *pool.Pool
	Runtimes *runtimes.Set
}

// Manager is the deployment manager of one node.
type Manager struct {
	rooms Rooms
	log   *slog.Logger
	news  news
	slots chan struct{} // capacity atOnce
	wg    sync.WaitGroup

	mu   sync.Mutex
	life context.Context                  // of the jobs: Run's, nil while it doesn't run
	jobs map[function.Key]map[string]*job // by alias, "" being $LATEST
}

// New returns a manager that follows the catalog; Run does the work.
func New(rooms Rooms, log *slog.Logger) *Manager {
	return &Manager{rooms: rooms, log: log, slots: make(chan struct{}, atOnce), jobs: map[function.Key]map[string]*job{}}
}

// Run follows the catalog and works on deployments until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	m.mu.Lock()
	m.life = ctx
	m.mu.Unlock()
	stop := m.rooms.Catalog.Changes(func(key function.Key, _ *function.View) { m.changed(key) })
	for view := range m.rooms.Catalog.All() {
		m.changed(view.Key)
	}
	<-ctx.Done()
	stop()
	m.mu.Lock()
	m.life = nil // no job begins any more
	m.mu.Unlock()
	m.wg.Wait()
}

// changed brings the other rooms and the jobs in line with the catalog. It
// looks at the function itself, so that of two calls at once the later one
// can't act on what the function was earlier.
func (m *Manager) changed(key function.Key) {
	m.news.changed(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	view, ok := m.rooms.Catalog.Lookup(key)
	if !ok {
		m.assign(key, nil)
		m.rooms.Limits.Changed(key, function.NoReservation)
		m.keep(key, nil)
		m.rooms.Workers.RetireExcept(key, nil)
		return
	}
	if rt, _, err := m.rooms.Runtimes.For(view.Wanted.Config.Runtime); err == nil {
		m.rooms.Pool.Keep(rt.Name)
	}
	m.assign(key, deploymentsOf(view))
	if view.Trigger() == function.OnUpdate {
		for _, j := range m.jobs[key] {
			j.ask() // its owner may have had it wait for a request until now
		}
	}
	reserved := view.Reserved
	if reserved == function.NoReservation {
		reserved = view.Guaranteed()
	}
	m.rooms.Limits.Changed(key, reserved)
	m.keep(key, view)
	wanted := map[string]bool{}
	if view.Status.Update == function.InProgress {
		wanted[view.Wanted.ID] = true // its environments are prepared before it serves
	}
	if view.Serving != nil {
		wanted[view.Serving.ID] = true
	}
	for _, v := range view.Versions {
		wanted[v.ID] = true
	}
	m.rooms.Workers.RetireExcept(key, wanted)
}

// deploymentsOf is what of a function is wanted and does not serve: by alias,
// "" being $LATEST, what tells this deployment from another one of the same
// alias. A failed update is none; it waits for its owner.
func deploymentsOf(view *function.View) map[string]string {
	out := map[string]string{}
	if view.Status.State == function.Pending || view.Status.Update == function.InProgress {
		out[""] = view.Wanted.ID
	}
	for name, a := range view.Aliases {
		if a.Moving != nil {
			out[name] = a.RevisionID
		}
	}
	return out
}

// assign gives each deployment of a function a job, and ends the jobs of
// deployments that were overtaken. m.mu is held.
func (m *Manager) assign(key function.Key, wanted map[string]string) {
	jobs := m.jobs[key]
	for alias, j := range jobs {
		if wanted[alias] != j.id {
			j.cancel()
			delete(jobs, alias)
		}
	}
	for alias, id := range wanted {
		if jobs[alias] != nil || m.life == nil {
			continue
		}
		if jobs == nil {
			jobs = map[string]*job{}
			m.jobs[key] = jobs
		}
		j := &job{m: m, key: key, alias: alias, id: id, life: m.life, asked: make(chan struct{})}
		j.ctx, j.cancel = context.WithCancel(m.life)
		jobs[alias] = j
		m.wg.Go(j.run)
	}
	if len(jobs) == 0 {
		delete(m.jobs, key)
	}
}

// asked tells the jobs that what qualifier stands for hangs on that a request
// came for it.
func (m *Manager) asked(view *function.View, qualifier string) {
	if view.Trigger() != function.OnRequest {
		return // they don't wait for one
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	view, ok := m.rooms.Catalog.Lookup(view.Key)
	if !ok {
		return
	}
	m.assign(view.Key, deploymentsOf(view)) // the request may be here before the news of the update
	jobs := m.jobs[view.Key]
	for _, alias := range []string{"", qualifier} {
		if j := jobs[alias]; j != nil {
			j.ask()
		}
	}
}
