package main

import (
	"math"
	"time"

	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/model"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/sizing"
)

// The bounds of every rule, in MB.
const leastMB, mostMB = 128, 10_240

// rule is a way to size a function. It is told what each execution used, or
// that it died at the amount it had, and never what it would have used.
type rule interface {
	// released is told before the first execution of a release.
	released(at time.Time)
	amount() float64
	used(e execution, amount float64)
	died(e execution, amount float64)
}

// vpa is the recommender of the Kubernetes Vertical Pod Autoscaler with its
// defaults, except for its least recommendation, which is Hearth's (128 MB
// instead of 250 MB). Its target is in force at once, where a cluster would
// wait for its updater to evict the pod.
type vpa struct {
	container   *model.ContainerState
	aggregate   *model.AggregateContainerState
	recommender logic.PodResourceRecommender
	minute      int64
	now         float64
}

func newVPA(asked int) *vpa {
	v := &vpa{aggregate: model.NewAggregateContainerState(), now: float64(asked)}
	v.container = model.NewContainerState(model.Resources{model.ResourceMemory: model.MemoryAmountFromBytes(float64(asked) * (1 << 20))}, v.aggregate)
	v.recommender = logic.CreatePodResourceRecommender(logic.RecommendationConfig{
		SafetyMarginFraction: 0.15, PodMinCPUMillicores: 25, PodMinMemoryMb: leastMB,
		TargetCPUPercentile: 0.9, LowerBoundCPUPercentile: 0.5, UpperBoundCPUPercentile: 0.95, ConfidenceIntervalCPU: 24 * time.Hour,
		TargetMemoryPercentile: 0.9, LowerBoundMemoryPercentile: 0.5, UpperBoundMemoryPercentile: 0.95, ConfidenceIntervalMemory: 24 * time.Hour,
	})
	return v
}

// released: it knows nothing of releases.
func (v *vpa) released(time.Time) {}

func (v *vpa) amount() float64 { return v.now }

func (v *vpa) used(e execution, _ float64) {
	v.container.AddSample(&model.ContainerUsageSample{MeasureStart: e.at, Usage: model.MemoryAmountFromBytes(e.peak * (1 << 20)), Resource: model.ResourceMemory})
	v.recommend(e.at, false)
}

func (v *vpa) died(e execution, amount float64) {
	if err := v.container.RecordOOM(e.at, model.MemoryAmountFromBytes(amount*(1<<20))); err != nil {
		panic(err)
	}
	v.recommend(e.at, true)
}

// recommend runs once a minute, as the recommender does, and after a death.
func (v *vpa) recommend(at time.Time, urgent bool) {
	if minute := at.Unix() / 60; minute == v.minute && !urgent {
		return
	} else {
		v.minute = minute
	}
	r := v.recommender.GetRecommendedPodResources(model.ContainerNameToAggregateStateMap{"function": v.aggregate})
	mb := model.BytesFromMemoryAmount(r["function"].Target[model.ResourceMemory]) / (1 << 20)
	v.now = min(max(mb, leastMB), mostMB)
}

// most is the plain rule: a fifth more than the highest use ever seen.
type most struct{ highest, now float64 }

func (m *most) released(time.Time) {}

func (m *most) amount() float64 { return m.now }

func (m *most) used(e execution, _ float64) { m.see(e.peak) }

func (m *most) died(_ execution, amount float64) { m.see(1.2 * amount) }

func (m *most) see(mb float64) {
	m.highest = max(m.highest, mb)
	m.now = min(max(1.2*m.highest, leastMB), mostMB)
}

// hearth is the model of package sizing, asked as a node asks it: after what is
// urgent, and every few executions.
type hearth struct {
	policy   sizing.Policy
	evidence *sizing.Evidence
	standing sizing.Standing
	count    int
}

func newHearth(asked int) *hearth {
	p := sizing.PolicyOf(map[string]string{sizing.TagMode: "apply", sizing.TagMax: "10240"}, function.MemoryMB(asked))
	return &hearth{policy: p, evidence: sizing.NewEvidence()}
}

func (h *hearth) amount() float64 {
	if h.standing.Amount.Memory != 0 {
		return float64(h.standing.Amount.Memory)
	}
	return float64(h.policy.Asked)
}

func (h *hearth) used(e execution, amount float64) { h.see(e, amount, sizing.Success) }

func (h *hearth) died(e execution, amount float64) {
	e.peak = amount
	h.see(e, amount, sizing.OutOfMemory)
}

func (h *hearth) see(e execution, amount float64, outcome sizing.Outcome) {
	given := function.MemoryMB(math.Round(amount))
	x := sizing.Execution{
		At: e.at, Amount: sizing.Amount{Memory: given, CPU: given}, Peak: int64(e.peak * (1 << 20)), Nth: e.nth, Outcome: outcome,
		Duration: 50 * time.Millisecond, CPU: time.Millisecond,
	}
	if e.peak > amount { // grown in place, and lived
		x.Grown = function.MemoryMB(math.Ceil(e.peak))
	}
	h.evidence.Add(&x)
	if h.count++; h.count%sizing.DecideEvery(h.policy) != 0 && !sizing.Urgent(&x) {
		return
	}
	h.decide(e.at)
}

func (h *hearth) released(at time.Time) {
	h.evidence.Succeed(h.policy.Quantile)
	h.evidence.Begin(at)
	h.decide(at)
}

func (h *hearth) decide(at time.Time) {
	d := sizing.Decide(h.policy, h.standing, h.evidence, at)
	if h.standing.Take(&d, at) {
		h.evidence.Begin(at)
	}
}
