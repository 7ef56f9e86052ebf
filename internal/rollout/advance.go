package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

// advance does all that is to be done for the roll-out now and says when to look
// again, if nothing happens before; the zero time means that it has ended.
func (d *driver) advance(ctx context.Context) (time.Time, error) {
	for {
		e, err := d.load(ctx, d.entryKey)
		if err != nil {
			return time.Time{}, err
		}
		if e == nil || e.Current.State.Ended() {
			d.forget()
			return time.Time{}, nil
		}
		d.compare(&e.Current)
		next, err := d.act(ctx, &e.Current)
		if err != nil {
			return time.Time{}, err
		}
		if !next.IsZero() && !d.due(&e.Current) {
			return next, nil
		}
		if trials, _, seen := d.comparison.result(); len(trials) > 0 {
			e.Current.Tests, d.stored = trials, seen
		}
		d.kept = d.opts.Now()
		if err := d.save(ctx, d.entryKey, e); err != nil && !errors.Is(err, state.ErrConflict) {
			return time.Time{}, err
		}
	}
}

// due tells whether what the guards have seen should be stored again.
func (d *driver) due(r *record) bool {
	_, _, seen := d.comparison.result()
	return len(r.Tests) > 0 && seen != d.stored && d.opts.Now().Sub(d.kept) >= keepEvery
}

// act makes at most one transition of the record, after what has to come before
// it; without one, it says when to look again.
func (d *driver) act(ctx context.Context, r *record) (wait time.Time, err error) {
	now := d.opts.Now()
	view, alias, why := d.subject(r)
	if why != "" {
		return time.Time{}, r.apply(overtaken, why, now)
	}
	if r.State == Stepping || r.State == Paused || r.State == PostHook {
		if _, verdict, _ := d.comparison.result(); verdict != "" {
			return time.Time{}, r.apply(alarmed, verdict, now)
		}
		if r.Applied && d.refused(r, alias) {
			return time.Time{}, r.apply(alarmed, "version "+r.To+" does not work: "+alias.Refused.Reason, now)
		}
	}
	switch r.State {
	case Pending:
		return time.Time{}, r.apply(begun, "", now)
	case PreHook, PostHook:
		return d.actOnHook(ctx, r, view)
	case Stepping:
		switch {
		case !r.Applied:
			return d.point(ctx, r, view, alias, applied)
		case now.Before(*r.StepEnds):
			return d.lookAgain(*r.StepEnds), nil
		}
		d.summarize(r, now)
		return time.Time{}, r.apply(stepOver, "", now)
	case Paused:
		return d.lookAgain(now.Add(keepEvery)), nil
	case RollingBack:
		return d.point(ctx, r, view, alias, restored)
	}
	return time.Time{}, fmt.Errorf("roll-out %s is in a state that this version of Hearth does not know: %s", r.ID, r.State)
}

// lookAgain is at the given time, or earlier to store what the guards have seen.
func (d *driver) lookAgain(at time.Time) time.Time {
	if soon := d.opts.Now().Add(keepEvery); soon.Before(at) {
		return soon
	}
	return at
}

// subject is what the roll-out is about, or why it is no longer as the roll-out
// left it.
func (d *driver) subject(r *record) (view *function.View, alias *function.Alias, why string) {
	view, err := d.opts.Catalog.Get(r.key())
	if err != nil || view.FunctionID != r.FunctionID {
		return nil, nil, "function " + r.Function + " was deleted"
	}
	if alias, err = view.Alias(r.Alias); err != nil {
		return nil, nil, "alias " + r.Alias + " was deleted"
	}
	if at := routingOf(alias.Route); !r.expects(at) && !d.refused(r, alias) {
		return nil, nil, fmt.Sprintf("somebody else changed alias %s: it points at %s", r.Alias, at)
	}
	return view, alias, ""
}

// refused tells whether the deployment manager undid the roll-out's last change
// of the alias, because the version does not work.
func (d *driver) refused(r *record, alias *function.Alias) bool {
	switch {
	case alias.Refused == nil:
		return false
	case alias.Refused.RevisionID == d.move.revisionID:
		return true
	}
	// After a restart the revision is not known. A step whose change is not
	// known to be done simply asks for it again.
	return r.Applied && r.State != RollingBack && routingOf(alias.Refused.Route) == r.wanted()
}

