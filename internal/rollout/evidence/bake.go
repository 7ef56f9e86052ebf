package evidence

import "math"

// Bake tests the rate of hits of a version that gets all requests against a
// limit. Like [Test] it can be stored, and is not safe for concurrent use.
type Bake struct {
	// Limit is the tolerated rate, fixed before the first observation.
	Limit     float64              `json:"limit"`
	LogWealth [len(stakes)]float64 `json:"logWealth"`
	Total     Counts               `json:"total"`
}

// NewBake returns a test of a rate of at most limit.
func NewBake(limit float64) *Bake { return &Bake{Limit: min(max(limit, 1e-4), 1)} }

// Add counts an outcome.
func (b *Bake) Add(hit bool) {
	b.Total.add(hit)
	if b.Limit >= 1 {
		return // nothing can be worse
	}
	for i, stake := range stakes {
		lambda := stake / b.Limit
		if hit {
			b.LogWealth[i] += math.Log(1 + lambda*(1-b.Limit))
		} else {
			b.LogWealth[i] += math.Log(1 - lambda*b.Limit)
		}
	}
}

// Evidence is as [Test.Evidence].
func (b *Bake) Evidence() float64 { return wealth(b.LogWealth[:]) }

// Upper is an upper confidence bound of the rate of which c are observations: it
// is too low with a probability of at most miss (Chernoff's bound). Of nothing
// it is 1.
func Upper(c Counts, miss float64) float64 {
	if c.N == 0 {
		return 1
	}
	observed, bound := c.Rate(), math.Log(1/miss)/float64(c.N)
	low, high := observed, 1.0
	for range 50 {
		if p := (low + high) / 2; divergence(observed, p) < bound {
			low = p
		} else {
			high = p
		}
	}
	return high
}

// divergence is Kullback and Leibler's, of two coins.
func divergence(p, q float64) float64 {
	part := func(p, q float64) float64 {
		switch {
		case p == 0:
			return 0
		case q == 0:
			return math.Inf(1)
		}
		return p * math.Log(p/q)
	}
	return part(p, q) + part(1-p, 1-q)
}
