package model

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/lambdaapi/model/facts"
)

func patterns(t testing.TB) map[string]string {
	t.Helper()
	var f facts.Facts
	if err := json.Unmarshal(lambdaJSON, &f); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for name, s := range f.Shapes {
		if s.Pattern != "" {
			all[s.Pattern] = name
		}
	}
	return all
}

// Every pattern of the API compiles, and only those are written anew that RE2
// does not know.
func TestEveryPatternCompiles(t *testing.T) {
	all := patterns(t)
	if len(all) < 50 {
		t.Fatalf("%d patterns only", len(all))
	}
	for pattern, shape := range all {
		if _, err := compile(pattern); err != nil {
			t.Errorf("%s: %v", shape, err)
		}
		_, err := regexp.Compile(pattern)
		if _, ours := rewritten[pattern]; ours == (err == nil) {
			t.Errorf("%s: rewritten %v, compiles by itself: %v", shape, ours, err)
		}
	}
	for pattern := range rewritten {
		if all[pattern] == "" {
			t.Errorf("%s is rewritten, and not in the model", pattern)
		}
	}
}

func TestRewrittenPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, []string{"live", "1a", "a1", "-", "_", "1-2"}, []string{"", "1", "123", "a b", "ä"}},
		{`((?!^\d+$)^[0-9a-zA-Z-_]+$)`, []string{"live", "1a"}, []string{"", "42", "a:b"}},
		{`[0-9A-Za-z\.\-_]*(?<!\.)`, []string{"", "bucket", "a.b", ".a"}, []string{".", "bucket.", "a b", "a.."}},
		{`(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)`, []string{"c", "_x y", "system", "systemx", "sys\n"}, []string{"", "system.users", "system.", "system.\nx", "$a", "a$b", "-a"}},
		{`[^\s]+`, []string{"main.handler"}, []string{"", "a b", "a\vb", "a\nb"}},
		{`.*`, []string{"", "a b"}, []string{"a\nb", "a\rb", "a\u0085b", "a\u2028b", "a\u2029"}},
		{`[\s\S]*`, []string{"", "a\nb\v\u2028"}, nil},
		{`$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)`,
			[]string{"", "kafka://topic", "arn:aws:sqs:us-east-1:123456789012:q"}, []string{"q", "\n", "kafka://", "xarn:aws:sqs:us-east-1:123456789012:q"}},
	} {
		match, err := compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.yes {
			if !match(s) {
				t.Errorf("%s does not match %q", c.pattern, s)
			}
		}
		for _, s := range c.no {
			if match(s) {
				t.Errorf("%s matches %q", c.pattern, s)
			}
		}
	}
}

// The rewritten patterns mean what their look-around says, for any string.
func TestRewrittenPatternsMeanTheSame(t *testing.T) {
	oracle := map[string]func(string) bool{
		`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`: func(s string) bool {
			return s != "" && strings.Trim(s, letters+"-_") == "" && strings.Trim(s, "0123456789") != ""
		},
		`((?!^\d+$)^[0-9a-zA-Z-_]+$)`: func(s string) bool {
			return s != "" && strings.Trim(s, letters+"-_") == "" && strings.Trim(s, "0123456789") != ""
		},
		`[0-9A-Za-z\.\-_]*(?<!\.)`: func(s string) bool {
			return strings.Trim(s, letters+".-_") == "" && !strings.HasSuffix(s, ".")
		},
		`(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)`: func(s string) bool {
			return s != "" && strings.ContainsAny(s[:1], letters+"_") && !strings.Contains(s, "$") && !strings.HasPrefix(s, "system.")
		},
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.RuneFrom([]rune("019aZ-_.$ \nü"))).Draw(t, "s")
		if rapid.Bool().Draw(t, "system") {
			s = "system" + s
		}
		for pattern, want := range oracle {
			match, err := compile(pattern)
			if err != nil {
				t.Fatal(err)
			}
			if match(s) != want(s) {
				t.Errorf("%s matches %q: %v", pattern, s, match(s))
			}
		}
	})
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
