package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Both eaters take as many MB as the event says, at once, and answer with the
// memory they were told they have and how many invocations they saw.
const pythonEater = `
import os
count = 0
def handler(event, context):
    global count
    count += 1
    held = [bytearray(1 << 20) for _ in range(event.get("eat", 0))]
    return [os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], context.memory_limit_in_mb, count, len(held)]
`

const nodeEater = `
let count = 0;
exports.handler = async (event, context) => {
  count++;
  const held = [];
  for (let n = 0; n < (event.eat || 0); n++) held.push(Buffer.alloc(1 << 20, 1));
  return [process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE, context.memoryLimitInMB, count, held.length];
};
`

func eaterOf(t testing.TB, runtime types.Runtime, s spec) spec {
	s.Runtime, s.Timeout = runtime, 60
	if runtime == types.RuntimePython312 {
		s.Handler, s.Code = "main.handler", python(t, pythonEater)
	} else {
		s.Handler, s.Code = "index.handler", files(t, "index.js", nodeEater)
	}
	return s
}

// meal is an invocation with what its headers say.
type meal struct {
	told  [2]string
	count int
	error string // errorType and errorMessage
	log   string
	http.Header
}

// eat invokes an eater; memory is the amount that the request brings, 0 for none.
func (f *function) eat(t testing.TB, mb, memory int) meal {
	t.Helper()
	out, err := f.lambda.Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: &f.name, Payload: fmt.Appendf(nil, `{"eat": %d}`, mb), LogType: types.LogTypeTail,
	}, bringing(memory))
	if err != nil {
		t.Fatalf("invoke %s: %v", f.name, err)
	}
	m := meal{Header: middleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response).Header}
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil {
		t.Fatal(err)
	}
	m.log = string(log)
	if out.FunctionError != nil {
		var failed failure
		decode(t, out.Payload, &failed)
		m.error = failed.Type + ": " + failed.Message
		return m
	}
	var answer [4]json.RawMessage
	decode(t, out.Payload, &answer)
	decode(t, answer[0], &m.told[0])
	decode(t, answer[1], &m.told[1])
	decode(t, answer[2], &m.count)
	return m
}

// bringing has a request bring an amount.
func bringing(memory int) func(*lambda.Options) {
	return func(o *lambda.Options) {
		if memory != 0 {
			o.APIOptions = append(o.APIOptions, smithyhttp.AddHeaderValue("X-Hearth-Memory-Size", strconv.Itoa(memory)))
		}
	}
}

// effective is the memory that the execution had in the end.
func (m meal) effective(t testing.TB) int {
	t.Helper()
	n, err := strconv.Atoi(m.Get("X-Hearth-Effective-Memory"))
	if err != nil {
		t.Errorf("no effective memory: %v", m.Header)
	}
	return n
}

var eaterRuntimes = []types.Runtime{types.RuntimePython312, types.RuntimeNodejs20x}

// A request may bring its own amount: the same environment gets it in place, and
// what the owner set stays.
func TestRequestBringsItsAmount(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for _, runtime := range eaterRuntimes {
		t.Run(string(runtime), func(t *testing.T) {
			t.Parallel()
			f := u.create(t, eaterOf(t, runtime, spec{Name: "brings-" + strings.ReplaceAll(string(runtime), ".", ""), Memory: 512}))
			for n, c := range []struct{ brings, has int }{{0, 512}, {320, 320}, {320, 320}, {0, 512}} {
				m := f.eat(t, 1, c.brings)
				want := strconv.Itoa(c.has)
				if m.told != [2]string{want, want} || m.count != n+1 || m.effective(t) != c.has {
					t.Errorf("bringing %d: %+v", c.brings, m)
				}
				if !strings.Contains(m.log, "\tMemory Size: "+want+" MB\t") {
					t.Errorf("log %q", m.log)
				}
			}
			_, err := u.lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &f.name}, bringing(513))
			var refused *types.InvalidParameterValueException
			if !errors.As(err, &refused) {
				t.Errorf("more than the owner allows: %v", err)
			}
			out, err := u.lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &f.name})
			if err != nil {
				t.Fatal(err)
			}
			header := middleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response).Header
			if *out.MemorySize != 512 || header.Get("X-Hearth-Effective-Memory") != "512" {
				t.Errorf("MemorySize %d, header %v", *out.MemorySize, header)
			}
		})
	}
}

// A function that needs half as much again as it has, all at once, gets it
// while it runs where its owner said "apply", and goes on in the same
// environment; with "off" it ends as in Lambda.
func TestGrowthInPlace(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for _, runtime := range eaterRuntimes {
		t.Run(string(runtime), func(t *testing.T) {
			t.Parallel()
			name := strings.ReplaceAll(string(runtime), ".", "")
			grows := u.create(t, eaterOf(t, runtime, spec{Name: "grows-" + name, Memory: 160, Tags: map[string]string{"hearth:sizing": "apply"}}))
			ends := u.create(t, eaterOf(t, runtime, spec{Name: "ends-" + name, Memory: 160, Tags: map[string]string{"hearth:sizing": "off"}}))
			grows.eat(t, 1, 0)
			m := grows.eat(t, 240, 0)
			if m.error != "" || m.count != 2 || m.effective(t) <= 240 || m.effective(t) > 320 {
				t.Errorf("apply: %+v", m)
			}
			if !strings.Contains(m.log, "\tMemory Size: "+m.Get("X-Hearth-Effective-Memory")+" MB\t") {
				t.Errorf("log %q", m.log)
			}
			ends.eat(t, 1, 0)
			m = ends.eat(t, 240, 0)
			if !strings.HasPrefix(m.error, "Runtime.OutOfMemory: ") || !strings.HasSuffix(m.error, "Runtime exited with error: signal: killed") || m.effective(t) != 160 {
				t.Errorf("off: %+v", m)
			}
		})
	}
}

// What ran out of memory is run once more with more of it, where the owner
// allows that; the caller sees one answer.
func TestRetryOutOfMemory(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, eaterOf(t, types.RuntimePython312, spec{Name: "again", Memory: 128, Tags: map[string]string{"hearth:sizing": "off", "hearth:retry-on-oom": "true"}}))
	m := f.eat(t, 180, 0)
	if m.error != "" || m.effective(t) != 256 || m.count != 1 {
		t.Errorf("%+v", m)
	}
}

// A function that has too little learns what it should have, with the answer
// and in the log.
func TestSuggestedMemory(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, eaterOf(t, types.RuntimePython312, spec{Name: "short", Memory: 128}))
	var m meal
	for range 20 {
		if m = f.eat(t, 180, 0); m.Get("X-Hearth-Suggested-Memory") != "" {
			break
		}
	}
	suggested, err := strconv.Atoi(m.Get("X-Hearth-Suggested-Memory"))
	if err != nil || suggested <= 128 || m.effective(t) != 128 {
		t.Fatalf("%+v", m)
	}
	if want := fmt.Sprintf("Memory Size: 128 MB Suggested Memory Size: %d MB", suggested); !strings.Contains(m.log, want) {
		t.Errorf("the log lacks %q: %s", want, m.log)
	}
	out, err := u.lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &f.name})
	if err != nil || aws.ToInt32(out.MemorySize) != 128 {
		t.Errorf("%+v, %v", out, err)
	}
}
