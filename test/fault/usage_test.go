package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthd/hearth/test/testnode"
)

const (
	usageFunctions = 2
	usageClients   = 3 // of each function, one request at a time
	usageRounds    = 5
)

// used is what the node says of one function.
type used struct {
	Function    string
	Invocations int64
	BilledMS    int64
	AskedGBms   float64
	UsedGBms    float64
}

// Killed again and again under load, a node has counted every invocation that
// was answered, exactly once. Those under way when it was killed, at most one of
// each client, may be counted.
func TestKilledNodesCountEveryAnswerOnce(t *testing.T) {
	testnode.Require(t, testnode.Root)
	seed := number(t, "HEARTH_FAULT_SEED", rand.Uint64())
	t.Logf("HEARTH_FAULT_SEED=%d repeats this run's choices", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	var answers [usageFunctions]atomic.Int64
	name := func(f int) string { return fmt.Sprintf("used-%d", f) }
	compare := func(node *testnode.Node, kills int64) {
		t.Helper()
		var got struct{ Usage []used }
		if err := node.Native(t.Context(), node.Root, http.MethodGet, "/hearth/v1/usage?by=function", nil, &got); err != nil {
			t.Fatal(err)
		}
		for f := range usageFunctions {
			least := answers[f].Load()
			var u used
			for _, one := range got.Usage {
				if one.Function == name(f) {
					u = one
				}
			}
			if most := least + kills*usageClients; u.Invocations < least || u.Invocations > most {
				t.Errorf("after %d kills %d invocations of %s are counted; %d were answered, so at most %d", kills, u.Invocations, name(f), least, most)
			}
			// 128 MB, so an eighth of a GB for every billed millisecond.
			if u.BilledMS < u.Invocations || u.AskedGBms != float64(u.BilledMS)/8 || least > 0 && u.UsedGBms <= 0 || u.UsedGBms > u.AskedGBms {
				t.Errorf("amounts don't belong together: %+v", u)
			}
		}
	}
	for round := range int64(usageRounds) {
		node, err := testnode.Launch(t.Context(), testnode.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = node.Kill() })
		l := node.Lambda(node.Root)
		if round == 0 {
			for f := range usageFunctions {
				createUsed(t, l, name(f))
			}
		}
		compare(node, round)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var crew sync.WaitGroup
		for f := range usageFunctions {
			for range usageClients {
				crew.Go(func() {
					for ctx.Err() == nil {
						err := invokes(ctx, l, name(f), "", name(f))
						switch {
						case err == nil:
							answers[f].Add(1)
						case answered(err):
							t.Error(err)
							return
						default:
							return // it is dead
						}
					}
				})
			}
		}
		life := time.NewTimer(200*time.Millisecond + time.Duration(random.Int64N(int64(time.Second))))
		select {
		case <-life.C:
		case <-node.Exited():
			t.Errorf("the node ended by itself:\n%s", node.Log())
		}
		if err := node.Kill(); err != nil {
			t.Fatal(err)
		}
		crew.Wait()
	}
	node := testnode.Start(t, testnode.Options{Dir: dir})
	compare(node, usageRounds)
	for f := range usageFunctions {
		if answers[f].Load() == 0 {
			t.Errorf("no request of %s was answered: the test shows nothing", name(f))
		}
		t.Logf("%s: %d requests were answered", name(f), answers[f].Load())
	}
}

func createUsed(t *testing.T, l *lambda.Client, name string) {
	t.Helper()
	_, err := l.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Role: aws.String("arn:aws:iam::000000000000:role/any"), Runtime: types.RuntimePython312,
		Handler: aws.String("main.handler"), Code: &types.FunctionCode{ZipFile: zipOf(name)}, Timeout: aws.Int32(30), MemorySize: aws.Int32(128),
	})
	if err == nil {
		err = lambda.NewFunctionActiveV2Waiter(l, func(o *lambda.FunctionActiveV2WaiterOptions) {
			o.MinDelay, o.MaxDelay = 10*time.Millisecond, 200*time.Millisecond
		}).Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name}, 30*time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
}
