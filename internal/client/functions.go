package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Function is what people want to know about a function.
type Function struct {
	Name         string `json:"name"`
	ARN          string `json:"arn"`
	Description  string `json:"description,omitempty"`
	Runtime      string `json:"runtime,omitempty"`
	Handler      string `json:"handler,omitempty"`
	MemoryMB     int    `json:"memoryMB"`
	TimeoutSec   int    `json:"timeoutSeconds"`
	CodeBytes    int64  `json:"codeBytes"`
	CodeSHA256   string `json:"codeSha256"`
	Version      string `json:"version"`
	State        string `json:"state,omitempty"`
	UpdateStatus string `json:"lastUpdateStatus,omitempty"`
	LastModified string `json:"lastModified"`
}

func functionOf(c *types.FunctionConfiguration) Function {
	return Function{
		Name: aws.ToString(c.FunctionName), ARN: aws.ToString(c.FunctionArn), Description: aws.ToString(c.Description),
		Runtime: string(c.Runtime), Handler: aws.ToString(c.Handler),
		MemoryMB: int(aws.ToInt32(c.MemorySize)), TimeoutSec: int(aws.ToInt32(c.Timeout)),
		CodeBytes: c.CodeSize, CodeSHA256: aws.ToString(c.CodeSha256), Version: aws.ToString(c.Version),
		State: string(c.State), UpdateStatus: string(c.LastUpdateStatus), LastModified: aws.ToString(c.LastModified),
	}
}

// Functions lists the account's functions in the order of their names.
func (c *Client) Functions(ctx context.Context) ([]Function, error) {
	list := []Function{}
	pages := lambda.NewListFunctionsPaginator(c.lambda, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, c.explain(ctx, err, "")
		}
		for i := range page.Functions {
			list = append(list, functionOf(&page.Functions[i]))
		}
	}
	return list, nil
}

// maxNames is how many names are looked at for suggestions and completion.
const maxNames = 1000

// Names lists the names of the account's functions, not all when they are many.
func (c *Client) Names(ctx context.Context) ([]string, error) {
	var names []string
	pages := lambda.NewListFunctionsPaginator(c.lambda, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() && len(names) < maxNames {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, c.explain(ctx, err, "")
		}
		for i := range page.Functions {
			names = append(names, aws.ToString(page.Functions[i].FunctionName))
		}
	}
	return names, nil
}

// missing tells whether the function itself does not exist, rather than a
// version or alias of it.
func (c *Client) missing(ctx context.Context, name string) bool {
	_, err := c.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	var none *types.ResourceNotFoundException
	return errors.As(err, &none)
}

// Delete deletes a function with all its versions.
func (c *Client) Delete(ctx context.Context, name string) error {
	_, err := c.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
	return c.explain(ctx, err, name)
}

// Invocation is a request to run a function and wait for its answer.
type Invocation struct {
	Function  string
	Qualifier string // a version or alias; "" is $LATEST
	Payload   []byte
	Log       bool // ask for the last 4 KB of the log
}

// Answer is what a function answered.
type Answer struct {
	Status int `json:"statusCode"`
	// FunctionError is set when Payload describes an error of the function's.
	FunctionError   string `json:"functionError,omitempty"`
	ExecutedVersion string `json:"executedVersion,omitempty"`
	Payload         Value  `json:"payload"`
	Log             string `json:"log,omitempty"`
	// Took is how long the caller waited.
	Took time.Duration `json:"-"`
}

// Value is a JSON text, or whatever else a function answered.
type Value []byte

// MarshalJSON writes what is no JSON as a string.
func (v Value) MarshalJSON() ([]byte, error) {
	if json.Valid(v) {
		return v, nil
	}
	return json.Marshal(string(v))
}

// Invoke runs a function. An error of the function's is part of the answer.
func (c *Client) Invoke(ctx context.Context, i Invocation) (*Answer, error) {
	in := &lambda.InvokeInput{FunctionName: &i.Function, Payload: i.Payload}
	if i.Qualifier != "" {
		in.Qualifier = &i.Qualifier
	}
	if i.Log {
		in.LogType = types.LogTypeTail
	}
	start := time.Now()
	out, err := c.lambda.Invoke(ctx, in)
	took := time.Since(start)
	if err != nil {
		return nil, c.explain(ctx, err, i.Function)
	}
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil {
		return nil, err
	}
	return &Answer{
		Status: int(out.StatusCode), FunctionError: aws.ToString(out.FunctionError),
		ExecutedVersion: aws.ToString(out.ExecutedVersion),
		Payload:         out.Payload, Log: string(log), Took: took,
	}, nil
}

// AliasNames lists the names of a function's aliases.
func (c *Client) AliasNames(ctx context.Context, function string) ([]string, error) {
	var names []string
	pages := lambda.NewListAliasesPaginator(c.lambda, &lambda.ListAliasesInput{FunctionName: &function})
	for pages.HasMorePages() && len(names) < maxNames {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, c.explain(ctx, err, function)
		}
		for i := range page.Aliases {
			names = append(names, aws.ToString(page.Aliases[i].Name))
		}
	}
	return names, nil
}

// VersionNumbers lists a function's published versions.
func (c *Client) VersionNumbers(ctx context.Context, function string) ([]string, error) {
	var numbers []string
	pages := lambda.NewListVersionsByFunctionPaginator(c.lambda, &lambda.ListVersionsByFunctionInput{FunctionName: &function})
	for pages.HasMorePages() && len(numbers) < maxNames {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, c.explain(ctx, err, function)
		}
		for i := range page.Versions {
			if v := aws.ToString(page.Versions[i].Version); v != "$LATEST" {
				numbers = append(numbers, v)
			}
		}
	}
	return numbers, nil
}
