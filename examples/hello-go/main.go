// Hello-go is a function on aws-lambda-go, AWS's runtime client for Go.
package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Name string `json:"name"`
}

type answer struct {
	Message string `json:"message"`
	From    string `json:"from"`
	Request string `json:"request"`
}

func main() { lambda.Start(greet) }

func greet(ctx context.Context, e event) (answer, error) {
	if e.Name == "" {
		e.Name = "world"
	}
	fmt.Println("greeting", e.Name)
	a := answer{Message: "hello, " + e.Name, From: runtime.Version()}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		a.Request = lc.AwsRequestID
	}
	return a, nil
}
