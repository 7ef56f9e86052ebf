package sizing

import (
	"context"
	"errors"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// ErrUnknown says that nothing is known of a version yet.
var ErrUnknown = errors.New("sizing knows nothing of it yet: it was not called, or its sizing is off")

// Report is what sizing can say of one version of a function.
type Report struct {
	Function string            `json:"function"`
	Version  string            `json:"version"`
	Mode     string            `json:"mode"`
	Goal     string            `json:"goal"`
	AskedMB  function.MemoryMB `json:"askedMB"`
	MinMB    function.MemoryMB `json:"minMB"`
	MaxMB    function.MemoryMB `json:"maxMB"`
	// EffectiveMB is what environments are given, EffectiveCPUMB the memory
	// whose share of CPU they get; RecommendedMB what they should have.
	EffectiveMB    function.MemoryMB `json:"effectiveMB"`
	EffectiveCPUMB function.MemoryMB `json:"effectiveCpuMB"`
	RecommendedMB  function.MemoryMB `json:"recommendedMB"`
	Executions     uint64            `json:"executions"`
	Use            Use               `json:"use"`
	// Saving is what the recommendation saves against what was asked for.
	Saving     Saving       `json:"saving"`
	Verb       Verb         `json:"verb"`
	Cause      Cause        `json:"cause"`
	Reason     string       `json:"reason"`
	Confidence float64      `json:"confidence"`
	Patterns   []Pattern    `json:"patterns"`
	History    []Adjustment `json:"history"`
}

// Use are quantiles of the highest memory of executions, in MB, and of their
// durations at the amount in force, in milliseconds.
type Use struct {
	P50MB      float64 `json:"p50MB"`
	P95MB      float64 `json:"p95MB"`
	P99MB      float64 `json:"p99MB"`
	HighestMB  float64 `json:"highestMB"`
	NeedMB     float64 `json:"needMB"`
	MarginMB   float64 `json:"marginMB"`
	P50Ms      float64 `json:"p50Ms"`
	P95Ms      float64 `json:"p95Ms"`
	Throttled  float64 `json:"throttled"` // share of the duration
	OutOfMem   int64   `json:"outOfMemory"`
	Grown      int64   `json:"grownInPlace"`
	TimedOut   int64   `json:"timedOutThrottled"`
	InForceFor int64   `json:"executionsAtAmount"`
}

// Saving is about a thousand executions.
type Saving struct {
	GBSeconds float64 `json:"gbSecondsPer1000"`
	Percent   float64 `json:"percent"`
}

// Curve is how duration and cost depend on the amount.
type Curve struct {
	Report Report `json:"report"`
	// Points are by amount; none where too little was seen.
	Points []Point `json:"points"`
	// Model are the numbers that the curve is made of, in milliseconds.
	Model CurveModel `json:"model"`
	// Note says what the curve assumes.
	Note string `json:"note"`
}

// CurveModel is an execution as the model sees it.
type CurveModel struct {
	CPUMs      float64 `json:"cpuMs"`
	WaitMs     float64 `json:"waitMs"`
	CPUsAtOnce float64 `json:"cpusAtOnce"`
}

// Report says what is known of the version that rev is.
func (s *Sizing) Report(ctx context.Context, view *function.View, rev *function.Revision) (Report, error) {
	at, v, err := s.snapshot(ctx, view, rev)
	if err != nil {
		return Report{}, err
	}
	return s.report(ctx, at, v, view, rev)
}

// Explain draws the curve.
func (s *Sizing) Explain(ctx context.Context, view *function.View, rev *function.Revision) (Curve, error) {
	at, v, err := s.snapshot(ctx, view, rev)
	if err != nil {
		return Curve{}, err
	}
	r, err := s.report(ctx, at, v, view, rev)
	if err != nil {
		return Curve{}, err
	}
	c := Curve{Report: r, Points: []Point{}}
	p := s.policy(view, rev)
	m, ok := v.model(&p)
	if !ok {
		c.Note = "Too few executions were seen to draw a curve."
		return c, nil
	}
	c.Model = CurveModel{CPUMs: m.u, WaitMs: m.w, CPUsAtOnce: m.p}
	c.Points = m.curve(&p, p.Min, p.Max, p.Asked, r.EffectiveMB, r.RecommendedMB)
	c.Note = "CPU comes in proportion to memory."
	if p.Goal.Aim == Speed {
		c.Note = "The goal speed keeps the CPU of the amount that was asked for, whatever the memory: less memory is cheaper and not slower."
	}
	return c, nil
}

// snapshot returns a copy of the evidence of a version, what is stored included.
func (s *Sizing) snapshot(ctx context.Context, view *function.View, rev *function.Revision) (*series, *Evidence, error) {
	at := s.find(view, rev.Version)
	if at == nil { // not called since the start, perhaps
		if _, err := s.evidence.Get(ctx, recordKey(view.FunctionID, rev.Version)); err == nil {
			s.mu.Lock()
			at = s.seriesLocked(view.Key, view.FunctionID, rev.Version)
			s.mu.Unlock()
			at.adopt(rev, s.policy(view, rev))
		}
	}
	if at == nil {
		return nil, nil, ErrUnknown
	}
	if err := s.load(ctx, at); err != nil {
		return nil, nil, err
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.evidence == nil || at.evidence.executions == 0 {
		return nil, nil, ErrUnknown
	}
	b, err := at.evidence.encode(at.release)
	if err != nil {
		return nil, nil, err
	}
	v, _, err := decode(b)
	return at, v, err
}

func (s *Sizing) report(ctx context.Context, at *series, v *Evidence, view *function.View, rev *function.Revision) (Report, error) {
	stored, _, err := s.readRecord(ctx, at.key)
	if err != nil {
		return Report{}, err
	}
	p := s.policy(view, rev)
	at.mu.Lock()
	inForce, standing := at.inForceLocked(), at.stands()
	at.mu.Unlock()
	d := Decide(p, standing, v, v.last)
	out := Report{
		Function: view.Name, Version: rev.Version, Mode: p.Mode.String(), Goal: p.Goal.String(),
		AskedMB: p.Asked, MinMB: p.Min, MaxMB: p.Max,
		EffectiveMB: inForce.Memory, EffectiveCPUMB: inForce.CPU, RecommendedMB: d.Recommended.Memory,
		Executions: v.executions, Verb: d.Verb, Cause: d.Cause, Reason: d.Reason, Confidence: d.Confidence,
		Patterns: d.Patterns, History: stored.History,
		Use: Use{
			P50MB: v.memory.quantile(memoryMapping, 0.5), P95MB: v.memory.quantile(memoryMapping, 0.95), P99MB: v.memory.quantile(memoryMapping, 0.99),
			HighestMB: v.peaks.max(), NeedMB: d.Need.MB, MarginMB: d.Need.Margin,
			OutOfMem: v.trial.Killed, Grown: v.trial.Grown, TimedOut: v.trial.Starved, InForceFor: v.trial.Executions,
		},
	}
	if out.Patterns == nil {
		out.Patterns = []Pattern{}
	}
	if out.History == nil {
		out.History = []Adjustment{}
	}
	out.Saving = v.measure(&out.Use, &p, d.Recommended)
	return out, nil
}

// measure fills in what durations tell.
func (v *Evidence) measure(u *Use, p *Policy, recommended Amount) Saving {
	var most *load
	for i := range v.loads {
		if l := &v.loads[i]; l.n > 0 && (most == nil || l.n > most.n) {
			most = l
		}
	}
	if most == nil {
		return Saving{}
	}
	u.P50Ms = most.durations.quantile(durationMapping, 0.5)
	u.P95Ms = most.durations.quantile(durationMapping, 0.95)
	if most.time > 0 {
		u.Throttled = most.throttled / most.time
	}
	m, ok := v.model(p)
	if !ok {
		return Saving{}
	}
	before, after := m.point(p.amount(p.Asked)), m.point(recommended)
	saved := before.GBSeconds - after.GBSeconds
	return Saving{GBSeconds: saved, Percent: 100 * saved / before.GBSeconds}
}

// Reset forgets what was learned and decided of a version: it begins anew with
// what its owner asks for.
func (s *Sizing) Reset(ctx context.Context, view *function.View, rev *function.Revision) error {
	key := recordKey(view.FunctionID, rev.Version)
	err := s.change(ctx, key, func(r *record) bool {
		if r.Function == (function.Key{}) {
			return false // there is none
		}
		r.Standing, r.Recommended, r.Failed = Standing{}, Amount{}, time.Time{}
		r.History = append(r.History, Adjustment{At: time.Now().UTC(), ToMB: r.Asked, Cause: ResetByOwner, Reason: "The owner had it begin anew.", Revision: rev.ID})
		return true
	})
	if err != nil {
		return err
	}
	at := s.find(view, rev.Version)
	if at != nil {
		at.mu.Lock()
		at.evidence, at.loaded, at.unsaved, at.count = NewEvidence(), true, false, 0
		at.standing, at.recommended, at.inherits = Standing{}, Amount{}, Amount{}
		at.enforceLocked()
		at.mu.Unlock()
	}
	e, err := s.evidence.Get(ctx, key)
	if err == nil {
		err = s.evidence.Delete(ctx, key, e.Revision)
	}
	return ignoreMissing(err)
}
