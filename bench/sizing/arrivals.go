package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
)

// The twins of every function.
const (
	off = iota
	apply
	twins
)

var suffix = [twins]string{off: "-off", apply: "-apply"}

// apart is how much later the second twin gets what the first one got: enough
// that they mostly don't compete, too little for the machine to have changed.
const apart = 120 * time.Millisecond

// arrival is one request of the replay.
type arrival struct {
	at       time.Duration
	function int // in the workload
	twin     int
	payload  []byte
}

// arrivals is the sequence that a seed decides: for every function a Poisson
// process of its own, so that one more function changes no other's.
func arrivals(seed uint64, rate float64, length time.Duration) (all []arrival) {
	total := 0.
	for _, e := range workload {
		total += e.weight
	}
	for f, e := range workload {
		rng := rand.New(rand.NewPCG(seed, uint64(f)))
		mean := float64(time.Second) / (rate * e.weight / total)
		for at := rng.ExpFloat64() * mean; at < float64(length); at += rng.ExpFloat64() * mean {
			size := int(e.shape.size(rng, e.usual, at/float64(length)))
			payload := fmt.Appendf(nil, `{"seed":%d,"size":%d}`, rng.Uint32()>>1, size)
			first := rng.IntN(twins)
			for i := range twins {
				all = append(all, arrival{at: time.Duration(at) + time.Duration(i)*apart, function: f, twin: (first + i) % twins, payload: payload})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	return all
}

// request asks for the log's tail as well, where the REPORT line is.
func (a arrival) request() load.Request {
	r := node.Invocation(workload[a.function].name()+suffix[a.twin], a.payload)
	r.Headers = map[string]string{"x-amz-log-type": "Tail"}
	return r
}
