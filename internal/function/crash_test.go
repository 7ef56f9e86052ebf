package function

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/state"
)

// The life of one function in the crash test, a step at a time. What is in the
// catalog after a crash must be the state after the last step that was
// acknowledged, or after the one under way.
var crashSteps = []struct {
	name string
	do   func(context.Context, *Catalog, Key) error
	// holds tells whether v (nil: no such function) is what the step leaves.
	holds func(v *View) bool
}{
	{"create with a version", func(ctx context.Context, c *Catalog, k Key) error {
		_, err := c.Create(ctx, k, CreateInput{Config: config(), Package: pkg("a"), Publish: true})
		return err
	}, func(v *View) bool { return v != nil && v.Status.State == Pending && len(v.Versions) == 1 }},
	{"complete", func(ctx context.Context, c *Catalog, k Key) error {
		v, _ := c.Lookup(k)
		_, err := c.CompleteUpdate(ctx, k, v.Wanted.ID)
		return err
	}, func(v *View) bool {
		return v != nil && v.Status == settled() && v.Wanted.CodeSHA256 == "sha-of-a" && len(v.Versions) == 1
	}},
	{"update with a version", func(ctx context.Context, c *Catalog, k Key) error {
		_, err := c.UpdateCode(ctx, k, UpdateCodeInput{Package: pkg("b"), Publish: true})
		return err
	}, func(v *View) bool {
		return v != nil && v.Status.Update == InProgress && v.Serving.CodeSHA256 == "sha-of-a" && v.Versions["2"] != nil
	}},
	{"complete the update", func(ctx context.Context, c *Catalog, k Key) error {
		v, _ := c.Lookup(k)
		_, err := c.CompleteUpdate(ctx, k, v.Wanted.ID)
		return err
	}, func(v *View) bool {
		return v != nil && v.Status == settled() && len(v.Versions) == 2 && v.Versions["2"].Status == settled()
	}},
	{"delete a version", func(ctx context.Context, c *Catalog, k Key) error {
		return c.Delete(ctx, k, "1")
	}, func(v *View) bool {
		return v != nil && len(v.Versions) == 1 && v.Versions["2"] != nil && v.Versions["2"].CodeSHA256 == "sha-of-b"
	}},
	{"delete", func(ctx context.Context, c *Catalog, k Key) error {
		return c.Delete(ctx, k, "")
	}, func(v *View) bool { return v == nil }},
}

const crashEnv = "HEARTH_CRASH_STATE"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashEnv); dir != "" {
		crashChild(dir)
		return
	}
	os.Exit(m.Run())
}

// crashChild leads function after function through its life, a few at a time,
// and reports every acknowledged step on standard output until it is killed.
func crashChild(dir string) {
	ctx := context.Background()
	c, err := openForCrash(ctx, dir)
	if err != nil {
		panic(err)
	}
	base := os.Getpid()
	for w := range 4 {
		go func() {
			for i := w; ; i += 4 {
				name := fmt.Sprintf("f-%d-%d", base, i)
				for n, s := range crashSteps {
					if err := s.do(ctx, c, key(name)); err != nil {
						panic(fmt.Sprintf("%s: %s: %v", name, s.name, err))
					}
					// One write each, so that lines don't mix.
					if _, err := fmt.Fprintf(os.Stdout, "%s %d\n", name, n+1); err != nil {
						return
					}
				}
			}
		}()
	}
	select {}
}

func openForCrash(ctx context.Context, dir string) (*Catalog, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	st, err := state.Open(ctx, state.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return Open(ctx, st, Options{Region: "eu-central-1", Log: log})
}

func TestNothingAcknowledgedIsLostByKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]int{} // function, steps done
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		killNode(t, dir, acked)
		t.Run("after the crash", func(t *testing.T) { checkAfterCrash(t, dir, acked) })
	}
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged")
	}
}

// killNode runs a node on dir, kills it at a random moment, and notes what it
// acknowledged until then.
func killNode(t *testing.T, dir string, acked map[string]int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+dir)
	out := must(cmd.StdoutPipe())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 50 + rand.IntN(150); lines.Scan(); n-- {
		if n == 0 { // and go on reading: what was written before the kill counts
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		var name string
		var done int
		if _, err := fmt.Sscanf(lines.Text(), "%s %d", &name, &done); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		acked[name] = done
	}
	_ = cmd.Wait() // it was killed
	if stderr.Len() > 0 {
		t.Fatalf("the node complained: %s", stderr.String())
	}
}

func checkAfterCrash(t *testing.T, dir string, acked map[string]int) {
	st := openState(t, dir)
	c := openCatalog(t, st, Options{})
	for name, done := range acked {
		v, _ := c.Lookup(key(name))
		after := crashSteps[done-1].holds(v)
		next := done < len(crashSteps) && crashSteps[done].holds(v)
		if !after && !next {
			t.Fatalf("%s was acknowledged as after %q, and is %+v", name, crashSteps[done-1].name, v)
		}
		// Every step is one entry of the history: with it, or not at all.
		if v == nil {
			continue
		}
		if !after {
			done++
		}
		if history := must(c.History(t.Context(), v.Key)); len(history) != done {
			t.Fatalf("%s is as after %q, and its history is %+v", name, crashSteps[done-1].name, history)
		}
	}
	for v := range c.All() {
		if len(v.Versions) != len(v.refs) {
			t.Fatalf("%s lists %d versions, and has %d", v.Name, len(v.refs), len(v.Versions))
		}
	}
	// What the crash left is found and removed once it is old enough.
	openCatalog(t, st, Options{Now: func() time.Time { return time.Now().Add(2 * strayAge) }})
	if swept := openCatalog(t, st, Options{}); len(swept.bodies) != 0 {
		t.Fatalf("%d strays are left", len(swept.bodies))
	}
}
