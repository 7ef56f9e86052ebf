package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestWorkloadIsMixed(t *testing.T) {
	families, shapes := map[string]int{}, map[string]int{}
	names := map[string]bool{}
	for _, e := range workload {
		families[e.family()]++
		shapes[e.shape.name]++
		if names[e.name()] || e.asked < 512 || e.asked > 3008 {
			t.Errorf("%+v: a name that is taken, or an amount that nobody sets", e)
		}
		names[e.name()] = true
		if files, err := e.files(); err != nil || len(files) == 0 {
			t.Errorf("%s: %v", e.file, err)
		}
	}
	if len(workload) < 30 || len(families) != 2 || len(shapes) != 5 {
		t.Errorf("%d functions, %v, %v", len(workload), families, shapes)
	}
	for _, dir := range []string{"python", "nodejs"} {
		files, err := sources.ReadDir("workload/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		unused := len(files) - families[dir]
		if dir == "nodejs" {
			unused-- // random.js
		}
		if unused != 0 {
			t.Errorf("%d files of %s are in no entry", unused, dir)
		}
	}
}

// TestWorkloadWorks runs every function once with an input of its usual size,
// a process for each language, without a platform.
func TestWorkloadWorks(t *testing.T) {
	type run struct {
		Module  string
		Handler string
		Event   map[string]int
	}
	for _, l := range []struct{ family, interpreter, flag, script string }{
		{"python", "python3", "-c", `
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
for run in json.loads(sys.argv[2]):
    answer = importlib.import_module(run["Module"]).handler(run["Event"], None)
    print(run["Module"], json.dumps(answer))
`},
		{"nodejs", "node", "-e", `
(async () => {
  for (const run of JSON.parse(process.argv[2])) {
    const answer = await require(process.argv[1] + '/' + run.Module).handler(run.Event, {awsRequestId: 'test-' + process.pid});
    console.log(run.Module, JSON.stringify(answer));
  }
})();
`},
	} {
		t.Run(l.family, func(t *testing.T) {
			interpreter, err := exec.LookPath(l.interpreter)
			if err != nil {
				t.Skip(err)
			}
			dir, err := filepath.Abs("workload/" + l.family)
			if err != nil {
				t.Fatal(err)
			}
			var runs []run
			for _, e := range workload {
				if e.family() == l.family {
					file := filepath.Base(e.file)
					runs = append(runs, run{file[:len(file)-len(filepath.Ext(file))], "handler", map[string]int{"seed": 1, "size": int(e.usual)}})
				}
			}
			list, err := json.Marshal(runs)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), interpreter, l.flag, l.script, dir, string(list))
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestASeedDecidesTheArrivals(t *testing.T) {
	first := arrivals(1, 20, time.Minute)
	if !reflect.DeepEqual(first, arrivals(1, 20, time.Minute)) {
		t.Error("the same seed gives another sequence")
	}
	if reflect.DeepEqual(first, arrivals(2, 20, time.Minute)) {
		t.Error("another seed gives the same sequence")
	}
	if n := len(first); n < 2*20*60*8/10 || n > 2*20*60*12/10 {
		t.Errorf("%d requests", n)
	}
	of := map[int]map[string][twins]int{} // how often each function's twins got each input
	for i, a := range first {
		if i > 0 && a.at < first[i-1].at {
			t.Fatalf("arrival %d is due before the one before it", i)
		}
		if of[a.function] == nil {
			of[a.function] = map[string][twins]int{}
		}
		n := of[a.function][string(a.payload)]
		n[a.twin]++
		of[a.function][string(a.payload)] = n
	}
	if len(of) != len(workload) {
		t.Errorf("%d functions of %d were asked", len(of), len(workload))
	}
	for f, inputs := range of {
		for input, n := range inputs {
			if n[off] != n[apply] {
				t.Errorf("%s got %s %d and %d times", workload[f].name(), input, n[off], n[apply])
			}
		}
	}
}

func TestParseReport(t *testing.T) {
	parse := func(line string) (execution, error) {
		return parseReport(base64.StdEncoding.EncodeToString([]byte("START RequestId: a Version: $LATEST\nhello\nEND RequestId: a\n" + line + "\n")))
	}
	x, err := parse("REPORT RequestId: a\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 256 MB\tMax Memory Used: 40 MB\tInit Duration: 5.00 ms\t")
	if want := (execution{duration: 12340 * time.Microsecond, init: 5 * time.Millisecond, amount: 256, maximum: 40}); err != nil || x != want {
		t.Errorf("%+v, %v", x, err)
	}
	x, err = parse("REPORT RequestId: a\tDuration: 2.00 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory")
	if err != nil || x.amount != 128 || x.init != 0 {
		t.Errorf("%+v, %v", x, err)
	}
	if _, err := parse("no report"); err == nil {
		t.Error("a log without a report is accepted")
	}
	x.fail(`{"errorType":"Runtime.OutOfMemory"}`)
	if !x.memory {
		t.Error("out of memory is not for want of memory")
	}
}

func TestRowsAndPlot(t *testing.T) {
	r := result{lost: 1}
	for twin := range twins {
		r.executions[twin] = make([][]execution, len(workload))
		for f, e := range workload {
			amount := e.asked
			if twin == apply {
				amount /= 4
			}
			for i := range 100 {
				r.executions[twin][f] = append(r.executions[twin][f], execution{duration: time.Duration(i) * time.Millisecond, amount: amount, maximum: 50})
			}
		}
	}
	r.executions[apply][3][7].fail("MemoryError")
	for i := range 30 {
		r.samples = append(r.samples, sample{at: time.Duration(i) * sampleEvery, allocated: [twins]float64{40, 10}, used: [twins]float64{2, 2}})
	}
	b := &bench{each: true, threshold: 15}
	rows := b.rows(r)
	if len(rows) < len(workload)+11 {
		t.Errorf("%d rows", len(rows))
	}
	met := 0
	for _, row := range rows {
		if row.Target != "" && row.Met {
			met++
		}
	}
	if met != 4 { // 75% saved by both counts, one of 4,000 failed, the same durations
		t.Errorf("%d targets met: %+v", met, rows[:9])
	}
	path := filepath.Join(t.TempDir(), "plot.png")
	if err := r.draw(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() < 1000 {
		t.Errorf("the plot: %v, %v", info, err)
	}
}
