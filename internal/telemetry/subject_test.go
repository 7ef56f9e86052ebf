package telemetry

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTokenKeepsNamesThatLambdaAllows(t *testing.T) {
	for _, name := range []string{"hello", "Hello-World_2", "123456789012"} {
		if got := token(name); got != name {
			t.Errorf("token(%q) = %q", name, got)
		}
	}
}

func TestTokenIsOneSubjectTokenAndDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if (token(a) == token(b)) != (a == b) {
			t.Fatalf("%q and %q become %q and %q", a, b, token(a), token(b))
		}
		if token(a) == "" || strings.ContainsAny(token(a), ".*> \t\r\n\x00") {
			t.Fatalf("%q becomes %q", a, token(a))
		}
	})
}
