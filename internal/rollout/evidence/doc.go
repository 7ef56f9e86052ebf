// Package evidence decides, while observations come in, whether a new version
// does worse than the old one, without being fooled by looking all the time.
//
//	t := evidence.NewTest(0.01)                  // tolerated: one percentage point more
//	t.Old(failed, share); t.New(failed, share)   // as invocations end
//	if t.Evidence() >= 1/alpha { … }             // at any time, as often as you like
//
// # The test
//
// Each observation is a hit (it failed, it was slower than a threshold) or not.
// The null hypothesis is that the new version is at most tolerably worse: a
// request that it answers is a hit with a probability of at most that of the
// old version at that time, plus a margin. Rates may change with time and load,
// as long as they do for both.
//
// A [Test] is a bet against that hypothesis: it begins with a wealth of 1 and
// stakes a part of it on every observation, at odds that are fair or worse if
// the hypothesis is true. The wealth is then a supermartingale that is never
// negative (a "test martingale", an e-process), and by Ville's inequality the
// probability that it ever reaches 1/alpha is at most alpha: however often one
// looks, whenever one stops, and whatever one does in between. That is what
// repeated significance tests do not give: looking at a 1% test every second
// finds a "significant" difference sooner or later.
//
// # The odds
//
// Observations are settled in batches of m of the new version and k of the old
// one, closed by their numbers and never by their outcomes. With q the estimate,
// from earlier batches, of the old version's rate plus the margin δ, and a stake
// λ chosen before the outcomes are looked at, the wealth is multiplied by
//
//	1 + λ(y − q)            for each outcome y (1 a hit, 0 not) of the new version
//	1 − (mλ/k)(y + δ − q)   for each outcome y of the old one
//
// If the new version's rate is exactly the old one's plus δ, with x its distance
// from q, the expectation is (1+λx)^m (1−mλx/k)^k ≤ exp(mλx − mλx) = 1, and it
// is smaller if the new version is better. Nothing is assumed of q: a bad
// estimate makes the bet a poor one, not an unfair one. Rates that differ from
// request to request make it smaller still (geometric means are at most
// arithmetic ones).
//
// The best λ depends on how bad the new version is. The wealth is therefore
// divided among stakes from cautious to bold ([stakes]) that play each on their
// own; their mean is the evidence. A mean of supermartingales is one. The old
// version's observations bound the stake: the more of them there are for each of
// the new one's, the bolder a bet may be; a canary that gets 1% of the requests
// is found out after a handful of failures.
//
// # Without an old version beside it
//
// After the traffic has moved there is nothing to compare with any more. A
// [Bake] bets with the new version's outcomes alone against a limit that is
// fixed before: an upper confidence bound ([Upper]) of the old version's rate
// until then, plus the margin. It can't tell the new version from the time of
// the day.
//
// References: A. Ramdas, P. Grünwald, V. Vovk, G. Shafer, "Game-theoretic
// statistics and safe anytime-valid inference", Statistical Science 38 (2023);
// R. Turner, A. Ly, P. Grünwald, "Generic E-variables for exact sequential
// k-sample tests that allow for optional stopping" (2022); I. Waudby-Smith,
// A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024).
package evidence
