package sizing

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// stored is evidence as it is written down; the sketches are in the format of
// their library.
type stored struct {
	First, Last time.Time
	Origin      int64
	Executions  uint64
	Memory      []byte       `json:",omitempty"`
	Hour, Day   int32        `json:",omitempty"`
	Hours, Days []uint16     `json:",omitempty"`
	Aging       [6]float64   `json:",omitzero"`
	Loads       []storedLoad `json:",omitempty"`
	Trial       trial
	Release     release
	Prior       prior
	// Runs is the fingerprint of the release that the evidence is of.
	Runs uint64
}

type storedLoad struct {
	CPU                      function.MemoryMB
	N, Time, Busy, Throttled float64
	Durations                []byte
}

// encode writes evidence down as that of a release.
func (v *Evidence) encode(runs uint64) ([]byte, error) {
	out := stored{
		First: v.first, Last: v.last, Origin: v.origin, Executions: v.executions,
		Hour: v.peaks.hour, Day: v.peaks.day, Hours: v.peaks.hours[:], Days: v.peaks.days[:],
		Aging: [6]float64{v.aging.n, v.aging.x, v.aging.y, v.aging.xx, v.aging.xy, v.aging.yy},
		Trial: v.trial, Release: v.release, Prior: v.prior, Runs: runs,
	}
	if !v.memory.bins.IsEmpty() {
		out.Memory = v.memory.encode()
	}
	for i := range v.loads {
		if l := &v.loads[i]; l.n > 0 {
			out.Loads = append(out.Loads, storedLoad{l.cpu, l.n, l.time, l.busy, l.throttled, l.durations.encode()})
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode evidence: %w", err)
	}
	return b, nil
}

// decode is the inverse of encode.
func decode(b []byte) (v *Evidence, runs uint64, err error) {
	var in stored
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, 0, fmt.Errorf("decode evidence: %w", err)
	}
	v = NewEvidence()
	v.first, v.last, v.origin, v.executions = in.First, in.Last, in.Origin, in.Executions
	v.peaks.hour, v.peaks.day = in.Hour, in.Day
	copy(v.peaks.hours[:], in.Hours)
	copy(v.peaks.days[:], in.Days)
	a := in.Aging
	v.aging = line{a[0], a[1], a[2], a[3], a[4], a[5]}
	v.trial, v.release, v.prior = in.Trial, in.Release, in.Prior
	if err := v.memory.decode(in.Memory); err != nil {
		return nil, 0, err
	}
	for i, l := range in.Loads[:min(len(in.Loads), amountsKept)] {
		v.loads = append(v.loads, load{cpu: l.CPU, n: l.N, time: l.Time, busy: l.Busy, throttled: l.Throttled, durations: newSketch(durationBins)})
		if err := v.loads[i].durations.decode(l.Durations); err != nil {
			return nil, 0, err
		}
	}
	return v, in.Runs, nil
}

// Merge adds what was learned elsewhere, or before, of the same release in
// the same trial. o is of no use afterwards.
func (v *Evidence) Merge(o *Evidence) {
	if o.executions == 0 {
		return
	}
	if v.executions == 0 {
		*v = *o
		return
	}
	// Bring both to the same origin of the weights.
	if o.origin > v.origin {
		v.scale(decayed(float64(v.origin-o.origin) / halfLife.Seconds()))
		v.origin, v.tick = o.origin, 0
	} else if o.origin < v.origin {
		o.scale(decayed(float64(o.origin-v.origin) / halfLife.Seconds()))
	}
	if v.first.IsZero() || o.first.Before(v.first) {
		v.first = o.first
	}
	if o.last.After(v.last) {
		v.last = o.last
	}
	v.executions += o.executions
	if !o.memory.bins.IsEmpty() {
		v.memory.merge(&o.memory)
	}
	v.peaks.merge(&o.peaks)
	v.aging.merge(o.aging)
	for i := range o.loads {
		if l := &o.loads[i]; l.n > 0 {
			v.load(l.cpu).merge(l)
		}
	}
	v.release.Executions += o.release.Executions
	v.release.Sum += o.release.Sum
	v.release.Highest = max(v.release.Highest, o.release.Highest)
	if v.prior.Need == 0 {
		v.prior = o.prior
	}
	v.trial.Executions += o.trial.Executions
	v.trial.Killed += o.trial.Killed
	v.trial.Grown += o.trial.Grown
	v.trial.Starved += o.trial.Starved
	v.trial.Highest = max(v.trial.Highest, o.trial.Highest)
	if !o.trial.Since.IsZero() && o.trial.Since.Before(v.trial.Since) {
		v.trial.Since = o.trial.Since
	}
}

func (l *load) merge(o *load) {
	if l.n == 0 {
		l.durations = newSketch(durationBins)
	}
	l.n += o.n
	l.time += o.time
	l.busy += o.busy
	l.throttled += o.throttled
	l.durations.merge(&o.durations)
}
