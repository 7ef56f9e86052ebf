package demo

import (
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/project"
)

func runtimes(families ...string) *client.Runtimes {
	r := &client.Runtimes{}
	for _, f := range families {
		r.Runtimes = append(r.Runtimes, client.Runtime{Name: f, Family: f})
	}
	return r
}

func TestExampleSuitsTheMachine(t *testing.T) {
	for name, test := range map[string]struct {
		has     *client.Runtimes
		noGo    bool
		want    project.Language
		handler string
	}{
		"Python first":          {has: runtimes("nodejs", "provided", "python"), want: project.Python, handler: "app.handler"},
		"else what is compiled": {has: runtimes("nodejs", "provided"), want: project.Go, handler: "bootstrap"},
		"else Node.js":          {has: runtimes("nodejs", "provided"), noGo: true, want: project.NodeJS, handler: "index.handler"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.noGo {
				t.Setenv("PATH", t.TempDir())
			}
			p, err := example(t.TempDir(), test.has)
			if err != nil {
				t.Fatal(err)
			}
			if p.Language != test.want || p.Handler != test.handler {
				t.Errorf("%s with %s, want %s with %s", p.Language, p.Handler, test.want, test.handler)
			}
			if pkg, err := p.Package(t.Context()); err != nil || len(pkg.Zip) == 0 {
				t.Errorf("it cannot be packed: %v", err)
			}
		})
	}
	t.Run("else nothing", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := example(t.TempDir(), runtimes("provided")); err == nil || !strings.Contains(err.Error(), "install one of them") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCheckWantsTheGreeting(t *testing.T) {
	for _, test := range []struct {
		answer client.Answer
		good   bool
	}{
		{client.Answer{Payload: []byte(`{"message": "hello, you"}`)}, true},
		{client.Answer{Payload: []byte(`{"message": "hello, they"}`)}, false},
		{client.Answer{Payload: []byte(`{"message": "hello, you"}`), FunctionError: "Unhandled"}, false},
	} {
		if err := check(&test.answer, "hello, you"); (err == nil) != test.good {
			t.Errorf("%s %s: %v", test.answer.Payload, test.answer.FunctionError, err)
		}
	}
}
