package lambdaapi

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/lambdaapi/model"
)

// parseReference reads every name as the API's own pattern groups it.
func TestReferencesAreReadAsThePatternSays(t *testing.T) {
	var pattern *regexp.Regexp
	for _, m := range model.Lambda().Operation("GetFunction").Input.Members {
		if m.Name == "FunctionName" {
			pattern = regexp.MustCompile("^(?:" + m.Shape.Pattern + ")$")
		}
	}
	// (arn:(aws..)?:lambda:)?(region:)?(account:)?(function:)?(name)(:(qualifier))?
	const regionGroup = 3
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{
			"arn:aws:lambda", "arn:aws-cn:lambda", "us-east-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "us-isobc-east-1", "us-goo-east-1", "u-east-1", "us-east-12", "us--1",
			"123456789012", "12345678901", "1234567890123", "function", "f", "f-1_A", "live", "$LATEST", "function-1", "us.east", "",
		}), 1, 7).Draw(t, "parts")
		s := strings.Join(parts, ":")
		groups := pattern.FindStringSubmatch(s)
		if groups == nil {
			parseReference(s) // must not panic
			return
		}
		n := len(groups)
		want := reference{
			region:    strings.TrimSuffix(groups[regionGroup], ":"),
			name:      groups[n-4],
			qualifier: groups[n-2],
		}
		want.account = accountOf(groups[n-6])
		if got := parseReference(s); got != want {
			t.Errorf("%s: %+v, want %+v (%q)", s, got, want, groups)
		}
	})
}

func accountOf(group string) account.ID { return account.ID(strings.TrimSuffix(group, ":")) }

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"f", "f:live", "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST", ":::::::", "arn:", "123456789012:f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref := parseReference(s)
		if strings.Contains(ref.name, ":") {
			t.Errorf("%q: name %q", s, ref.name)
		}
		if ref.account != "" && !isAccount(string(ref.account)) {
			t.Errorf("%q: account %q", s, ref.account)
		}
	})
}
