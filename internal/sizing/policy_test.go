package sizing

import (
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

func TestPolicyOfTags(t *testing.T) {
	for name, test := range map[string]struct {
		tags  map[string]string
		asked function.MemoryMB
		want  Policy
	}{
		"nothing said": {nil, 1024, Policy{Asked: 1024, Min: 128, Max: 2048, Quantile: DefaultQuantile, Threshold: DefaultThreshold}},
		"a small function may grow": {map[string]string{TagMode: "apply"}, 128,
			Policy{Mode: Apply, Asked: 128, Min: 128, Max: 512, Quantile: DefaultQuantile, Threshold: DefaultThreshold}},
		"a large one has a limit": {map[string]string{TagMode: "off"}, 10_240,
			Policy{Mode: Off, Asked: 10_240, Min: 128, Max: 10_240, Quantile: DefaultQuantile, Threshold: DefaultThreshold}},
		"everything said": {map[string]string{
			TagMode: "apply", TagMin: "256", TagMax: "700", TagGoal: "p95<200ms", TagQuantile: "0.99", TagThreshold: "50",
			TagProbe: "0.02", TagNotify: "https://example.com/x", "team": "orders"}, 512,
			Policy{Mode: Apply, Asked: 512, Min: 256, Max: 700, Goal: Goal{Latency, 0.95, 200 * time.Millisecond},
				Quantile: 0.99, Threshold: 50, Probe: 0.02, Notify: "https://example.com/x"}},
		"a value that was never valid is none": {map[string]string{TagMode: "sometimes", TagQuantile: "NaN"}, 1024,
			Policy{Asked: 1024, Min: 128, Max: 2048, Quantile: DefaultQuantile, Threshold: DefaultThreshold}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := PolicyOf(test.tags, test.asked); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestCheckTagsRefusesWhatSizingDoesNotUnderstand(t *testing.T) {
	for _, good := range []map[string]string{
		nil, {"sizing": "x"}, {TagMode: "off", TagGoal: "p99.9<1.5s"}, {TagProbe: "off"}, {TagNotify: "alarm:live"}, {TagMin: "128", TagMax: "128"},
	} {
		if err := CheckTags(good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range []map[string]string{
		{TagMode: "on"}, {TagMin: "64"}, {TagMax: "20000"}, {TagMin: "512", TagMax: "256"}, {TagGoal: "fast"}, {TagGoal: "p95<1h"},
		{TagGoal: "p100<1s"}, {TagQuantile: "1"}, {TagQuantile: "NaN"}, {TagThreshold: "1"}, {TagProbe: "0.5"}, {TagProbe: "-0.1"}, {TagNotify: "ftp://x/"},
		{TagNotify: "no spaces"}, {"hearth:sizing-mode": "apply"},
	} {
		err := CheckTags(bad)
		if !function.IsKind(err, function.InvalidParameter) || !strings.Contains(err.Error(), "hearth:sizing") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