// point makes the alias point where the record wants it and, once requests
// notice, applies done; until then, it says when to look again.
func (d *driver) point(ctx context.Context, r *record, view *function.View, alias *function.Alias, done input) (time.Time, error) {
	now, want := d.opts.Now(), r.wanted()
	switch {
	case d.refused(r, alias) && done == applied:
		return time.Time{}, r.apply(alarmed, "version "+r.To+" does not work: "+alias.Refused.Reason, now)
	case routingOf(alias.Route) == want:
	case d.refused(r, alias) && now.Before(d.move.since.Add(keepEvery)):
		return d.move.since.Add(keepEvery), nil // the old one does not work either; try again
	default:
		ctx = function.WithAuthor(ctx, function.Author{Account: r.Account, Operation: operation})
		var err error
		view, alias, err = d.opts.Catalog.UpdateAlias(ctx, r.key(), r.Alias, want.change(alias.RevisionID))
		if err != nil {
			return time.Time{}, d.cannotPoint(r, err, done)
		}
		d.move = moving{alias.RevisionID, now}
	}
	if d.move.revisionID != alias.RevisionID {
		d.move = moving{alias.RevisionID, now} // asked for before a restart
	}
	if alias.Moving != nil && view.Trigger() != function.OnRequest {
		if limit := d.move.since.Add(moveFor); now.Before(limit) {
			return d.lookAgain(limit), nil
		}
		d.log.Warn("a roll-out goes on before its alias has moved", "rollout", r.ID)
	}
	if done == applied {
		d.comparison.moved(r.step().Percent/100, now)
	}
	return time.Time{}, r.apply(done, "", now)
}

// cannotPoint is what follows when the catalog refuses a change of the alias.
func (d *driver) cannotPoint(r *record, err error, done input) error {
	var rule *function.Error
	switch {
	case function.IsKind(err, function.PreconditionFailed):
		return nil // it was changed meanwhile; look at it again
	case !errors.As(err, &rule):
		return err
	case done == applied:
		return r.apply(alarmed, "the alias can't be moved: "+rule.Message, d.opts.Now())
	case rule.Kind == function.NotFound:
		return r.apply(overtaken, "version "+r.From+", which the alias pointed at, is not there any more: "+rule.Message, d.opts.Now())
	}
	return err
}

// summarize notes what was seen by the end of a step.
func (d *driver) summarize(r *record, now time.Time) {
	trials, _, _ := d.comparison.result()
	for _, t := range trials {
		if t.Metric == Errors {
			r.note(now, fmt.Sprintf("step %d of %d is over: of version %s %s requests failed so far, of version %s %s",
				r.Step+1, len(r.Steps), r.To, share(t.New()), r.From, share(t.Test.OldTotal)))
			if t.New().N == 0 && r.step().Percent > 0 && r.step().Seconds > 0 {
				r.note(now, "version "+r.To+" has had no requests yet: the guards know nothing of it")
			}
		}
	}
}

// actOnHook begins the hook of the state or takes its outcome.
func (d *driver) actOnHook(ctx context.Context, r *record, view *function.View) (time.Time, error) {
	if d.hook == nil || d.hook.state != r.State {
		event, err := r.event(view)
		if err != nil {
			return time.Time{}, err
		}
		run, owner, name := newHookRun(r.State), r.Account, r.hookName()
		d.hook = run
		d.hooks.Go(func() {
			run.err = callHook(ctx, d.opts.Invoker, owner, name, event)
			close(run.done)
			d.kick()
		})
	}
	ended, err := d.hook.ended()
	if !ended {
		return d.lookAgain(d.opts.Now().Add(keepEvery)), nil
	}
	if ctx.Err() != nil {
		return time.Time{}, ctx.Err() // the hook may not have run; whoever goes on calls it again
	}
	name, now := r.hookName(), d.opts.Now()
	if err != nil {
		return time.Time{}, r.apply(hookFailed, fmt.Sprintf("hook %s: %v", name, err), now)
	}
	return time.Time{}, r.apply(hookPassed, "hook "+name+" agrees", now)
}

// compare makes the comparison the present roll-out's.
func (d *driver) compare(r *record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.id == r.ID {
		return
	}
	d.drop()
	d.id, d.hook, d.move, d.stored, d.kept = r.ID, nil, moving{}, 0, d.opts.Now()
	d.comparison = newComparison(r, d.opts.Now(), d.kick)
	d.unobserve = d.opts.Invoker.Observe(r.key(), d.comparison.observe)
}

// forget ends the comparison.
func (d *driver) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop()
}

// drop is forget with the lock held.
func (d *driver) drop() {
	if d.unobserve != nil {
		d.unobserve()
	}
	d.id, d.comparison, d.unobserve = "", nil, nil
}

// live is what the guards of a roll-out see now; nil when it is not that one's
// turn.
func (d *driver) live(id string) []trial {
	d.mu.Lock()
	c := d.comparison
	mine := d.id == id
	d.mu.Unlock()
	if !mine || c == nil {
		return nil
	}
	trials, _, _ := c.result()
	return trials
}

// concerns tells whether the driver's roll-out is of that function.
func (d *driver) concerns(key function.Key) bool {
	d.Rollouts.mu.Lock()
	defer d.Rollouts.mu.Unlock()
	e := d.known[d.entryKey]
	return e != nil && e.Current.key() == key
}
