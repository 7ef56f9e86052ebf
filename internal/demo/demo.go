package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/present"
	"github.com/hearthd/hearth/internal/project"
)

// Invocations is how often the function is invoked in a row.
const Invocations = 1000

const function = "hello"

// The warming pool is waited for as long as poolWithin; it counts as filled
// when it has not grown for the time settled. A node that is still booting
// environments has no time for a cold start.
const (
	poolWithin = 10 * time.Second
	settled    = 500 * time.Millisecond
)

var errSlowPool = errors.New("the warming pool is not filled yet")

// Run runs the demo and tells out what happens. When it returns, everything is
// cleaned up, and the error is nil if all went well.
func Run(ctx context.Context, out *present.Printer) (err error) {
	dir, err := os.MkdirTemp("", "hearth-demo-")
	if err != nil {
		return err
	}
	defer func() {
		if removed := os.RemoveAll(dir); removed != nil {
			err = errors.Join(err, fmt.Errorf("clean up: %w", removed))
		}
	}()
	d := demo{out: out, dir: dir}
	begin := time.Now()
	node, err := startNode(ctx, dir)
	if err != nil {
		return err
	}
	d.say("node", "ready in %s, at %s", present.Milliseconds(time.Since(begin)), node.url)
	err = d.show(ctx, node)
	begin = time.Now()
	if stopped := node.stop(); stopped != nil {
		return errors.Join(err, stopped)
	}
	if err == nil {
		d.say("clean-up", "the node stopped in %s and its files are removed", present.Milliseconds(time.Since(begin)))
		_ = out.Printf("\nNow yours: sudo hearth serve\n")
	}
	return err
}

type demo struct {
	out *present.Printer
	dir string
	// servedBy is the runtime on the node that runs the function.
	servedBy string
}

// say prints one line of the story.
func (d *demo) say(what, format string, args ...any) {
	_ = d.out.Printf("%s %s\n", d.out.Bold(fmt.Sprintf("%-9s", what)), fmt.Sprintf(format, args...))
}

// show is what happens on the node.
func (d *demo) show(ctx context.Context, n *node) error {
	c, err := client.Open(ctx, client.Options{Endpoint: n.url, CredentialsFile: n.credentials()})
	if err != nil {
		return err
	}
	has, err := c.Runtimes(ctx)
	if err != nil {
		return err
	}
	p, err := example(d.dir, has)
	if err != nil {
		return err
	}
	if err := d.deploy(ctx, c, p, has); err != nil {
		return err
	}
	if err := d.prebooted(ctx, c); err != nil {
		return err
	}
	cold, err := d.invoke(ctx, c, "cold", "")
	if err != nil {
		return err
	}
	if !strings.Contains(cold.Log, "Init Duration: ") {
		return fmt.Errorf("the first invocation was not a cold start:\n%s", cold.Log)
	}
	warm, err := d.invoke(ctx, c, "warm", "")
	if err != nil {
		return err
	}
	if strings.Contains(warm.Log, "Init Duration: ") {
		return fmt.Errorf("the second invocation was a cold start:\n%s", warm.Log)
	}
	if err := d.repeat(ctx, c); err != nil {
		return err
	}
	_ = d.out.Printf("\n%s\n", d.out.Dim("The answer, and the log of the cold start:"))
	_ = d.out.Printf("  %s\n", cold.Payload)
	for line := range strings.Lines(cold.Log) {
		_ = d.out.Printf("  %s\n", strings.TrimSpace(line))
	}
	return d.out.Printf("\n")
}

func (d *demo) deploy(ctx context.Context, c *client.Client, p *project.Project, has *client.Runtimes) error {
	begin := time.Now()
	pkg, err := p.Package(ctx)
	if err != nil {
		return err
	}
	packed := time.Since(begin)
	var names []string
	for _, r := range has.Runtimes {
		names = append(names, r.Name)
	}
	begin = time.Now()
	made, err := c.Deploy(ctx, client.Deployment{
		Name: function, Zip: pkg.Zip, SHA256: pkg.SHA256, Runtime: p.Runtime(names), Handler: p.Handler,
	}, func(string) {})
	if err != nil {
		return err
	}
	f := made.Function
	d.servedBy = has.Identifiers[f.Runtime].ServedBy
	d.say("deploy", "%s: %s, %s, %d MB; packed in %s, deployed in %s", f.Name, f.Runtime, p.Why, f.MemoryMB,
		present.Milliseconds(packed), present.Milliseconds(time.Since(begin)))
	return nil
}

// prebooted waits a little for the warming pool, which a node that was just
// started is still filling.
func (d *demo) prebooted(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeoutCause(ctx, poolWithin, errSlowPool)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	begin := time.Now()
	changed, before := begin, 0
	for {
		pools, err := c.Processes(ctx)
		if err == nil {
			ready, all := map[string]int{}, 0
			for _, i := range pools.Instances {
				for _, e := range i.Environments {
					if e.State == "ready" {
						ready[e.Runtime]++
						all++
					}
				}
			}
			if all != before {
				changed, before = time.Now(), all
			}
			if n := ready[d.servedBy]; n > 0 && time.Since(changed) >= settled {
				d.say("pool", "pre-booted environments of %s: %d, after %s more", d.servedBy, n, present.Milliseconds(time.Since(begin)))
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errSlowPool) {
				d.say("pool", "nothing is pre-booted yet, so the cold start will be a slow one")
				return nil
			}
			return ctx.Err()
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

var initDuration = regexp.MustCompile(`Init Duration: ([0-9.]+ ms)`)

// invoke invokes the function once and checks its answer.
func (d *demo) invoke(ctx context.Context, c *client.Client, what, more string) (*client.Answer, error) {
	answer, err := c.Invoke(ctx, client.Invocation{Function: function, Payload: []byte(`{"name": "` + what + ` start"}`), Log: true})
	if err != nil {
		return nil, fmt.Errorf("invoke: %w", err)
	}
	if err := check(answer, "hello, "+what+" start"); err != nil {
		return nil, err
	}
	if m := initDuration.FindStringSubmatch(answer.Log); m != nil {
		more = ", of which the function's initialisation " + m[1]
	}
	d.say(what, "%s%s", present.Milliseconds(answer.Took), more)
	return answer, nil
}

// repeat invokes the function many times in a row.
func (d *demo) repeat(ctx context.Context, c *client.Client) error {
	took := make([]time.Duration, 0, Invocations)
	begin := time.Now()
	for range Invocations {
		answer, err := c.Invoke(ctx, client.Invocation{Function: function, Payload: []byte(`{"name": "you"}`)})
		if err != nil {
			return fmt.Errorf("invocation %d of %d: %w", len(took)+1, Invocations, err)
		}
		if err := check(answer, "hello, you"); err != nil {
			return fmt.Errorf("invocation %d of %d: %w", len(took)+1, Invocations, err)
		}
		took = append(took, answer.Took)
	}
	total := time.Since(begin)
	slices.Sort(took)
	d.say(present.Count(Invocations)+" times", "p50 %s, p99 %s, longest %s; %s a second, one after the other",
		present.Milliseconds(took[len(took)/2]), present.Milliseconds(took[len(took)*99/100]),
		present.Milliseconds(took[len(took)-1]), present.Count(int64(float64(Invocations)/total.Seconds())))
	return nil
}

// check tells whether an answer is the greeting that was asked for.
func check(a *client.Answer, greeting string) error {
	if a.FunctionError != "" || !strings.Contains(string(a.Payload), `"`+greeting+`"`) {
		return fmt.Errorf("the function answered %s %s\n%s", a.FunctionError, a.Payload, a.Log)
	}
	return nil
}
