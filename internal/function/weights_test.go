package function

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// A weighted alias sends each version its share: of 10,000 requests as many as
// lie within the band that holds 99.9% of all binomial outcomes. The draws are
// the same in every run, so that this is right or wrong, and not a matter of luck.
func TestWeightsAreExact(t *testing.T) {
	const requests = 10_000
	c := newCatalog(t)
	v := active(t, c, "hello")
	for _, code := range []string{"b", "c"} {
		u := must(c.UpdateCode(t.Context(), v.Key, UpdateCodeInput{Package: pkg(code), Publish: true}))
		must(c.CompleteUpdate(t.Context(), v.Key, u.Wanted.ID))
	}
	must(second(c.CreateAlias(t.Context(), v.Key, AliasInput{Name: "live", Version: "1"})))
	for i, weight := range []float64{0, 0.0001, 0.001, 0.01, 0.1, 0.25, 0.5, 0.9, 0.999, 1} {
		t.Run(fmt.Sprint(weight), func(t *testing.T) {
			must(second(c.UpdateAlias(t.Context(), v.Key, "live", AliasChange{Weights: map[string]float64{"2": weight}})))
			moving := must(c.Get(v.Key)).Aliases["live"]
			view := must(c.CompleteMove(t.Context(), v.Key, "live", moving.RevisionID))
			random := rand.New(rand.NewPCG(uint64(i), 20261127))
			counts := map[string]int{}
			for range requests {
				_, version, err := view.Resolve("live", random.Float64)
				if err != nil {
					t.Fatal(err)
				}
				counts[version]++
			}
			low, high := band(requests, weight, 0.001)
			if n := counts["2"]; n < low || n > high || n+counts["1"] != requests {
				t.Errorf("version 2 answered %d of %d, want %d to %d; all: %v", n, requests, low, high, counts)
			}
		})
	}
}

// band is the range of a binomial variable that leaves out at most alpha/2 on
// either side.
func band(n int, p, alpha float64) (low, high int) {
	probability := func(k int) float64 {
		if p == 0 || p == 1 {
			if k == int(p)*n {
				return 1
			}
			return 0
		}
		lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
		return math.Exp(lg(n) - lg(k) - lg(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	}
	for sum := 0.0; ; low++ {
		if sum += probability(low); sum > alpha/2 {
			break
		}
	}
	high = n
	for sum := 0.0; ; high-- {
		if sum += probability(high); sum > alpha/2 {
			break
		}
	}
	return low, high
}

// The band is what tables of the binomial distribution say.
func TestBand(t *testing.T) {
	if low, high := band(20, 0.5, 0.05); low != 6 || high != 14 {
		t.Errorf("%d to %d", low, high)
	}
}
