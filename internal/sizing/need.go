package sizing

import "math"

const (
	// leastMargin is the share that is added to every need, and leastMarginMB
	// the least of it.
	leastMargin, leastMarginMB = 0.04, 6
	// mostMargin bounds what the tail's shape adds to the highest peak.
	mostMargin = 0.15
	// tailShare of the weight is the tail by which what was not seen yet is
	// estimated, tailLeast the least number of executions in it.
	tailShare, tailLeast = 0.02, 10
	// releaseMargin is what a new release is given beyond its predecessor's
	// need for its first releaseFresh executions: nobody knows it yet.
	releaseMargin, releaseFresh = 0.25, 30
	// strictQuantile is where a policy means "every execution": from there on
	// the highest peak seen has to fit.
	strictQuantile = 0.999
	// A trend counts when it explains trendFit of the spread and makes at least
	// trendGrowth of the use over the hours kept; forecastHours are added.
	trendFit, trendGrowth, forecastHours = 0.6, 0.08, 6
)

// need is how much memory a function needs, and the numbers that make it.
type need struct {
	// MB is the need, margin included.
	MB float64
	// Highest is the highest peak remembered, Quantile the chosen quantile of
	// the peaks, Tail what the tail's shape says of the quantile, Forecast what
	// the trend adds, Margin what dispersion does; MB.
	Highest, Quantile, Tail, Forecast, Margin float64
	// Prior is true when the predecessor's need is what counts still.
	Prior bool
}

// need estimates the memory that the quantile of executions fits in.
func (v *Evidence) need(quantile float64) need {
	var n need
	n.Highest = v.peaks.max()
	n.Quantile = v.memory.quantile(memoryMapping, quantile)
	n.Tail = v.tail(quantile)
	n.Forecast = v.forecast()
	if quantile >= strictQuantile {
		// Whatever was seen must fit; the tail says how much more to expect.
		n.Margin = min(max(n.Tail-n.Highest, leastMargin*n.Highest, leastMarginMB), max(mostMargin*n.Highest, leastMarginMB))
		n.MB = n.Highest + n.Margin + n.Forecast
	} else {
		base := max(n.Quantile, n.Tail)
		n.Margin = max(leastMargin*base, leastMarginMB)
		n.MB = min(base, max(n.Highest, n.Quantile)) + n.Margin + n.Forecast
	}
	if before := v.prior.Need; !v.proven() && before > 0 {
		if v.release.Executions < releaseFresh {
			before *= 1 + releaseMargin
		}
		if before > n.MB {
			n.MB, n.Prior = before, true
		}
	}
	return n
}

// tail extrapolates the quantile from the shape of the tail, as the estimator
// of Weissman does: with k of n values above u, and ξ the mean of ln(x/u) over
// them (Hill), the quantile q is u·(k/n/(1-q))^ξ. A tail that ends soon has a
// small ξ, and spikes a large one.
func (v *Evidence) tail(quantile float64) float64 {
	total := v.memory.bins.TotalCount()
	if total == 0 || v.executions == 0 {
		return 0
	}
	share := max(tailShare, float64(tailLeast)/float64(v.executions))
	if share >= 0.5 {
		share = 0.5
	}
	u := v.memory.quantile(memoryMapping, 1-share)
	above, logs := 0.0, 0.0
	v.memory.each(memoryMapping, func(x, w float64) {
		if x >= u {
			above += w
			logs += w * math.Log(x/u)
		}
	})
	if above == 0 {
		return u
	}
	beyond := above / total / (1 - quantile)
	if beyond <= 1 {
		return v.memory.quantile(memoryMapping, quantile)
	}
	return u * math.Pow(beyond, logs/above)
}

// forecast is what the trend of the last hours adds, in MB.
func (v *Evidence) forecast() float64 {
	perHour, fit := v.peaks.trend()
	if fit < trendFit || perHour*hoursKept < trendGrowth*v.peaks.max() || v.leaks() {
		return 0
	}
	return perHour * forecastHours
}
