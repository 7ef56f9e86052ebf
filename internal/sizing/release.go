package sizing

import "time"

// A release is another code or configuration under the same version name
// ($LATEST after an update), or the next version. What its predecessor needed
// is where it starts; it has its own evidence to collect until that is enough
// to stand alone.

const (
	// releasesKept is how many releases' use is remembered, for the trend.
	releasesKept = 5
	// priorAtMost bounds how many executions a release has to prove itself
	// with before its predecessor's needs are forgotten.
	priorAtMost = 10_000
	// steppedBy is the factor by which a release's use differs from its
	// predecessor's to be called a step.
	steppedBy = 1.2
)

// release is the use of one release in a few numbers.
type release struct {
	// Executions, and the sum and the highest of their peaks in MB.
	Executions   uint64
	Sum, Highest float64
}

func (r *release) add(peak float64) {
	r.Executions++
	r.Sum += peak
	r.Highest = max(r.Highest, peak)
}

func (r *release) mean() float64 {
	if r.Executions == 0 {
		return 0
	}
	return r.Sum / float64(r.Executions)
}

// prior is what was known before this release.
type prior struct {
	// Need is what the predecessor needed, in MB; Until how many executions
	// this release has to have before that is forgotten.
	Need  float64
	Until uint64
	// Before are the former releases, newest first.
	Before []release
}

// Succeed makes v the evidence of a new release that follows what v holds: the
// durations and trends begin anew, the need stays until it is disproved.
func (v *Evidence) Succeed(quantile float64) {
	next := NewEvidence()
	next.prior.Before = v.prior.Before
	next.last = v.last // what is decided before the first execution is decided then
	if v.release.Executions > 0 {
		next.prior.Before = append([]release{v.release}, v.prior.Before...)
		next.prior.Before = next.prior.Before[:min(len(next.prior.Before), releasesKept)]
	}
	next.prior.Need = v.need(quantile).MB
	next.prior.Until = min(max(v.release.Executions, v.prior.Until), priorAtMost)
	*v = *next
}

// After returns the evidence of a new version that follows v, which stays.
func (v *Evidence) After(quantile float64) *Evidence {
	next := *v
	next.Succeed(quantile)
	return &next
}

// proven reports whether the release stands on its own evidence: it had as many
// executions as its predecessor, or ran for as long as peaks are remembered.
func (v *Evidence) proven() bool {
	return v.release.Executions >= v.prior.Until || !v.first.IsZero() && v.last.Sub(v.first) > daysKept*24*time.Hour
}
