package telemetry

import (
	"bufio"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
)

// scrape returns the values of the metrics named hearth_..., by their name and labels.
func scrape(t *testing.T, m *Metrics) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	got := map[string]string{}
	for s := bufio.NewScanner(w.Body); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), " "); ok && strings.HasPrefix(name, "hearth_") {
			got[name] = value
		}
	}
	return got
}

func TestMetricsCountInvocations(t *testing.T) {
	m := NewMetrics()
	f := m.Function(&function.Revision{Key: hello})
	f.Invoked(&Report{Duration: 20 * time.Millisecond, Init: 100 * time.Millisecond}, false)
	f.Invoked(&Report{Duration: 3 * time.Second, Status: StatusTimeout}, true)
	f.Throttled()
	m.ColdStart(ColdPrebooted)
	m.Booted("python3.11", 30*time.Millisecond, nil)
	m.Booted("python3.11", 0, errors.New("no"))
	m.Observe(func() Census {
		return Census{Environments: map[string]int{"idle": 3}, Instances: map[string]int{"active": 1}, MemoryMB: 1024, ReservedMB: 384, Functions: 7}
	})
	got := scrape(t, m)
	const labels = `{account="123456789012",function="hello"}`
	for name, want := range map[string]string{
		"hearth_invocations_total" + labels:                        "2",
		"hearth_errors_total" + labels:                             "1",
		"hearth_timeouts_total" + labels:                           "1",
		"hearth_throttles_total" + labels:                          "1",
		"hearth_duration_seconds_count" + labels:                   "2",
		"hearth_init_duration_seconds_count":                       "1",
		`hearth_cold_starts_total{kind="prebooted"}`:               "1",
		`hearth_boots_total{result="ok",runtime="python3.11"}`:     "1",
		`hearth_boots_total{result="failed",runtime="python3.11"}`: "1",
		`hearth_environments{state="idle"}`:                        "3",
		`hearth_instances{pool="active"}`:                          "1",
		"hearth_memory_bytes":                                      "1.073741824e+09",
		"hearth_memory_reserved_bytes":                             "4.02653184e+08",
		"hearth_functions":                                         "7",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %s", name, got[name], want)
		}
	}
}

func TestMetricsAreBounded(t *testing.T) {
	m := NewMetrics()
	for i := range MaxFunctions + 100 {
		rev := &function.Revision{Key: function.Key{Account: account.ID("123456789012"), Name: fmt.Sprint("f", i)}}
		m.Function(rev).Invoked(&Report{}, false)
	}
	got := scrape(t, m)
	series := 0
	for name := range got {
		if strings.HasPrefix(name, "hearth_invocations_total") {
			series++
		}
	}
	if series != MaxFunctions+1 {
		t.Errorf("%d series, want %d", series, MaxFunctions+1)
	}
	if others := got[`hearth_invocations_total{account="",function="other"}`]; others != "100" {
		t.Errorf("%s invocations of other functions, want 100", others)
	}
}

func TestResolvedMetricsAllocateNothing(t *testing.T) {
	m := NewMetrics()
	rev := &function.Revision{Key: hello}
	r := Report{Duration: time.Millisecond}
	m.Function(rev)
	if n := testing.AllocsPerRun(100, func() { m.Function(rev).Invoked(&r, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
