package telemetry

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAllowanceGivesABurstThenNothingForAWhile(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	var a allowance
	const line = 1024 - lineCost
	taken := 0
	for a.take(line, now) {
		taken++
	}
	if taken != LineBurst/1024 {
		t.Errorf("%d lines of 1 KB at once, want %d", taken, LineBurst/1024)
	}
	quarter := LineBurst / 4 * time.Second / LineRate
	early := a
	if early.take(line, now.Add(quarter-time.Millisecond)) {
		t.Error("gave something before a quarter of the burst was there")
	}
	if !a.take(line, now.Add(quarter)) {
		t.Error("gave nothing when a quarter of the burst was there")
	}
}

func TestAllowanceNeverGivesMoreThanRateAndBurst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin := time.Unix(1_700_000_000, 0)
		now, given := begin, int64(0)
		var a allowance
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(-int64(time.Millisecond), int64(time.Second)).Draw(t, "passed")))
			if n := rapid.IntRange(0, MaxEvent).Draw(t, "line"); a.take(n, now) {
				given += int64(n + lineCost)
			}
			if most := LineBurst + int64(a.at.Sub(begin)*LineRate/time.Second) + 1; given > most {
				t.Fatalf("%d bytes in %s", given, a.at.Sub(begin))
			}
		}
	})
}
