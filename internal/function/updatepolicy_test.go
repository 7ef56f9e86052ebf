package function

import (
	"testing"
	"time"
)

func TestUpdatePolicy(t *testing.T) {
	for _, c := range []struct {
		in   string
		want UpdatePolicy
		ok   bool
	}{
		{"strict", Strict, true},
		{"serve-previous", ServePrevious, true},
		{"serve-previous;max-staleness=5", UpdatePolicy{5 * time.Second}, true},
		{" serve-previous ; max-staleness=0 ", Strict, true},
		{"serve-previous;max-staleness=-1", Strict, false},
		{"serve-previous;max-staleness=1.5", Strict, false},
		{"serve-previous;max-staleness=99999999999", Strict, false},
		{"serve-previous;", Strict, false},
		{"strict;max-staleness=5", Strict, false},
		{"Strict", Strict, false},
		{"", Strict, false},
	} {
		got, err := ParseUpdatePolicy(c.in)
		if (err == nil) != c.ok || got != c.want || err != nil && !IsKind(err, InvalidParameter) {
			t.Errorf("%q is %v, %v", c.in, got, err)
		}
	}
}

func TestUpdatePolicyByTags(t *testing.T) {
	five, two := UpdatePolicy{5 * time.Second}, UpdatePolicy{2 * time.Second}
	for _, c := range []struct {
		name         string
		tags         map[string]string
		latest, live UpdatePolicy
	}{
		{"nothing set", nil, ServePrevious, ServePrevious},
		{"the function's", map[string]string{"hearth:update-policy": "strict"}, Strict, Strict},
		{"an alias's goes before", map[string]string{"hearth:update-policy": "strict", "hearth:update-policy:live": "serve-previous"}, Strict, ServePrevious},
		{"a bound for all", map[string]string{"hearth:max-staleness": "5"}, five, five},
		{"a bound for an alias", map[string]string{"hearth:max-staleness": "5", "hearth:max-staleness:live": "2"}, five, two},
		{"a bound within the policy", map[string]string{"hearth:update-policy:live": "serve-previous;max-staleness=2", "hearth:max-staleness": "5"}, five, two},
		{"strict has no bound", map[string]string{"hearth:update-policy": "strict", "hearth:max-staleness": "5"}, Strict, Strict},
	} {
		v := &View{Tags: c.tags}
		if got := v.UpdatePolicy(""); got != c.latest {
			t.Errorf("%s: %v, want %v", c.name, got, c.latest)
		}
		if got := v.UpdatePolicy("live"); got != c.live {
			t.Errorf("%s: the alias's is %v, want %v", c.name, got, c.live)
		}
	}
}

func TestUpdateTagsAreChecked(t *testing.T) {
	c := newCatalog(t)
	k := active(t, c, "f").Key
	for tag, value := range map[string]string{
		"hearth:update-policy": "sometimes", "hearth:update-policy:live": "", "hearth:max-staleness": "soon",
		"hearth:max-staleness:live": "-1", "hearth:update-trigger": "never",
	} {
		_, err := c.Tag(t.Context(), k, map[string]string{tag: value})
		refused(t, err, InvalidParameter, "Tag "+tag)
	}
	v := must(c.Tag(t.Context(), k, map[string]string{"hearth:update-trigger": "request", "hearth:update-policy": "strict"}))
	if v.Trigger() != OnRequest || v.UpdatePolicy("live") != Strict {
		t.Errorf("trigger %s, policy %v", v.Trigger(), v.UpdatePolicy("live"))
	}
}
