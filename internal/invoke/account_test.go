package invoke

import (
	"testing"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/usage"
)

func (h *house) used(function string) usage.Row {
	h.t.Helper()
	rows, err := h.usage.Read(h.t.Context(), usage.Query{Account: testAccount, Function: function})
	if err != nil {
		h.t.Fatal(err)
	}
	switch len(rows) {
	case 0:
		return usage.Row{}
	case 1:
		return rows[0]
	}
	h.t.Fatalf("usage of %s: %+v", function, rows)
	return usage.Row{}
}

// Every answer counts once, with its errors and amounts, before the caller has it.
func TestEveryAnswerCountsOnce(t *testing.T) {
	h := newHouse(t, nil)
	h.createEater("f", 512, map[string]string{"hearth:sizing-max": "1024"})
	h.create("broken", python(), "lambda_function.py", "raise ValueError('no')\n")
	dry := &Request{Account: testAccount, Name: "f", RequestID: uuid.NewString(), DryRun: true}
	if _, err := h.invoker.Invoke(t.Context(), dry); err != nil {
		t.Fatal(err)
	}
	if u := h.used("f"); u.Sums != (usage.Sums{}) {
		t.Errorf("a dry run counts: %+v", u)
	}

	// What was used is measured after the answer; the count is there before.
	resp, err := h.invoker.Invoke(t.Context(), &Request{Account: testAccount, Name: "f", RequestID: uuid.NewString(), Payload: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	if u := h.used("f"); u.Invocations != 1 || u.Errors != 0 || u.BilledMS < 1 || u.Asked != 512*u.BilledMS || u.Allocated != u.Asked || u.Used != 0 {
		t.Errorf("at the answer: %+v", u)
	}
	resp.Finish()
	one := h.used("f")
	if one.Invocations != 1 || one.Used <= 0 || one.Used > 1024*one.Allocated {
		t.Errorf("after it: %+v", one)
	}

	// An amount of the request's own, and an error of the function's.
	if _, err := h.invokeWith("f", `"no object"`, "1024"); err != nil {
		t.Fatal(err)
	}
	two := h.used("f")
	ms := two.BilledMS - one.BilledMS
	if two.Invocations != 2 || two.Errors != 1 || two.Asked-one.Asked != 512*ms || two.Allocated-one.Allocated != 1024*ms {
		t.Errorf("with an amount of its own: %+v after %+v", two, one)
	}

	h.invoke("broken", "{}")
	if u := h.used("broken"); u.Invocations != 1 || u.Errors != 1 || u.Asked != 128*u.BilledMS || u.Allocated != u.Asked {
		t.Errorf("a failed initialisation: %+v", u)
	}
}

// An execution that is repeated with more memory costs; the invocation counts once.
func TestARepeatedExecutionIsOneInvocation(t *testing.T) {
	h := newHouse(t, nil)
	h.createEater("f", 128, map[string]string{TagRetryOnOOM: "true", "hearth:sizing-max": "512"})
	if resp := h.invoke("f", `{"eat": 180}`); resp.FunctionError != "" {
		t.Fatalf("it was not repeated: %s", resp.Payload)
	}
	if u := h.used("f"); u.Invocations != 1 || u.Errors != 0 || u.BilledMS < 2 || u.Asked != 128*u.BilledMS || u.Allocated <= u.Asked {
		t.Errorf("%+v", u)
	}
}
