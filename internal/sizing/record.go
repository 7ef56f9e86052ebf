package sizing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

// The buckets. What was decided is watched by every node; the evidence is
// read when a function is called for the first time since the node started.
const (
	decisionsBucket = "sizing"
	evidenceBucket  = "sizing-evidence"
)

// historyKept is how many adjustments are shown.
const historyKept = 20

// record is what was decided for a version of a function, as stored.
type record struct {
	Function function.Key
	Version  string
	// Asked is the owner's MemorySize when it was decided: with another one the
	// function begins anew.
	Asked    function.MemoryMB
	Standing Standing
	// Recommended is the last recommendation, with its reason.
	Recommended Amount
	Cause       Cause
	Reason      string
	At          time.Time
	History     []Adjustment
	// Pending are the events that their receiver does not have yet, the oldest
	// first: they are written with the decision they tell of.
	Pending []pending
	// Failed is when repeated failure was last told.
	Failed time.Time
}

// Adjustment is a change of the effective amount.
type Adjustment struct {
	At       time.Time         `json:"at"`
	FromMB   function.MemoryMB `json:"fromMB"`
	ToMB     function.MemoryMB `json:"toMB"`
	Cause    Cause             `json:"cause"`
	Reason   string            `json:"reason"`
	Revision string            `json:"revision"`
}

// recordKey names a version of a function in both buckets. "$" may not stand
// in a key.
func recordKey(functionID, version string) string {
	return functionID + "." + strings.TrimPrefix(version, "$")
}

func (s *Sizing) readRecord(ctx context.Context, key string) (record, uint64, error) {
	e, err := s.decisions.Get(ctx, key)
	if errors.Is(err, state.ErrNotFound) {
		return record{}, 0, nil
	}
	if err != nil {
		return record{}, 0, err
	}
	var r record
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return record{}, 0, fmt.Errorf("sizing record %s: %w", key, err)
	}
	return r, e.Revision, nil
}

// change replaces the record of a version by what edit makes of it, again when
// somebody else was faster. An edit that returns false changes nothing.
func (s *Sizing) change(ctx context.Context, key string, edit func(*record) bool) error {
	for {
		r, revision, err := s.readRecord(ctx, key)
		if err != nil {
			return err
		}
		if !edit(&r) {
			return nil
		}
		value, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("sizing record %s: %w", key, err)
		}
		if revision == 0 {
			_, err = s.decisions.Create(ctx, key, value)
		} else {
			_, err = s.decisions.Update(ctx, key, value, revision)
		}
		if !errors.Is(err, state.ErrConflict) && !errors.Is(err, state.ErrExists) {
			return err
		}
	}
}

// remove forgets what is stored of a version.
func (s *Sizing) remove(ctx context.Context, key string) error {
	var failed error
	for _, b := range []*state.Bucket{s.decisions, s.evidence} {
		for {
			e, err := b.Get(ctx, key)
			if err == nil {
				err = b.Delete(ctx, key, e.Revision)
			}
			if errors.Is(err, state.ErrConflict) {
				continue
			}
			if err != nil && !errors.Is(err, state.ErrNotFound) {
				failed = errors.Join(failed, err)
			}
			break
		}
	}
	return failed
}

func ignoreMissing(err error) error {
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	return err
}
