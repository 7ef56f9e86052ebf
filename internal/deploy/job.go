package deploy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/worker"
)

// job works on one deployment until it has ended in the catalog or is
// overtaken.
//
//	(wait for a request) ──► fetch ──► prepare ──► complete ──► top up
//	         └────────────────┴─────────┴───────► fail, or try again
type job struct {
	m     *Manager
	key   function.Key
	alias string // "" is $LATEST
	id    string // Revision.ID, or the alias's RevisionID

	life   context.Context // the manager's
	ctx    context.Context // ends when the deployment has ended or is overtaken
	cancel context.CancelFunc

	failures int // of the node's, to make environments

	once  sync.Once
	asked chan struct{} // closed when the first request comes
}

func (j *job) ask() { j.once.Do(func() { close(j.asked) }) }

// run ends with the job's context, which the manager ends once the catalog
// shows that the deployment is none any more.
func (j *job) run() {
	defer j.cancel()
	for j.ctx.Err() == nil {
		view, ok := j.m.rooms.Catalog.Lookup(j.key)
		if !ok || deploymentsOf(view)[j.alias] != j.id {
			return
		}
		from, to := j.shares(view)
		if view.Trigger() == function.OnRequest && !j.awaitRequest(from) {
			continue
		}
		needs, err := j.prepare(view, from, to)
		if j.ctx.Err() != nil {
			return
		}
		err = j.end(err, view)
		if err == nil {
			j.leave(from)
			j.topUp(needs)
			return
		}
		j.m.log.Warn("a deployment waits; trying again", "function", j.key.Name, "account", j.key.Account, "alias", j.alias, "error", err)
		select {
		case <-time.After(retryAfter):
		case <-j.ctx.Done():
			return
		}
	}
}

// awaitRequest waits until a request asks for what the deployment is of. It is
// false when it is time to look again; without environments there is nothing
// to wait for.
func (j *job) awaitRequest(from []share) bool {
	if j.m.environments(from) == 0 {
		return true
	}
	select {
	case <-j.asked:
		return true
	case <-time.After(lookAgain):
	case <-j.ctx.Done():
	}
	return false
}

// prepare makes the node ready to serve what is wanted.
func (j *job) prepare(view *function.View, from, to []share) ([]need, error) {
	if j.alias != "" {
		if err := j.m.awaitKept(j.ctx, j.key, j.alias, j.id); err != nil {
			return nil, err
		}
	}
	select {
	case j.m.slots <- struct{}{}:
		defer func() { <-j.m.slots }()
	case <-j.ctx.Done():
		return nil, j.ctx.Err()
	}
	if j.alias == "" { // what a version is made of was looked at when it was $LATEST
		if err := j.m.rooms.Workers.Fetch(j.ctx, view.Wanted); err != nil {
			return nil, err
		}
	}
	needs := needsOf(from, to, j.m.rooms.Workers.Load)
	for _, n := range needs {
		if err := j.m.rooms.Workers.Prepare(j.ctx, n.revision, n.of(n.before)); err != nil {
			j.failures++
			return nil, err
		}
	}
	return needs, nil
}

// end writes into the catalog what came of the preparation. An error means to
// prepare again. The catalog itself refuses what was overtaken, and the job's
// own context may end as soon as the catalog shows the end.
func (j *job) end(err error, view *function.View) error {
	if code, reason := refusal(err); reason != "" {
		return j.fail(code, reason, view)
	}
	switch {
	case err == nil:
	case errors.Is(err, worker.ErrNoCapacity):
		j.m.log.Info("a deployment goes ahead without prepared environments", "function", j.key.Name, "account", j.key.Account, "error", err)
	case j.failures < tries || errors.Is(err, worker.ErrClosed):
		return err
	default:
		return j.fail("InternalError", "The node could not make environments for it: "+err.Error(), view)
	}
	if j.alias == "" {
		_, err = j.m.rooms.Catalog.CompleteUpdate(j.life, j.key, j.id)
	} else {
		_, err = j.m.rooms.Catalog.CompleteMove(j.life, j.key, j.alias, j.id)
	}
	return over(err)
}

