package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/suite"
)

// language is a family of runtimes with a function that does nothing and the
// interpreter's way to do nothing.
type language struct {
	name, family string
	nothing      []string
	file, code   string
	handler      string
}

var languages = []language{
	{"Python", "python", []string{"-c", "pass"}, "app.py", "def handler(event, context):\n    return {'ok': True}\n", "app.handler"},
	{"Node.js", "nodejs", []string{"-e", "0"}, "index.js", "exports.handler = async () => ({ok: true});\n", "index.handler"},
}

// never is functions of a language that were never run.
type never struct {
	functions            []node.Function
	runtime, interpreter string
}

// deploy creates so many functions of the language.
func (l language) deploy(ctx context.Context, n *node.Node, prefix string, count int) (d never, err error) {
	if d.runtime, d.interpreter, err = n.Interpreter(l.family); err != nil {
		return d, err
	}
	zip, err := node.Zip(map[string][]byte{l.file: []byte(l.code)})
	if err != nil {
		return d, err
	}
	for i := range count {
		d.functions = append(d.functions, node.Function{
			Name: fmt.Sprintf("%s-%s-%d", prefix, l.family, i), Runtime: d.runtime, Handler: l.handler, Memory: 128, Zip: zip,
		})
	}
	return d, n.Deploy(ctx, d.functions...)
}

// next takes one of the functions.
func (d *never) next() (f node.Function) {
	f, d.functions = d.functions[0], d.functions[1:]
	return f
}

// once is an invocation of each function.
func (d *never) once() (list []load.Request) {
	for _, f := range d.functions {
		list = append(list, node.Invocation(f.Name, []byte("{}")))
	}
	return list
}

// coldFloor is how many environments the pool keeps ready for the scenario.
const coldFloor = 4

// cold invokes functions for the first time, with an environment at hand each
// time, in turns with the bare interpreter that does nothing.
func (b *bench) cold(ctx context.Context) (rows []suite.Row, err error) {
	n, err := b.Start(ctx, "cold", node.PoolOf(coldFloor)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	for _, l := range languages {
		r, err := b.coldLanguage(ctx, n, l)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", l.name, err)
		}
		rows = append(rows, r...)
	}
	return rows, nil
}

func (b *bench) coldLanguage(ctx context.Context, n *node.Node, l language) ([]suite.Row, error) {
	each := 40
	if b.Quick {
		each = 5
	}
	d, err := l.deploy(ctx, n, "cold", each*b.rounds)
	if err != nil {
		return nil, err
	}
	var all, bare, ratios []time.Duration // ratios in thousandths
	for range b.rounds {
		var cold, wall []time.Duration
		for range each {
			f := d.next()
			if err := poolFull(ctx, n, d.runtime); err != nil {
				return nil, err
			}
			w, err := wallTime(ctx, d.interpreter, l.nothing...)
			if err != nil {
				return nil, err
			}
			c, err := n.Invoke(f.Name, []byte("{}"))
			if err != nil {
				return nil, err
			}
			cold, wall = append(cold, c), append(wall, w)
			if err := n.Delete(f.Name); err != nil {
				return nil, err
			}
		}
		ratios = append(ratios, 1000*load.Median(cold)/load.Median(wall))
		all, bare = append(all, cold...), append(bare, wall...)
	}
	slices.Sort(all)
	doing := load.Median(bare)
	p99 := load.Percentile(all, .99)
	return []suite.Row{
		suite.AtMost(fmt.Sprintf("cold, %s: p50 to the bare interpreter's start", l.name), float64(load.Median(ratios))/1000, .5, suite.Versus(load.Median(all), doing)),
		suite.AtMost(fmt.Sprintf("cold, %s: p99 to the same (%d samples)", l.name, len(all)), float64(p99)/float64(doing), 2, suite.Versus(p99, doing)),
	}, nil
}

// poolFull waits until the pool has all it keeps of a runtime, and nothing of
// the functions run before is left: nobody boots or cleans up meanwhile.
func poolFull(ctx context.Context, n *node.Node, runtime string) error {
	return n.Until(ctx, "fill its warming pool", func() (bool, error) {
		var ready, used int
		_, err := n.Environments(func(e node.Environment) bool {
			switch {
			case e.State != "ready":
				used++
			case e.Runtime == runtime:
				ready++
			}
			return true
		})
		return ready >= coldFloor && used == 0, err
	})
}

// empty invokes functions for the first time with nothing prepared, in turns
// with what that is made of: a bare container, and the interpreter's start.
func (b *bench) empty(ctx context.Context) (rows []suite.Row, err error) {
	n, err := b.Start(ctx, "empty", node.PoolOf(0)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop()) }()
	bare, err := startBareContainers(ctx, b.tools.bareContainer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	if _, err := bare.once(); err != nil { // the first one reads its program
		return nil, err
	}
	for _, l := range languages {
		r, err := b.emptyLanguage(ctx, n, bare, l)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", l.name, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (b *bench) emptyLanguage(ctx context.Context, n *node.Node, bare *bareContainers, l language) (suite.Row, error) {
	each := 10
	if b.Quick {
		each = 3
	}
	d, err := l.deploy(ctx, n, "empty", each*b.rounds)
	if err != nil {
		return suite.Row{}, err
	}
	var all, parts, ratios []time.Duration
	for range b.rounds {
		var cold, sum []time.Duration
		for range each {
			f := d.next()
			container, err := bare.once()
			if err != nil {
				return suite.Row{}, err
			}
			start, err := wallTime(ctx, d.interpreter, l.nothing...)
			if err != nil {
				return suite.Row{}, err
			}
			c, err := n.Invoke(f.Name, []byte("{}"))
			if err != nil {
				return suite.Row{}, err
			}
			cold, sum = append(cold, c), append(sum, container+start)
			if err := n.Delete(f.Name); err != nil {
				return suite.Row{}, err
			}
			if err := gone(ctx, n); err != nil {
				return suite.Row{}, err
			}
		}
		ratios = append(ratios, 1000*load.Median(cold)/load.Median(sum))
		all, parts = append(all, cold...), append(parts, sum...)
	}
	return suite.AtMost(fmt.Sprintf("cold, %s, empty pool: to container + interpreter", l.name), float64(load.Median(ratios))/1000, 3,
		suite.Versus(load.Median(all), load.Median(parts))), nil
}

// gone waits until no environment is left.
func gone(ctx context.Context, n *node.Node) error {
	return n.Until(ctx, "end its environments", func() (bool, error) {
		left, err := n.Environments(func(node.Environment) bool { return true })
		return left == 0, err
	})
}
