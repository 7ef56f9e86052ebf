package model_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/lambdaapi/model"
)

// Every operation is found by its own path, with and without a slash at the
// end, and its parameters come out as they went in.
func TestEveryOperationIsFound(t *testing.T) {
	m := model.Lambda()
	const arn = "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/a/b %2F"
	for _, op := range m.Operations {
		path := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllStringFunc(op.Path, func(string) string { return url.PathEscape(arn) })
		for _, suffix := range []string{"", "/"} {
			match, miss := m.Match(op.Method, path+suffix, op.Query)
			if miss != model.Found || match.Operation != op {
				t.Errorf("%s %s?%s: found %v", op.Method, path+suffix, op.Query, match.Operation)
				continue
			}
			for i := range strings.Count(op.Path, "{") {
				if got, ok := match.Param(i); !ok || got != arn {
					t.Errorf("%s: parameter %d is %q", op.Name, i, got)
				}
			}
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		method, path, query, want string
		miss                      model.Miss
	}{
		{"GET", "/2015-03-31/functions", "", "ListFunctions", model.Found},
		{"GET", "/2015-03-31/functions/", "MaxItems=3", "ListFunctions", model.Found},
		{"POST", "/2015-03-31/functions/", "", "CreateFunction", model.Found},
		{"GET", "/2015-03-31/functions//configuration", "", "GetFunctionConfiguration", model.Found},
		{"GET", "/2019-09-30/functions/f/provisioned-concurrency", "Qualifier=1", "GetProvisionedConcurrencyConfig", model.Found},
		{"GET", "/2019-09-30/functions/f/provisioned-concurrency", "MaxItems=1&List=ALL", "ListProvisionedConcurrencyConfigs", model.Found},
		{"GET", "/2019-09-30/functions/f/provisioned-concurrency", "List=ALLOWED", "GetProvisionedConcurrencyConfig", model.Found},
		{"GET", "/2018-10-31/layers", "find=LayerVersion&Arn=x", "GetLayerVersionByArn", model.Found},
		{"GET", "/2018-10-31/layers", "", "ListLayers", model.Found},
		{"PATCH", "/2015-03-31/functions/f", "", "", model.NoMethod},
		{"GET", "/2015-03-31/dysfunctions", "", "", model.NoPath},
		{"GET", "/2015-03-31", "", "", model.NoPath},
		{"GET", "/", "", "", model.NoPath},
		{"GET", "", "", "", model.NoPath},
		{"GET", "*", "", "", model.NoPath},
		{"GET", "/2015-03-31/functions/f/aliases/a/b", "", "", model.NoPath},
		{"GET", "/2015-03-31/functions/f%2Faliases", "", "GetFunction", model.Found},
	} {
		match, miss := model.Lambda().Match(c.method, c.path, c.query)
		name := ""
		if match.Operation != nil {
			name = match.Operation.Name
		}
		if name != c.want || miss != c.miss {
			t.Errorf("%s %s?%s: %q, %d, want %q, %d", c.method, c.path, c.query, name, miss, c.want, c.miss)
		}
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	m := model.Lambda()
	if n := testing.AllocsPerRun(100, func() {
		match, _ := m.Match("POST", "/2015-03-31/functions/hello/invocations", "")
		if name, _ := match.Param(0); name != "hello" {
			t.Error(name)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever the path, the router does not panic, and what it finds fits the
// pattern of the operation.
func FuzzMatch(f *testing.F) {
	for _, op := range model.Lambda().Operations {
		f.Add(op.Method, op.Path, op.Query)
	}
	f.Add("GET", "/2015-03-31/functions/%zz", "")
	f.Add("POST", "//2015-03-31//functions///", "&&=")
	placeholder := regexp.MustCompile(`\\\{[^}]+\\\}`)
	f.Fuzz(func(t *testing.T, method, path, query string) {
		match, miss := model.Lambda().Match(method, path, query)
		if (miss == model.Found) != (match.Operation != nil) {
			t.Fatalf("miss %d with operation %v", miss, match.Operation)
		}
		if miss != model.Found {
			return
		}
		pattern := "^" + placeholder.ReplaceAllString(regexp.QuoteMeta(match.Operation.Path), "[^/]*") + "/?$"
		if !regexp.MustCompile("(?s)"+pattern).MatchString(path) || method != match.Operation.Method {
			t.Errorf("%s %q is not %s", method, path, match.Operation.Name)
		}
		for i := range strings.Count(match.Operation.Path, "{") {
			match.Param(i)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	m := model.Lambda()
	b.ReportAllocs()
	for b.Loop() {
		m.Match("POST", "/2015-03-31/functions/hello/invocations", "")
	}
}
