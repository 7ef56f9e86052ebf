package client

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSimilar(t *testing.T) {
	all := []string{"hello", "hello-world", "Help", "orders-api", "orders-worker", "x"}
	for name, want := range map[string][]string{
		"hello":  {"hello", "hello-world"},
		"helo":   {"Help", "hello"},
		"order":  {"orders-api", "orders-worker"},
		"ORDERS": {"orders-api", "orders-worker"},
		"y":      {"x"},
		"zzzzzz": nil,
	} {
		if diff := cmp.Diff(want, similar(name, all)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	for _, test := range []struct {
		all  []string
		want string
	}{
		{nil, ""},
		{[]string{"abc"}, ". Did you mean abc?"},
		{[]string{"abc", "abd"}, ". Did you mean abc or abd?"},
		{[]string{"abe", "abd", "abc", "abf"}, ". Did you mean abc, abd or abe?"},
	} {
		if got := didYouMean("abx", test.all); got != test.want {
			t.Errorf("%v: %q, want %q", test.all, got, test.want)
		}
	}
}

func TestDistanceIsAMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[ab]{0,6}`)
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		if (distance(a, b) == 0) != (a == b) || distance(a, b) != distance(b, a) || distance(a, c) > distance(a, b)+distance(b, c) {
			t.Fatalf("%q %q %q: %d %d %d", a, b, c, distance(a, b), distance(b, c), distance(a, c))
		}
	})
}
