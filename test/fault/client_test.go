package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/hearthd/hearth/test/testnode"
)

// functionsPerClient is how many functions each client knows.
const functionsPerClient = 3

// client works on functions of its own, one request at a time, and keeps
// account of the answers.
type client struct {
	id     int
	random *rand.Rand
	lambda *lambda.Client
	ledger map[string]*entry

	serial       int
	acknowledged int // requests
}

func newClient(id int, seed uint64) *client {
	c := &client{id: id, random: rand.New(rand.NewPCG(seed, uint64(id))), ledger: map[string]*entry{}}
	for i := range functionsPerClient {
		c.ledger[fmt.Sprintf("fault-%d-%d", id, i)] = &entry{}
	}
	return c
}

// work does one thing after the other until one has no answer, which it puts
// down as in doubt. It returns an error when the node answers otherwise than
// it should.
func (c *client) work(ctx context.Context) error {
	names := slices.Sorted(maps.Keys(c.ledger))
	for ctx.Err() == nil {
		name := names[c.random.IntN(len(names))]
		e := c.ledger[name]
		do := c.choose(name, e.acknowledged.copy())
		err := do.request(ctx)
		if err != nil {
			if answered(err) {
				return fmt.Errorf("%s: %w", name, err)
			}
			e.doubt(do)
			return nil
		}
		e.acknowledged = do.after
		c.acknowledged++
		if !do.update {
			continue
		}
		// The next update would be refused before this one is complete.
		if err := waitUpdated(ctx, c.lambda, name); err != nil {
			if answered(err) {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		}
	}
	return nil
}

// operation is one request and what is true after it.
type operation struct {
	request func(context.Context) error
	after   *facts // complete once request has returned nil
	update  bool   // $LATEST changes, which takes a while
	publish bool   // a version with a number of the node's choice
}

// answered tells an answer that the node gave from the silence of a dead one.
func answered(err error) bool {
	var unsent *smithyhttp.RequestSendError
	var cut *smithy.DeserializationError
	return !errors.As(err, &unsent) && !errors.As(err, &cut)
}

// choose draws an operation that is possible on a function of which f is true.
func (c *client) choose(name string, f *facts) operation {
	l := c.lambda
	if f == nil {
		f = newFacts(c.fresh())
		return operation{after: f, update: true, request: func(ctx context.Context) error {
			_, err := l.CreateFunction(ctx, &lambda.CreateFunctionInput{
				FunctionName: &name, Role: aws.String("arn:aws:iam::000000000000:role/any"), Runtime: types.RuntimePython312,
				Handler: aws.String("main.handler"), Code: &types.FunctionCode{ZipFile: zipOf(f.Code)}, Timeout: aws.Int32(30),
			})
			return err
		}}
	}
	switch c.random.IntN(16) {
	case 0, 1, 2:
		f.Code = c.fresh()
		return operation{after: f, update: true, request: func(ctx context.Context) error {
			_, err := l.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: &name, ZipFile: zipOf(f.Code)})
			return err
		}}
	case 3, 4:
		f.Description = c.fresh()
		return operation{after: f, update: true, request: func(ctx context.Context) error {
			_, err := l.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &name, Description: &f.Description})
			return err
		}}
	case 5, 6:
		return c.publish(name, f)
	case 7, 8:
		return c.alias(name, f)
	case 9:
		k, v := fmt.Sprintf("k%d", c.random.IntN(3)), c.fresh()
		f.Tags[k] = v
		return operation{after: f, request: func(ctx context.Context) error {
			_, err := l.TagResource(ctx, &lambda.TagResourceInput{Resource: c.arn(name), Tags: map[string]string{k: v}})
			return err
		}}
	case 10:
		k := fmt.Sprintf("k%d", c.random.IntN(3))
		delete(f.Tags, k)
		return operation{after: f, request: func(ctx context.Context) error {
			_, err := l.UntagResource(ctx, &lambda.UntagResourceInput{Resource: c.arn(name), TagKeys: []string{k}})
			return err
		}}
	case 11:
		f.Reserved = 1 + c.random.Int32N(20)
		return operation{after: f, request: func(ctx context.Context) error {
			_, err := l.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &name, ReservedConcurrentExecutions: &f.Reserved})
			return err
		}}
	case 12:
		f.Reserved = -1
		return operation{after: f, request: func(ctx context.Context) error {
			_, err := l.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: &name})
			return err
		}}
	case 13:
		if len(f.Versions) < 2 {
			break // let it grow first
		}
		return operation{after: nil, request: func(ctx context.Context) error {
			_, err := l.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
			return err
		}}
	}
	return operation{after: f, request: func(ctx context.Context) error { return invokes(ctx, l, name, "", f.Code) }}
}

// publish makes a version of what $LATEST is.
func (c *client) publish(name string, f *facts) operation {
	return operation{after: f, publish: true, request: func(ctx context.Context) error {
		out, err := c.lambda.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &name})
		if err == nil {
			f.Versions[*out.Version] = f.Code
		}
		return err
	}}
}

// alias points the function's alias to one of its versions.
func (c *client) alias(name string, f *facts) operation {
	if len(f.Versions) == 0 {
		return c.publish(name, f)
	}
	versions := slices.Sorted(maps.Keys(f.Versions))
	version := versions[c.random.IntN(len(versions))]
	_, there := f.Aliases["live"]
	f.Aliases["live"] = version
	return operation{after: f, request: func(ctx context.Context) error {
		var err error
		if there {
			_, err = c.lambda.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: &name, Name: aws.String("live"), FunctionVersion: &version})
		} else {
			_, err = c.lambda.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &name, Name: aws.String("live"), FunctionVersion: &version})
		}
		return err
	}}
}

func (c *client) fresh() string {
	c.serial++
	return fmt.Sprintf("c%d-%d", c.id, c.serial)
}

func (c *client) arn(name string) *string {
	return aws.String("arn:aws:lambda:" + testnode.Region + ":" + account + ":function:" + name)
}

// invokes runs the function once; it must answer with its code.
func invokes(ctx context.Context, l *lambda.Client, name, qualifier, want string) error {
	in := &lambda.InvokeInput{FunctionName: &name}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	out, err := l.Invoke(ctx, in)
	if err != nil {
		return err
	}
	var got string
	if err := json.Unmarshal(out.Payload, &got); err != nil || got != want || out.FunctionError != nil {
		return fmt.Errorf("%s %s answers %s, want %q", name, qualifier, out.Payload, want)
	}
	return nil
}

// waitUpdated waits until no update of the function is under way.
func waitUpdated(ctx context.Context, l *lambda.Client, name string) error {
	return lambda.NewFunctionUpdatedV2Waiter(l, func(o *lambda.FunctionUpdatedV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 200*time.Millisecond
	}).Wait(ctx, &lambda.GetFunctionInput{FunctionName: &name}, 30*time.Second)
}

func zipOf(code string) []byte {
	zip, err := testnode.Zip(testnode.File{Name: "main.py", Content: []byte(source(code))})
	if err != nil {
		panic(err) // into memory
	}
	return zip
}
