package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthd/hearth/test/testnode"
)

// eatUntil invokes the eater until something has happened meanwhile.
func (f *function) eatUntil(t testing.TB, what string, done func(meal) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitWithin)
	defer cancel()
	for !done(f.eat(t, 1, 0)) {
		if ctx.Err() != nil {
			t.Fatal("in vain: " + what)
		}
	}
}

// A function that asked for much more than it needs gets less, step by step, and
// its owner is told: by a webhook, and then by a function of the account. What
// the API shows as the owner's setting stays.
func TestSizingAppliesAndTells(t *testing.T) {
	t.Parallel()
	node := testnode.Start(t, testnode.Options{Args: []string{"--sizing-window", "0s", "--sizing-private-webhooks"}})
	u := tenantOf(t, node)
	told := make(chan map[string]any, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event map[string]any
		if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
			t.Error(err)
		}
		told <- event
	}))
	t.Cleanup(hook.Close)
	f := u.create(t, eaterOf(t, types.RuntimePython312, spec{Name: "sized", Memory: 1024, Tags: map[string]string{
		"hearth:sizing": "apply", "hearth:sizing-goal": "speed", "hearth:sizing-threshold": "10", "hearth:sizing-notify": hook.URL,
	}}))
	f.eatUntil(t, "it gets what it needs", func(m meal) bool { return m.effective(t) < 256 && m.told[0] == m.Get("X-Hearth-Effective-Memory") })
	select {
	case event := <-told:
		if event["type"] != "adjustment" || event["function"] != "sized" || event["account"] != u.account || event["fromMB"] != 1024.0 || event["toMB"] != 512.0 {
			t.Errorf("told %v", event)
		}
	case <-time.After(waitWithin):
		t.Fatal("the webhook was not called")
	}
	out, err := u.lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &f.name})
	if err != nil || aws.ToInt32(out.MemorySize) != 1024 {
		t.Errorf("MemorySize %+v, %v", out, err)
	}
	hearth := func(args ...string) string {
		t.Helper()
		out, err := node.Hearth(t.Context(), u.key, args...)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if out := hearth("sizing", "sized"); !strings.Contains(out, "with the CPU of 1,024 MB") || !strings.Contains(out, "too-much") {
		t.Errorf("hearth sizing prints\n%s", out)
	}
	if out := hearth("sizing", "explain", "sized"); !strings.Contains(out, "effective") {
		t.Errorf("hearth sizing explain prints\n%s", out)
	}

	u.create(t, spec{Name: "alarm", Handler: "main.handler", Code: python(t, "import json\ndef handler(event, context):\n    print(json.dumps(event))\n")})
	if _, err := u.lambda.TagResource(t.Context(), &lambda.TagResourceInput{Resource: &f.arn, Tags: map[string]string{"hearth:sizing-notify": "alarm"}}); err != nil {
		t.Fatal(err)
	}
	hearth("sizing", "reset", "sized")
	f.eatUntil(t, "a function is told", func(meal) bool {
		log, err := node.Hearth(t.Context(), u.key, "logs", "alarm")
		return err == nil && strings.Contains(string(log), `"type": "adjustment"`)
	})
}
