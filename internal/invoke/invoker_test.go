package invoke

import (
	"strings"
	"testing"
)

func TestInvokeRunsAFunctionColdAndWarm(t *testing.T) {
	h := newHouse(t, nil)
	h.create("hello", python(), "lambda_function.py", `
count = 0
def handler(event, context):
    global count
    count += 1
    print("saw", event["name"])
    return {"hello": event["name"], "count": count}
`)
	first := h.invoke("hello", `{"name":"world"}`)
	if got := string(first.Payload); got != `{"hello": "world", "count": 1}` || first.FunctionError != "" || !first.Cold {
		t.Errorf("first = %s %q cold=%t\n%s", got, first.FunctionError, first.Cold, first.Tail)
	}
	second := h.invoke("hello", `{"name":"again"}`)
	if got := string(second.Payload); got != `{"hello": "again", "count": 2}` || second.Cold {
		t.Errorf("second = %s cold=%t", got, second.Cold)
	}
	for _, want := range []string{"START RequestId: ", "saw again\n", "END RequestId: ", "REPORT RequestId: ", "Memory Size: 128 MB\tMax Memory Used: "} {
		if !strings.Contains(string(second.Tail), want) {
			t.Errorf("tail lacks %q:\n%s", want, second.Tail)
		}
	}
	if strings.Contains(string(second.Tail), "Init Duration") || !strings.Contains(string(first.Tail), "Init Duration") {
		t.Errorf("Init Duration belongs to the cold start alone:\n%s\n%s", first.Tail, second.Tail)
	}
}
