package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/state"
)

// liveEvery is how often a watcher is told what the guards see.
const liveEvery = time.Second

// DefaultStrategy is used when a [Spec] says nothing.
const DefaultStrategy = "canary10percent5minutes"

// Invoker runs hooks, and tells how invocations went. It is [invoke.Invoker].
type Invoker interface {
	Invoke(context.Context, *invoke.Request) (*invoke.Response, error)
	Observe(function.Key, func(*invoke.Observation)) (stop func())
}

// Catalog is what a roll-out needs of [function.Catalog].
type Catalog interface {
	Get(function.Key) (*function.View, error)
	UpdateAlias(ctx context.Context, key function.Key, name string, change function.AliasChange) (*function.View, *function.Alias, error)
	Changes(func(function.Key, *function.View)) (stop func())
}

// Options are what roll-outs work with; Now may be nil.
type Options struct {
	State   *state.Store
	Catalog Catalog
	Invoker Invoker
	// Node names this node among all that share the state.
	Node string
	// Now is the clock; tests set it.
	Now func() time.Time
	Log *slog.Logger
}

// Rollouts are all roll-outs of a Hearth. All methods are safe for concurrent use.
type Rollouts struct {
	opts   Options
	bucket *state.Bucket
	log    *slog.Logger
	stop   context.CancelFunc // of the watch
	hooks  sync.WaitGroup     // hooks under way

	mu      sync.Mutex
	known   map[string]*entry // by key in the bucket; kept by the watch
	changed chan struct{}     // closed and replaced at every change of known
	drivers map[string]*driver
	// enlist is told of roll-outs to drive; nil while this node does not lead.
	enlist func(key string)
}

// Open loads the roll-outs and keeps them up to date until Close.
func Open(ctx context.Context, o Options) (*Rollouts, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	bucket, err := o.State.Bucket(ctx, bucketName)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Rollouts{
		opts: o, bucket: bucket, log: o.Log, stop: stop,
		known: map[string]*entry{}, changed: make(chan struct{}), drivers: map[string]*driver{},
	}
	if err := bucket.Watch(life, r.receive); err != nil {
		stop()
		return nil, fmt.Errorf("load the roll-outs: %w", err)
	}
	return r, nil
}

// Close stops following changes and waits for hooks under way, which don't end
// before they are over or the rooms below are closed. Run must have returned.
func (r *Rollouts) Close() error {
	r.stop()
	r.hooks.Wait()
	return nil
}

