package rollout

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseStrategy(t *testing.T) {
	linear := []Step{}
	for p := 10.0; p < 100; p += 10 {
		linear = append(linear, Step{p, 60})
	}
	linear = append(linear, Step{Percent: 100})
	for name, want := range map[string][]Step{
		"canary10percent5minutes":                              {{10, 300}, {Percent: 100}},
		"CodeDeployDefault.LambdaCanary10Percent15Minutes":     {{10, 900}, {Percent: 100}},
		"LambdaLinear10PercentEvery1Minute":                    linear,
		"linear-10-percent-every-1-minutes":                    linear,
		"linear40percentevery30seconds":                        {{40, 30}, {80, 30}, {Percent: 100}},
		"canary1percent2hours":                                 {{1, 7200}, {Percent: 100}},
		"all-at-once":                                          {{Percent: 100}},
		"CodeDeployDefault.LambdaAllAtOnce":                    {{Percent: 100}},
		"canary0percent5minutes":                               nil,
		"canary100percent5minutes":                             nil,
		"linear0percentevery1minute":                           nil,
		"linear99999999999999999999999percentevery1minute":     nil,
		"canary10percent99999999999999999999999999999999hours": nil,
		"canary10": nil,
		"":         nil,
	} {
		got, err := ParseStrategy(name)
		if err == nil {
			got, err = complete(got)
		}
		if (err == nil) != (want != nil) {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
	}
	for _, name := range Strategies {
		if _, err := ParseStrategy(name); err != nil {
			t.Error(err)
		}
	}
}

func TestParseSteps(t *testing.T) {
	for text, want := range map[string][]Step{
		"1%:30s,10%:1m,50%:5m": {{1, 30}, {10, 60}, {50, 300}, {Percent: 100}},
		" 0.5 : 1h , 100%:10m": {{0.5, 3600}, {100, 600}},
		"0%:1m,100%":           {{0, 60}, {Percent: 100}},
		"100%":                 {{Percent: 100}},
		"":                     nil,
		"10%":                  nil,
		"10%:soon":             nil,
		"10%:-1s":              nil,
		"NaN:1s":               nil,
		"50%:1s,10%:1s":        nil,
		"10%:1s,10%:1s":        nil,
		"101%:1s":              nil,
	} {
		got, err := ParseSteps(text)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestParseGuards(t *testing.T) {
	all := DefaultGuards()
	for text, want := range map[string][]Guard{
		"":                        all,
		"none":                    {},
		"none errors=0.1%":        {{Metric: Errors, Margin: 0.001}},
		"none p99=3x":             {{Metric: P99, Ratio: 3, Margin: 0.02}},
		"none p50=1.2x+5%":        {{Metric: P50, Ratio: 1.2, Margin: 0.05}},
		"errors=off memory=off":   all[1:4],
		"timeouts=2% none p99=2x": {all[3]},
		"mood=1%":                 nil,
		"errors=2x":               nil,
		"errors=2":                nil,
		"p99=2%":                  nil,
		"p99=0.5x":                nil,
		"errors=120%":             nil,
		"errors":                  nil,
	} {
		got, err := ParseGuards(strings.Fields(text))
		if want == nil {
			if err == nil {
				t.Errorf("%q is taken as %v", text, got)
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
}
