package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/state"
)

const (
	bucketName = "rollouts"
	// maxPast is how many roll-outs of an alias are remembered besides the
	// present or last one.
	maxPast = 20
	// pastEvents are remembered of each of those.
	pastEvents = 20
)

// entry is what is stored of one alias: <account>.<function>.<alias>.
type entry struct {
	Current record    `json:"current"`
	Past    []Rollout `json:"past,omitempty"` // the newest first
	// Number is Current's among the alias's roll-outs.
	Number int `json:"number"`

	revision uint64
}

func entryKey(owner account.ID, function, alias string) string {
	return string(owner) + "." + function + "." + alias
}

func (r *record) entryKey() string { return entryKey(r.Account, r.Function, r.Alias) }

// rolloutID names a roll-out within its account. No part of it has a dot.
func rolloutID(function, alias string, number int) string {
	return function + "." + alias + "." + strconv.Itoa(number)
}

func parseID(id string) (function, alias string, err error) {
	parts := strings.Split(id, ".")
	if len(parts) != 3 || slices.Contains(parts, "") || strings.ContainsAny(id, " /*>\\\x00") {
		return "", "", refuse(NotFound, "%q is no roll-out; they are named FUNCTION.ALIAS.N", id)
	}
	return parts[0], parts[1], nil
}

func decodeEntry(e state.Entry) (*entry, error) {
	var out entry
	if err := json.Unmarshal(e.Value, &out); err != nil {
		return nil, fmt.Errorf("roll-out %s: %w", e.Key, err)
	}
	out.revision = e.Revision
	return &out, nil
}

// load returns the entry as it is in state now; nil when there is none.
func (r *Rollouts) load(ctx context.Context, key string) (*entry, error) {
	e, err := r.bucket.Get(ctx, key)
	if errors.Is(err, state.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeEntry(e)
}

// save stores an entry that is still as it was loaded, or fails with
// [state.ErrConflict].
func (r *Rollouts) save(ctx context.Context, key string, e *entry) error {
	value, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("roll-out %s: %w", key, err)
	}
	if e.revision == 0 {
		e.revision, err = r.bucket.Create(ctx, key, value)
		if errors.Is(err, state.ErrExists) {
			return fmt.Errorf("%w: %w", state.ErrConflict, err)
		}
		return err
	}
	revision, err := r.bucket.Update(ctx, key, value, e.revision)
	if err == nil {
		e.revision = revision
	}
	return err
}

// change makes a transition of a roll-out, again when somebody else was faster.
func (r *Rollouts) change(ctx context.Context, owner account.ID, id string, edit func(*record) error) (*Rollout, error) {
	function, alias, err := parseID(id)
	if err != nil {
		return nil, err
	}
	key := entryKey(owner, function, alias)
	for {
		e, err := r.load(ctx, key)
		if err != nil {
			return nil, err
		}
		if e == nil || e.Current.ID != id {
			past, err := r.Get(ctx, owner, id)
			if err != nil {
				return nil, err
			}
			return nil, refuse(Conflict, "roll-out %s has ended: %s", id, past.State)
		}
		if err := edit(&e.Current); err != nil {
			return nil, err
		}
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

// retire moves the current roll-out, which has ended, to the past.
func (e *entry) retire() {
	old := e.Current.Rollout
	old.Guards = guardStatuses(&e.Current, e.Current.Tests)
	old.Events = old.Events[max(0, len(old.Events)-pastEvents):]
	e.Past = append([]Rollout{old}, e.Past[:min(len(e.Past), maxPast-1)]...)
}