// receive takes what the watch delivers.
func (r *Rollouts) receive(change state.Entry) {
	var e *entry
	if !change.Deleted {
		var err error
		if e, err = decodeEntry(change); err != nil {
			r.log.Error("a roll-out can't be read", "error", err)
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e == nil {
		delete(r.known, change.Key)
	} else {
		r.known[change.Key] = e
	}
	close(r.changed)
	r.changed = make(chan struct{})
	switch d := r.drivers[change.Key]; {
	case d != nil:
		d.kick()
	case e != nil && !e.Current.State.Ended() && r.enlist != nil:
		r.enlist(change.Key)
	}
}

// Start begins a roll-out, which [Rollouts.Run] then drives.
func (r *Rollouts) Start(ctx context.Context, owner account.ID, spec Spec) (*Rollout, error) {
	if spec.Function == "" || spec.Alias == "" {
		return nil, refuse(Invalid, "a roll-out needs a function and an alias")
	}
	view, err := r.opts.Catalog.Get(function.Key{Account: owner, Name: spec.Function})
	if err != nil {
		return nil, err
	}
	alias, ok := view.Aliases[spec.Alias]
	if !ok {
		return nil, refuse(NotFound, "function %s has no alias %s; it has %s", view.Name, spec.Alias, enumerate(view.AliasNames()))
	}
	key := entryKey(owner, spec.Function, spec.Alias)
	for {
		e, err := r.load(ctx, key)
		if err != nil {
			return nil, err
		}
		switch {
		case e == nil:
			e = &entry{}
		case !e.Current.State.Ended():
			return nil, refuse(Conflict, "roll-out %s of alias %s is under way (%s): wait for it, or `hearth rollout abort %s --alias %s`",
				e.Current.ID, spec.Alias, e.Current.State, spec.Function, spec.Alias)
		default:
			e.retire()
		}
		fresh, err := r.plan(view, alias, spec)
		if err != nil {
			return nil, err
		}
		e.Number++
		e.Current = *fresh
		e.Current.ID = rolloutID(spec.Function, spec.Alias, e.Number)
		err = r.save(ctx, key, e)
		if errors.Is(err, state.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return r.show(&e.Current), nil
	}
}

// plan checks a spec and makes the record of its roll-out.
func (r *Rollouts) plan(view *function.View, alias *function.Alias, spec Spec) (*record, error) {
	now := r.opts.Now().UTC()
	to, err := target(view, alias, spec.To)
	if err != nil {
		return nil, err
	}
	for _, hook := range []string{spec.PreHook, spec.PostHook} {
		if err := r.checkHook(view.Account, hook); err != nil {
			return nil, err
		}
	}
	strategy, steps, err := spec.steps()
	if err != nil {
		return nil, err
	}
	if alias.Version == function.Latest && !slices.Equal(steps, []Step{{Percent: 100}}) {
		return nil, refuse(Conflict, "alias %s points at $LATEST, which can't share requests with another version: use --strategy all-at-once, or point it at a version first", spec.Alias)
	}
	guards := spec.Guards
	if guards == nil {
		guards = DefaultGuards()
	}
	if err := checkGuards(guards); err != nil {
		return nil, err
	}
	alpha, sample := cmp.Or(spec.Alpha, DefaultAlpha), cmp.Or(spec.MinSample, DefaultMinSample)
	if !(alpha > 0 && alpha < 0.5) || sample < 1 {
		return nil, refuse(Invalid, "alpha is above 0 and below 0.5, and the minimum sample 1 at least")
	}
	rec := &record{
		Rollout: Rollout{
			Function: spec.Function, Alias: spec.Alias, From: alias.Version, To: to, Strategy: strategy, Steps: steps,
			PreHook: spec.PreHook, PostHook: spec.PostHook, Alpha: alpha, MinSample: sample,
			State: Pending, Created: now, Guards: []GuardStatus{}, Events: []Event{},
		},
		Account: view.Account, FunctionID: view.FunctionID, Tests: newTrials(guards),
	}
	rec.note(now, fmt.Sprintf("alias %s is to move from version %s to version %s: %s", rec.Alias, rec.From, rec.To, strategy))
	return rec, nil
}

// target is the version to move to.
func target(view *function.View, alias *function.Alias, to string) (string, error) {
	numbers := view.VersionNumbers()
	if to == "" {
		if len(numbers) == 0 {
			return "", refuse(Conflict, "function %s has no published version: publish one first (hearth deploy --publish)", view.Name)
		}
		to = strconv.Itoa(numbers[len(numbers)-1])
	}
	at := routingOf(alias.Route)
	switch {
	case to == function.Latest:
		return "", refuse(Invalid, "$LATEST changes and can't be rolled out: publish a version first")
	case view.Versions[to] == nil:
		return "", refuse(Conflict, "function %s has no version %s; it has %s", view.Name, to, enumerate(numbers))
	case at.additional != "":
		return "", refuse(Conflict, "alias %s points at %s already: let it point at one version alone first", alias.Name, at)
	case at.version == to:
		return "", refuse(Conflict, "alias %s points at version %s already", alias.Name, to)
	}
	return to, nil
}

func enumerate[T any](all []T) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Trim(fmt.Sprint(all), "[]")
}

// checkHook finds out early that there is no such function.
func (r *Rollouts) checkHook(owner account.ID, hook string) error {
	if hook == "" {
		return nil
	}
	name, qualifier, _ := strings.Cut(hook, ":")
	view, err := r.opts.Catalog.Get(function.Key{Account: owner, Name: name})
	if err != nil {
		return fmt.Errorf("hook: %w", err)
	}
	if _, err := view.Describe(qualifier); err != nil {
		return fmt.Errorf("hook: %w", err)
	}
	return nil
}

// steps returns what the strategy is called, and its steps.
func (s *Spec) steps() (name string, steps []Step, err error) {
	switch {
	case s.Strategy != "" && len(s.Steps) > 0:
		return "", nil, refuse(Invalid, "say a strategy or steps, not both")
	case len(s.Steps) > 0:
		name, steps = "custom", s.Steps
	default:
		name = cmp.Or(s.Strategy, DefaultStrategy)
		if steps, err = ParseStrategy(name); err != nil {
			return "", nil, err
		}
	}
	if steps, err = complete(steps); err != nil {
		return "", nil, err
	}
	if s.BakeSeconds != 0 {
		steps = slices.Clone(steps)
		steps[len(steps)-1].Seconds = s.BakeSeconds
		steps, err = complete(steps)
	}
	return name, steps, err
}

// Get returns a roll-out as it is now, or one of the last.
func (r *Rollouts) Get(ctx context.Context, owner account.ID, id string) (*Rollout, error) {
	function, alias, err := parseID(id)
	if err != nil {
		return nil, err
	}
	e, err := r.load(ctx, entryKey(owner, function, alias))
	if err != nil {
		return nil, err
	}
	if e != nil && e.Current.ID == id {
		return r.show(&e.Current), nil
	}
	if e != nil {
		for i := range e.Past {
			if e.Past[i].ID == id {
				return &e.Past[i], nil
			}
		}
	}
	return nil, refuse(NotFound, "there is no roll-out %s", id)
}

// List returns an account's roll-outs, those under way first and then the
// newest. function and alias may be "" for all.
func (r *Rollouts) List(owner account.ID, function, alias string) []Rollout {
	all := []Rollout{}
	r.mu.Lock()
	var found []*entry
	for _, e := range r.known {
		c := &e.Current
		if c.Account == owner && (function == "" || c.Function == function) && (alias == "" || c.Alias == alias) {
			found = append(found, e)
		}
	}
	r.mu.Unlock()
	for _, e := range found {
		all = append(append(all, *r.show(&e.Current)), e.Past...)
	}
	slices.SortFunc(all, func(a, b Rollout) int {
		if a.State.Ended() != b.State.Ended() {
			return map[bool]int{true: 1, false: -1}[a.State.Ended()]
		}
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// Pause stops the clock of the present step. The alias keeps its weights, and
// the guards go on looking.
func (r *Rollouts) Pause(ctx context.Context, owner account.ID, id string) (*Rollout, error) {
	return r.ask(ctx, owner, id, askPause, "paused by the user")
}

// Resume goes on with a paused roll-out.
func (r *Rollouts) Resume(ctx context.Context, owner account.ID, id string) (*Rollout, error) {
	return r.ask(ctx, owner, id, askResume, "resumed by the user")
}

// Abort rolls back.
func (r *Rollouts) Abort(ctx context.Context, owner account.ID, id string) (*Rollout, error) {
	return r.ask(ctx, owner, id, askAbort, "aborted by the user")
}

func (r *Rollouts) ask(ctx context.Context, owner account.ID, id string, what input, why string) (*Rollout, error) {
	return r.change(ctx, owner, id, func(rec *record) error { return rec.apply(what, why, r.opts.Now()) })
}

// Watch calls f with the roll-out as it is, and again whenever it has changed,
// until it has ended, f returns an error or ctx ends.
func (r *Rollouts) Watch(ctx context.Context, owner account.ID, id string, f func(*Rollout) error) error {
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	var last *Rollout
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		now, err := r.Get(ctx, owner, id)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(now, last) {
			if err := f(now); err != nil {
				return err
			}
			last = now
		}
		if now.State.Ended() {
			return nil
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// show is a roll-out as users see it: with what its guards see at the moment, if
// this node drives it.
func (r *Rollouts) show(rec *record) *Rollout {
	out := rec.Rollout
	trials := rec.Tests
	r.mu.Lock()
	d := r.drivers[rec.entryKey()]
	r.mu.Unlock()
	if d != nil && !rec.State.Ended() {
		if live := d.live(rec.ID); live != nil {
			trials = live
		}
	}
	out.Guards = guardStatuses(rec, trials)
	return &out
}
