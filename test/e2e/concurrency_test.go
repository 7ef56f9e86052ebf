package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// sleeper stays busy for as long as the event says, long enough for all of a
// crowd to arrive meanwhile.
const sleeper = `
import time
def handler(event, context):
    time.sleep(event["seconds"])
    return context.aws_request_id
`

// Reserved concurrency is a ceiling: what comes above it is throttled with
// the reason that AWS gives, and zero stops a function.
func TestReservedConcurrency(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "reserved", Handler: "main.handler", Code: python(t, sleeper), Timeout: 30})
	if _, err := u.lambda.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: &f.name, ReservedConcurrentExecutions: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	got, err := u.lambda.GetFunctionConcurrency(t.Context(), &lambda.GetFunctionConcurrencyInput{FunctionName: &f.name})
	if err != nil {
		t.Fatal(err)
	}
	if *got.ReservedConcurrentExecutions != 2 {
		t.Errorf("reserved %d", *got.ReservedConcurrentExecutions)
	}
	ok, throttled := f.crowd(t, 6, map[string]float64{"seconds": 2})
	if ok != 2 || throttled != 4 {
		t.Errorf("of 6 at once, %d ran and %d were throttled: want 2 and 4", ok, throttled)
	}

	if _, err := u.lambda.PutFunctionConcurrency(t.Context(), &lambda.PutFunctionConcurrencyInput{FunctionName: &f.name, ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	if ok, throttled := f.crowd(t, 2, map[string]float64{"seconds": 0}); ok != 0 || throttled != 2 {
		t.Errorf("with nothing reserved, %d ran and %d were throttled", ok, throttled)
	}
	if _, err := u.lambda.DeleteFunctionConcurrency(t.Context(), &lambda.DeleteFunctionConcurrencyInput{FunctionName: &f.name}); err != nil {
		t.Fatal(err)
	}
	if ok, throttled := f.crowd(t, 4, map[string]float64{"seconds": 0.5}); ok != 4 {
		t.Errorf("without a reservation, %d of 4 ran and %d were throttled", ok, throttled)
	}
}

// crowd invokes the function n times at once and counts what ran and what was
// throttled; anything else fails the test.
func (f *function) crowd(t testing.TB, n int, event any) (ok, throttled int) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	ids := map[string]bool{}
	for range n {
		wg.Go(func() {
			o, err := f.try(context.WithoutCancel(t.Context()), event)
			mu.Lock()
			defer mu.Unlock()
			var tooMany *types.TooManyRequestsException
			switch {
			case err == nil && o.FunctionError == "":
				ok++
				if ids[string(o.Payload)] {
					t.Errorf("request id %s was given twice", o.Payload)
				}
				ids[string(o.Payload)] = true
			case errors.As(err, &tooMany):
				throttled++
				var response *awshttp.ResponseError
				if tooMany.Reason != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded && tooMany.Reason != types.ThrottleReasonConcurrentInvocationLimitExceeded {
					t.Errorf("throttled with the reason %q", tooMany.Reason)
				}
				if !errors.As(err, &response) || response.HTTPStatusCode() != http.StatusTooManyRequests {
					t.Errorf("throttled with status %d", response.HTTPStatusCode())
				}
			default:
				t.Errorf("%v %s %s", err, o.FunctionError, o.Payload)
			}
		})
	}
	wg.Wait()
	return ok, throttled
}

// The account's own limit binds what has no reservation.
func TestAccountConcurrency(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	if err := u.node.LimitAccount(t.Context(), u.account, 2); err != nil {
		t.Fatal(err)
	}
	f := u.create(t, spec{Name: "bound", Handler: "main.handler", Code: python(t, sleeper), Timeout: 30})
	if ok, throttled := f.crowd(t, 5, map[string]float64{"seconds": 2}); ok != 2 || throttled != 3 {
		t.Errorf("of 5 at once, %d ran and %d were throttled: want 2 and 3", ok, throttled)
	}
}

// Many different functions at once, each cold: all answer.
func TestBurstOfColdFunctions(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	const n = 24
	functions := make([]*function, n)
	for i := range functions {
		functions[i] = u.create(t, spec{Name: fmt.Sprintf("burst-%d", i), Timeout: 30})
	}
	var wg sync.WaitGroup
	for i, f := range functions {
		wg.Go(func() {
			o, err := f.try(context.WithoutCancel(t.Context()), i)
			if err != nil || o.FunctionError != "" || string(o.Payload) != fmt.Sprint(i) {
				t.Errorf("%s: %v %s %s", f.name, err, o.FunctionError, o.Payload)
			}
		})
	}
	wg.Wait()
}

// An invocation during an update is answered by the old code or the new, and
// by nothing else; after the update, by the new.
func TestUpdatesUnderLoad(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	code := func(n int) []byte {
		return python(t, fmt.Sprintf("def handler(event, context):\n    return %d\n", n))
	}
	f := u.create(t, spec{Name: "busy", Handler: "main.handler", Code: code(0)})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			last := 0
			for ctx.Err() == nil {
				o, err := f.try(context.WithoutCancel(ctx), nil)
				if err != nil || o.FunctionError != "" {
					t.Errorf("during updates: %v %s %s", err, o.FunctionError, o.Payload)
					return
				}
				var n int
				decode(t, o.Payload, &n)
				if n < last-1 {
					t.Errorf("code %d answered after code %d", n, last)
				}
				last = max(last, n)
			}
		})
	}
	const updates = 5
	for i := 1; i <= updates; i++ {
		if _, err := u.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &f.name, ZipFile: code(i)}); err != nil {
			t.Error(err)
			break
		}
		u.waitUpdated(t, f.name)
		var n int
		f.answer(t, nil, &n)
		if n != i {
			t.Errorf("after the update to %d, %d answers", i, n)
		}
	}
	stop()
	wg.Wait()
}

// A busy function whose new code does not start goes on with the old one, and
// says why; a later update mends it.
func TestAFailedUpdateChangesNothing(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "careful", Handler: "main.handler", Code: answers(t, "old")})
	f.invoke(t, nil) // there is an environment to be replaced
	if _, err := u.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &f.name, ZipFile: python(t, "raise RuntimeError('will not start')\n")}); err != nil {
		t.Fatal(err)
	}
	var status *lambda.GetFunctionConfigurationOutput
	u.eventually(t, "the update is over", func() bool {
		var err error
		if status, err = u.lambda.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &f.name}); err != nil {
			t.Fatal(err)
		}
		return status.LastUpdateStatus != types.LastUpdateStatusInProgress
	})
	if status.LastUpdateStatus != types.LastUpdateStatusFailed || !strings.Contains(aws.ToString(status.LastUpdateStatusReason), "RuntimeError") {
		t.Errorf("last update %s: %s", status.LastUpdateStatus, aws.ToString(status.LastUpdateStatusReason))
	}
	var got []string
	f.answer(t, nil, &got)
	if got[0] != "old" {
		t.Errorf("%v answers", got)
	}
	if _, err := u.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &f.name, ZipFile: answers(t, "new")}); err != nil {
		t.Fatal(err)
	}
	u.waitUpdated(t, f.name)
	f.answer(t, nil, &got)
	if got[0] != "new" {
		t.Errorf("%v answers", got)
	}
}
