package evidence

import "math"

const (
	// caution keeps a bet from losing everything on one hit of the old version.
	caution = 0.9
	// learnAt so many observations of the old version without any of the new
	// one teach the rate instead of waiting for a bet.
	learnAt = 128
	// forgetAt observations of the old version, half of what was learnt of its
	// rate is forgotten: it may change in the course of a day.
	forgetAt = 4096
)

// stakes are the parts of the wealth that a bet risks on each observation of
// the new version, where the old version's number allows it.
var stakes = [...]float64{0.01, 0.03, 0.1, 0.3, 0.6, 0.97}

// Counts are observations and how many of them were hits.
type Counts struct {
	N    int `json:"n"`
	Hits int `json:"hits"`
}

func (c *Counts) add(hit bool) {
	c.N++
	if hit {
		c.Hits++
	}
}

func (c *Counts) take(from *Counts) {
	c.N += from.N
	c.Hits += from.Hits
	*from = Counts{}
}

// Rate is the share of hits, 0 when nothing was observed.
func (c Counts) Rate() float64 { return float64(c.Hits) / float64(max(c.N, 1)) }

// Test compares the rates of hits of two versions that are observed side by
// side. It can be stored as JSON and goes on where it was. It is not safe for
// concurrent use.
type Test struct {
	Margin float64 `json:"margin"`
	// LogWealth is what each of the stakes has made of 1.
	LogWealth [len(stakes)]float64 `json:"logWealth"`
	// OldTotal and NewTotal are all observations so far.
	OldTotal Counts `json:"old"`
	NewTotal Counts `json:"new"`
	// Learnt is what the estimate of the old version's rate is made of.
	Learnt Counts `json:"learnt"`

	// of the batch that is open; not stored, since a few observations that are
	// never looked at bias nothing.
	old, new Counts
}

// NewTest returns a test that tolerates a rate higher by margin.
func NewTest(margin float64) *Test { return &Test{Margin: margin} }

// Old counts an outcome of the old version. share is the part of the requests,
// above 0 and below 1, that the new version gets at the moment.
func (t *Test) Old(hit bool, share float64) {
	t.OldTotal.add(hit)
	t.old.add(hit)
	if t.new.N == 0 {
		if t.old.N >= learnAt {
			t.learn()
		}
		return
	}
	t.settle(share)
}

// New counts an outcome of the new version.
func (t *Test) New(hit bool, share float64) {
	t.NewTotal.add(hit)
	t.new.add(hit)
	t.settle(share)
}

// Open reports whether there are observations that no bet was made on yet: as
// long as it does, what is a hit must not change.
func (t *Test) Open() bool { return t.new.N > 0 || t.old.N > 0 }

// Skip forgets the observations that no bet was made on.
func (t *Test) Skip() { t.old, t.new = Counts{}, Counts{} }

// settle bets on the open batch if it has enough observations of both versions.
func (t *Test) settle(share float64) {
	q := t.expected()
	// Waiting for more of the old version's pays until the stake is bound by q.
	wanted := min((1-share)/max(share, 1e-9), 1/q) / 2
	if t.old.N == 0 || float64(t.old.N) < wanted*float64(t.new.N) {
		return
	}
	m, k := float64(t.new.N), float64(t.old.N)
	for i, stake := range stakes {
		lambda := min(stake/q, caution*k/(m*(1+t.Margin-q)))
		mu := m * lambda / k
		t.LogWealth[i] += logs(t.new, 1+lambda*(1-q), 1-lambda*q) +
			logs(t.old, 1-mu*(1+t.Margin-q), 1+mu*(q-t.Margin))
	}
	t.new = Counts{}
	t.learn()
}

// logs is the logarithm of what a batch multiplies the wealth with.
func logs(c Counts, hit, miss float64) float64 {
	return float64(c.Hits)*math.Log(hit) + float64(c.N-c.Hits)*math.Log(miss)
}

// expected is the estimate of the old version's rate, from batches that are
// settled, plus the margin: what the new version may have.
func (t *Test) expected() float64 {
	rate := (float64(t.Learnt.Hits) + 0.5) / (float64(t.Learnt.N) + 10)
	return min(rate+t.Margin, 0.999)
}

func (t *Test) learn() {
	t.Learnt.take(&t.old)
	if t.Learnt.N >= forgetAt {
		t.Learnt.N /= 2
		t.Learnt.Hits /= 2
	}
}

// Evidence is the wealth: how strongly the observations speak for a new version
// that is worse than tolerated. If it is not, the probability that this is ever
// as high as x is at most 1/x.
func (t *Test) Evidence() float64 { return wealth(t.LogWealth[:]) }

// wealth is the mean of exp(log).
func wealth(logs []float64) float64 {
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(min(l, 700)) // e^709 is the largest float64
	}
	return sum / float64(len(logs))
}
