// Goecho is a function on aws-lambda-go, AWS's own runtime client for Go, to
// be deployed as the bootstrap of provided.al2023. It answers with the event,
// or does what the event asks for.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// request is the part of an event that asks for something else than an echo.
type request struct {
	Do string `json:"do"`
}

func main() { lambda.Start(handle) }

func handle(ctx context.Context, event json.RawMessage) (any, error) {
	var r request
	_ = json.Unmarshal(event, &r) // an event of another form is echoed
	switch r.Do {
	case "":
		return event, nil
	case "error":
		return nil, errors.New("as asked")
	case "panic":
		panic("as asked")
	case "exit":
		os.Exit(3)
	case "log":
		fmt.Println("a line of the function")
		return nil, nil
	case "context":
		return describe(ctx), nil
	}
	return nil, fmt.Errorf("cannot do %q", r.Do)
}

// describe tells what the runtime client found in the invocation's headers.
func describe(ctx context.Context) map[string]any {
	answer := map[string]any{"function": lambdacontext.FunctionName, "version": lambdacontext.FunctionVersion, "memory": lambdacontext.MemoryLimitInMB}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		answer["requestId"] = lc.AwsRequestID
		answer["arn"] = lc.InvokedFunctionArn
		answer["client"] = lc.ClientContext
	}
	if deadline, ok := ctx.Deadline(); ok {
		answer["remainingMs"] = time.Until(deadline).Milliseconds()
	}
	return answer
}
