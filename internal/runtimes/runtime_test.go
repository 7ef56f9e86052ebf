package runtimes

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func setOf(strict bool, names ...string) *Set {
	s := &Set{strict: strict, runtimes: []Runtime{{Name: "provided", Family: Provided}}}
	for _, name := range names {
		family, _, _ := parseIdentifier(name)
		s.runtimes = append(s.runtimes, Runtime{Name: name, Family: family})
	}
	sortRuntimes(s.runtimes)
	return s
}

func TestFor(t *testing.T) {
	all := []string{"python3.8", "python3.11", "python3.13", "nodejs20.x"}
	tests := []struct {
		identifier string
		want       string
		exact      bool
	}{
		{"python3.11", "python3.11", true},
		{"python3.9", "python3.8", false},
		{"python3.12", "python3.13", false}, // of two equally near ones the newer
		{"python3.14", "python3.13", false},
		{"nodejs20.x", "nodejs20.x", true},
		{"nodejs16.x", "nodejs20.x", false},
		{"nodejs24.x", "nodejs20.x", false},
		{"provided", "provided", true},
		{"provided.al2", "provided", true},
		{"provided.al2023", "provided", true},
	}
	for _, test := range tests {
		rt, exact, err := setOf(false, all...).For(test.identifier)
		if err != nil || rt.Name != test.want || exact != test.exact {
			t.Errorf("%s: got %s, %v, %v; want %s, %v", test.identifier, rt.Name, exact, err, test.want, test.exact)
		}
		_, _, err = setOf(true, all...).For(test.identifier)
		if (err == nil) != test.exact {
			t.Errorf("%s, strictly: %v", test.identifier, err)
		}
	}
}

func TestForSaysWhatIsThere(t *testing.T) {
	set := setOf(false, "python3.11")
	for identifier, reason := range map[string]string{
		"java21":     "is not one that Hearth runs",
		"dotnet8":    "is not one that Hearth runs",
		"ruby3.4":    "is not one that Hearth runs",
		"go1.x":      "is not one that Hearth runs",
		"python2.7":  "is not one that Hearth runs",
		"python3.7":  "is older than python3.8",
		"nodejs14.x": "is older than nodejs16.x",
		"nodejs20.x": "needs an interpreter that was not found",
		"":           "is not one that Hearth runs",
	} {
		_, _, err := set.For(identifier)
		var e *NotServedError
		if !errors.As(err, &e) || e.Identifier != identifier || !strings.Contains(e.Error(), reason) || !strings.HasSuffix(e.Error(), "this node has python3.11, provided") {
			t.Errorf("%q: %v, want %q", identifier, err, reason)
		}
	}
}

func TestServedListsWhatForAnswers(t *testing.T) {
	var got []string
	for _, s := range setOf(false, "python3.11", "python3.13").Served() {
		got = append(got, fmt.Sprintf("%s=%s", s.Identifier, s.Runtime.Name))
	}
	want := "python3.8=python3.11 python3.9=python3.11 python3.10=python3.11 python3.11=python3.11 python3.12=python3.13 python3.13=python3.13 python3.14=python3.13 provided=provided provided.al2=provided provided.al2023=provided"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// For never answers with a runtime when another of the family is nearer.
func TestForIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.SliceOfNDistinct(rapid.IntRange(8, 30), 1, 8, rapid.ID).Draw(t, "versions")
		var names []string
		for _, v := range versions {
			names = append(names, fmt.Sprintf("python3.%d", v))
		}
		want := rapid.IntRange(8, 30).Draw(t, "want")
		rt, exact, err := setOf(false, names...).For(fmt.Sprintf("python3.%d", want))
		if err != nil {
			t.Fatal(err)
		}
		got := ordinal(rt)
		if exact != (got == want) {
			t.Fatalf("got %s for 3.%d, exact %v", rt.Name, want, exact)
		}
		for _, v := range versions {
			if distance(v, want) < distance(got, want) || distance(v, want) == distance(got, want) && v > got {
				t.Fatalf("got 3.%d for 3.%d, 3.%d is nearer", got, want, v)
			}
		}
	})
}

func TestCompareVersions(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"3.11.7", "3.11.10", -1}, {"3.11", "3.11.0", 0}, {"20.1.0", "9.9.9", 1}, {"3.13.0rc1", "3.13.0", 0}} {
		if got := compareVersions(test.a, test.b); got != test.want {
			t.Errorf("%s and %s: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