func (j *job) fail(code, reason string, view *function.View) (err error) {
	if j.alias == "" {
		if view.Serving != nil {
			reason += "; the previous code and configuration go on serving. The function's log has more."
		}
		_, err = j.m.rooms.Catalog.FailUpdate(j.life, j.key, j.id, code, reason)
		return over(err)
	}
	a := view.Aliases[j.alias]
	reason = "Alias " + j.alias + " was not moved to " + a.Text() + " and stays at " + a.Serving().Text() + ": " + reason + ". The function's log has more."
	j.m.log.Warn("an alias was not moved", "function", j.key.Name, "account", j.key.Account, "alias", j.alias, "reason", reason)
	_, err = j.m.rooms.Catalog.FailMove(j.life, j.key, j.alias, j.id, reason)
	return over(err)
}

// over is nil for a function that is gone: there is nothing left to do for it.
func over(err error) error {
	if function.IsKind(err, function.NotFound) {
		return nil
	}
	return err
}

// leave lets go what the deployment replaced, if it did.
func (j *job) leave(from []share) {
	for _, f := range from {
		if !j.serves(f.revision) {
			j.m.rooms.Workers.Leave(f.revision.ID)
		}
	}
}

// topUp boots what the deployment did not need to wait for. Nobody waits for
// it, and nothing hangs on it.
func (j *job) topUp(needs []need) {
	workers := j.m.rooms.Workers
	for _, n := range needs {
		for has := workers.Load(n.revision.ID).Environments; has < n.after && j.serves(n.revision); has++ {
			err := workers.Prepare(j.life, n.revision, n.of(has+1))
			if err != nil && j.life.Err() == nil {
				j.m.log.Info("fewer environments are prepared than the recent load needs", "function", j.key.Name, "account", j.key.Account, "error", err)
			}
			if err != nil {
				return
			}
		}
	}
}

// serves tells whether requests for $LATEST or an alias go to the revision.
func (j *job) serves(rev *function.Revision) bool {
	view, ok := j.m.rooms.Catalog.Lookup(j.key)
	if !ok || j.life.Err() != nil {
		return false
	}
	if view.Serving != nil && view.Serving.ID == rev.ID {
		return true
	}
	for _, a := range view.Aliases {
		if partOf(routed(view, a.Serving()), rev) > 0 {
			return true
		}
	}
	return false
}

// shares is what takes which part of the requests before and after the
// deployment. Nothing does before a function is Active for the first time.
func (j *job) shares(view *function.View) (from, to []share) {
	if j.alias == "" {
		if view.Serving != nil {
			from = []share{{view.Serving, 1}}
		}
		return from, []share{{view.Wanted, 1}}
	}
	a := view.Aliases[j.alias]
	if a == nil {
		return nil, nil
	}
	return routed(view, a.Serving()), routed(view, a.Route)
}

func routed(view *function.View, route function.Route) []share {
	var shares []share
	for version, part := range route.Shares() {
		if rev, err := view.Revision(version); err == nil && part > 0 {
			shares = append(shares, share{rev, part})
		}
	}
	return shares
}

// refusal is Lambda's reason code and a sentence for what is the fault of the
// function itself; both are empty for other errors.
func refusal(err error) (reasonCode, reason string) {
	var (
		invalid    *code.InvalidError
		entrypoint *runtimes.EntrypointError
		notServed  *runtimes.NotServedError
		failed     *worker.InitFailure
	)
	switch {
	case errors.As(err, &invalid):
		return "InvalidZipFileException", invalid.Error()
	case errors.As(err, &entrypoint):
		return "FunctionError.InvalidEntryPoint", entrypoint.Error()
	case errors.As(err, &notServed):
		return "InvalidRuntime", notServed.Error()
	case !errors.As(err, &failed):
		return "", ""
	case failed.TimedOut:
		reasonCode = "FunctionError.InitTimeout"
	case failed.Posted != nil:
		reasonCode = "FunctionError.RuntimeInitError"
	case failed.Exit != nil && failed.Exit.OOM:
		reasonCode = "FunctionError.InitResourceExhausted"
	default:
		reasonCode = "FunctionError"
	}
	return reasonCode, failed.Error()
}
