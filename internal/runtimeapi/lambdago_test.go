package runtimeapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/hearthd/hearth/internal/runtimeapi"
)

// asFunction makes the test binary a Lambda function on AWS's own client.
const asFunction = "RUNTIMEAPI_TEST_FUNCTION"

func TestMain(m *testing.M) {
	if os.Getenv(asFunction) != "" {
		lambda.Start(function)
		return
	}
	os.Exit(m.Run())
}

type order struct {
	Do      string
	Payload string
}

func function(ctx context.Context, o order) (any, error) {
	switch o.Do {
	case "echo":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"payload": o.Payload, "id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "deadline": deadline.UnixMilli(),
			"client": lc.ClientContext.Custom["k"], "identity": lc.Identity.CognitoIdentityID,
		}, nil
	case "fail":
		return nil, errors.New(o.Payload)
	case "stream":
		return io.MultiReader(strings.NewReader("one,"), strings.NewReader("two")), nil
	case "break":
		return io.MultiReader(strings.NewReader("one,"), iotest.ErrReader(errors.New(o.Payload))), nil
	case "panic":
		panic(o.Payload)
	}
	return nil, fmt.Errorf("unknown order %q", o.Do)
}

func TestWithAWSLambdaGo(t *testing.T) {
	l := listen(t)
	e := runtimeapi.Serve(l, runtimeapi.Options{})
	defer e.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asFunction+"=1", "AWS_LAMBDA_RUNTIME_API="+l.Addr().String())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-e.Ready()

	n := 0
	call := func(o order) *runtimeapi.Result {
		t.Helper()
		n++
		payload, _ := json.Marshal(o)
		r, err := e.Invoke(t.Context(), &runtimeapi.Invocation{
			RequestID: fmt.Sprintf("request-%d", n), FunctionARN: "arn:aws:lambda:x", Deadline: time.UnixMilli(4e12),
			ClientContext: `{"custom":{"k":"v"}}`, CognitoIdentity: `{"cognitoIdentityId":"me","cognitoIdentityPoolId":"p"}`, Payload: payload,
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}

	for _, size := range []int{0, 10, 5000, 5 << 20} {
		var got struct {
			Payload, ID, ARN, Client, Identity string
			Deadline                           int64
		}
		r := call(order{"echo", strings.Repeat("x", size)})
		if err := json.Unmarshal(r.Payload, &got); err != nil || r.Error {
			t.Fatalf("%v: %.200s", err, r.Payload)
		}
		if len(got.Payload) != size || got.ID != fmt.Sprintf("request-%d", n) || got.ARN != "arn:aws:lambda:x" || got.Deadline != 4e12 || got.Client != "v" || got.Identity != "me" {
			got.Payload = ""
			t.Errorf("%d bytes: got %+v", size, got)
		}
	}
	if r := call(order{"fail", "on purpose"}); !r.Error || !strings.Contains(string(r.Payload), `"errorMessage":"on purpose"`) {
		t.Errorf("fail: %+v %s", r, r.Payload)
	}
	if r := call(order{"echo", strings.Repeat("x", runtimeapi.DefaultMaxResponse)}); r.TooLarge <= runtimeapi.DefaultMaxResponse {
		t.Errorf("too large: %d", r.TooLarge)
	}
	// aws-lambda-go takes any status but 202 for the end of the world.
	if err := cmd.Wait(); err == nil {
		t.Error("the client survived a 413")
	}
}

func TestWithAWSLambdaGoStreaming(t *testing.T) {
	for _, c := range []struct {
		do, want string
		error    bool
	}{
		{"stream", "one,two", false},
		{"break", `"errorMessage":"on purpose"`, true},
		{"panic", `"errorMessage":"on purpose"`, true},
	} {
		t.Run(c.do, func(t *testing.T) {
			l := listen(t)
			e := runtimeapi.Serve(l, runtimeapi.Options{})
			defer e.Close()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), asFunction+"=1", "AWS_LAMBDA_RUNTIME_API="+l.Addr().String())
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cmd.Process.Kill() //nolint:errcheck // it may have ended
				cmd.Wait()         //nolint:errcheck // killed
			}()
			payload, _ := json.Marshal(order{c.do, "on purpose"})
			r, err := e.Invoke(t.Context(), &runtimeapi.Invocation{RequestID: "a", Payload: payload, Deadline: time.UnixMilli(4e12)})
			if err != nil {
				t.Fatal(err)
			}
			if r.Error != c.error || !strings.Contains(string(r.Payload), c.want) {
				t.Errorf("got %+v %s", r, r.Payload)
			}
		})
	}
}
