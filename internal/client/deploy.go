package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

const (
	// noRole stands where Lambda asks for a role, which Hearth has no use for.
	noRole = "arn:aws:iam::000000000000:role/hearth"
	// While a function changes it is looked at every pollFirst, and then after
	// each pollPart of the time it has taken so far, which so grows by no more
	// than that; every pollLast at least.
	pollFirst = 5 * time.Millisecond
	pollPart  = 10
	pollLast  = 300 * time.Millisecond
)

// Deployment is what a function shall become.
type Deployment struct {
	Name string
	// Zip is the package, SHA256 its checksum in base64.
	Zip    []byte
	SHA256 string
	// Runtime and Handler are for a function that does not exist yet, and for
	// one that does unless Keep says that its own will do.
	Runtime, Handler string
	// Keep, when it is not nil, is asked whether an existing function's
	// runtime and handler may stay.
	Keep func(runtime, handler string) bool
	// MemoryMB and TimeoutSec are left as they are when 0.
	MemoryMB, TimeoutSec int
	// Env is added to the environment variables that there are.
	Env map[string]string
	// Publish makes a numbered version afterwards.
	Publish bool
}

// Deployed tells what happened.
type Deployed struct {
	Function Function `json:"function"`
	Created  bool     `json:"created"`
	// CodeChanged and ConfigChanged tell what was updated, when it was not created.
	CodeChanged   bool `json:"codeChanged"`
	ConfigChanged bool `json:"configurationChanged"`
	// Published is the number of the version, when one was asked for.
	Published string `json:"publishedVersion,omitempty"`
}

// FailedError says that the function was changed, but cannot run as it is now.
type FailedError struct {
	Function string
	Reason   string
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("%s cannot run as it was deployed: %s", e.Function, e.Reason)
}

// Deploy creates a function or changes it, and returns when it runs as it
// shall. step is told what is being done, in words such as "uploading".
func (c *Client) Deploy(ctx context.Context, d Deployment, step func(string)) (*Deployed, error) {
	step("looking for " + d.Name)
	now, err := c.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &d.Name})
	var none *types.ResourceNotFoundException
	result := &Deployed{}
	switch {
	case errors.As(err, &none):
		result.Created = true
		err = c.create(ctx, &d, step)
	case err == nil:
		err = c.update(ctx, &d, now, result, step)
	}
	if err != nil {
		return nil, c.explain(ctx, err, d.Name)
	}
	if d.Publish {
		step("publishing a version")
		v, err := c.lambda.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &d.Name})
		if err != nil {
			return nil, c.explain(ctx, err, d.Name)
		}
		result.Published = aws.ToString(v.Version)
	}
	f, err := c.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &d.Name})
	if err != nil {
		return nil, c.explain(ctx, err, d.Name)
	}
	result.Function = deployedFunction(f)
	return result, nil
}

func (c *Client) create(ctx context.Context, d *Deployment, step func(string)) error {
	step(fmt.Sprintf("creating %s (%s)", d.Name, d.Runtime))
	in := &lambda.CreateFunctionInput{
		FunctionName: &d.Name, Role: aws.String(noRole), Runtime: types.Runtime(d.Runtime), Handler: &d.Handler,
		Code: &types.FunctionCode{ZipFile: d.Zip},
	}
	if d.MemoryMB > 0 {
		in.MemorySize = aws.Int32(int32(d.MemoryMB))
	}
	if d.TimeoutSec > 0 {
		in.Timeout = aws.Int32(int32(d.TimeoutSec))
	}
	if len(d.Env) > 0 {
		in.Environment = &types.Environment{Variables: d.Env}
	}
	if _, err := c.lambda.CreateFunction(ctx, in); err != nil {
		return err
	}
	return c.settled(ctx, d.Name, step)
}

// update brings code and configuration up to date, where they are not.
func (c *Client) update(ctx context.Context, d *Deployment, now *lambda.GetFunctionConfigurationOutput, result *Deployed, step func(string)) error {
	if err := c.settled(ctx, d.Name, step); err != nil {
		var failed *FailedError
		if !errors.As(err, &failed) { // which is what is going to change
			return err
		}
	}
	if aws.ToString(now.CodeSha256) != d.SHA256 {
		step("uploading the code of " + d.Name)
		if _, err := c.lambda.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: &d.Name, ZipFile: d.Zip}); err != nil {
			return err
		}
		result.CodeChanged = true
		if err := c.settled(ctx, d.Name, step); err != nil {
			return err
		}
	}
	in := changes(d, now)
	if in == nil {
		return nil
	}
	step("updating the configuration of " + d.Name)
	if _, err := c.lambda.UpdateFunctionConfiguration(ctx, in); err != nil {
		return err
	}
	result.ConfigChanged = true
	return c.settled(ctx, d.Name, step)
}

// changes returns what must change in a function's configuration, or nil.
func changes(d *Deployment, now *lambda.GetFunctionConfigurationOutput) *lambda.UpdateFunctionConfigurationInput {
	in := &lambda.UpdateFunctionConfigurationInput{FunctionName: &d.Name}
	changed := false
	runtime, handler := string(now.Runtime), aws.ToString(now.Handler)
	if d.Keep == nil || !d.Keep(runtime, handler) {
		if runtime != d.Runtime {
			in.Runtime, changed = types.Runtime(d.Runtime), true
		}
		if handler != d.Handler {
			in.Handler, changed = &d.Handler, true
		}
	}
	if n := int32(d.MemoryMB); n > 0 && n != aws.ToInt32(now.MemorySize) {
		in.MemorySize, changed = &n, true
	}
	if n := int32(d.TimeoutSec); n > 0 && n != aws.ToInt32(now.Timeout) {
		in.Timeout, changed = &n, true
	}
	env := map[string]string{}
	if now.Environment != nil {
		maps.Copy(env, now.Environment.Variables)
	}
	before := maps.Clone(env)
	maps.Copy(env, d.Env)
	if !maps.Equal(before, env) {
		in.Environment, changed = &types.Environment{Variables: env}, true
	}
	if !changed {
		return nil
	}
	return in
}

// settled waits until no change of the function is under way.
func (c *Client) settled(ctx context.Context, name string, step func(string)) error {
	for start := time.Now(); ; {
		f, err := c.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
		if err != nil {
			return err
		}
		switch {
		case f.State == types.StateFailed:
			return &FailedError{Function: name, Reason: aws.ToString(f.StateReason)}
		case f.State == types.StatePending || f.LastUpdateStatus == types.LastUpdateStatusInProgress:
		case f.LastUpdateStatus == types.LastUpdateStatusFailed:
			return &FailedError{Function: name, Reason: aws.ToString(f.LastUpdateStatusReason)}
		default:
			return nil
		}
		step("waiting for the node to be ready to run " + name)
		timer := time.NewTimer(min(max(time.Since(start)/pollPart, pollFirst), pollLast))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// deployedFunction is functionOf for the answer to one question about one function.
func deployedFunction(f *lambda.GetFunctionConfigurationOutput) Function {
	return functionOf(&types.FunctionConfiguration{
		FunctionName: f.FunctionName, FunctionArn: f.FunctionArn, Description: f.Description,
		Runtime: f.Runtime, Handler: f.Handler, MemorySize: f.MemorySize, Timeout: f.Timeout,
		CodeSize: f.CodeSize, CodeSha256: f.CodeSha256, Version: f.Version,
		State: f.State, LastUpdateStatus: f.LastUpdateStatus, LastModified: f.LastModified,
	})
}
