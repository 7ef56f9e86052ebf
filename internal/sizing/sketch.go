package sizing

import (
	"fmt"
	"math"

	enc "github.com/DataDog/sketches-go/ddsketch/encoding"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

const (
	// memoryAccuracy is how far, relatively, a quantile of memory may be from
	// the truth. With memoryBins bins the largest values span a factor of 45;
	// what is smaller falls together.
	memoryAccuracy, memoryBins = 0.015, 128
	// The same for durations: a factor of 46.
	durationAccuracy, durationBins = 0.04, 48
	// maxWeight is when the weights of a decaying sketch are scaled down.
	maxWeight = 1 << 20
)

var (
	memoryMapping   = mustMapping(memoryAccuracy)
	durationMapping = mustMapping(durationAccuracy)
)

func mustMapping(accuracy float64) mapping.IndexMapping {
	m, err := mapping.NewCubicallyInterpolatedMapping(accuracy)
	if err != nil {
		panic(err) // a constant
	}
	return m
}

// sketch is a DDSketch of positive values whose weights decay: the store and
// the mapping of the library, without its bookkeeping, which would take as many
// bytes as the values of a function that is seldom called.
//
// Decay is forward: a value that comes later is added with a larger weight,
// 2^(time/half-life), so that nothing that is there needs to be touched.
type sketch struct {
	bins store.CollapsingLowestDenseStore
}

func newSketch(bins int) sketch { return sketch{bins: *store.NewCollapsingLowestDenseStore(bins)} }

func (s *sketch) add(m mapping.IndexMapping, value, weight float64) {
	if value < m.MinIndexableValue() || value > m.MaxIndexableValue() {
		return // 0, or nothing that was measured
	}
	s.bins.AddWithCount(m.Index(value), weight)
}

// quantile returns 0 for an empty sketch.
func (s *sketch) quantile(m mapping.IndexMapping, q float64) float64 {
	if s.bins.IsEmpty() {
		return 0
	}
	return m.Value(s.bins.KeyAtRank(q * s.bins.TotalCount()))
}

// each calls f for the bins, smallest values first.
func (s *sketch) each(m mapping.IndexMapping, f func(value, weight float64)) {
	if s.bins.IsEmpty() {
		return
	}
	s.bins.ForEach(func(i int, weight float64) bool {
		if weight > 0 {
			f(m.Value(i), weight)
		}
		return false
	})
}

func (s *sketch) scale(factor float64) {
	if !s.bins.IsEmpty() {
		_ = s.bins.Reweight(factor) // fails for factors of 0 and below only
	}
}

func (s *sketch) merge(other *sketch) { s.bins.MergeWith(&other.bins.DenseStore) }

// encode is in the library's format; decode adds to what is there.
func (s *sketch) encode() []byte {
	var b []byte
	s.bins.Encode(&b, enc.FlagTypePositiveStore)
	return b
}

func (s *sketch) decode(b []byte) error {
	for len(b) > 0 {
		flag, err := enc.DecodeFlag(&b)
		if err != nil {
			return fmt.Errorf("sketch: %w", err)
		}
		if flag.Type() != enc.FlagTypePositiveStore {
			return fmt.Errorf("sketch: unexpected flag %v", flag)
		}
		if err := s.bins.DecodeAndMergeWith(&b, flag.SubFlag()); err != nil {
			return fmt.Errorf("sketch: %w", err)
		}
	}
	return nil
}

// decayed is the weight of something at a time, in half-lives since the origin.
func decayed(halfLives float64) float64 { return math.Exp2(halfLives) }
