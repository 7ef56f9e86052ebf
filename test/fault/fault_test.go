package fault

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthd/hearth/test/testnode"
)

const (
	clients = 4
	rounds  = 10
	// A node lives for between minLife and maxLife of load before it is killed.
	minLife = 20 * time.Millisecond
	maxLife = 1500 * time.Millisecond
	// The kernel takes namespaces and loop devices apart in its own time.
	goneWithin = 10 * time.Second
)

// account is the number of the node's first account, which the clients use.
var account string

func TestKilledNodesLoseNothingAndLeaveNothing(t *testing.T) {
	testnode.Require(t, testnode.Root)
	seed := number(t, "HEARTH_FAULT_SEED", rand.Uint64())
	t.Logf("HEARTH_FAULT_SEED=%d repeats this run's choices", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	var crew []*client
	for i := range clients {
		crew = append(crew, newClient(i+1, seed))
	}
	var last []string // what the killed node had on this machine
	acknowledged := 0
	for round := range number(t, "HEARTH_FAULT_ROUNDS", rounds) {
		node, err := testnode.Launch(t.Context(), testnode.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = node.Kill() })
		nothingOf(t, last, node)
		l := node.Lambda(node.Root)
		learnAccount(t, l)
		for _, c := range crew {
			c.lambda = l
			c.verify(t)
		}
		if t.Failed() {
			t.Fatalf("round %d: the node's log:\n%s", round, node.Log())
		}

		life := minLife + time.Duration(random.Int64N(int64(maxLife-minLife)))
		if last, err = load(t, node, crew, life); err != nil {
			t.Fatalf("round %d: %v\nthe node's log:\n%s", round, err, node.Log())
		}
		before := acknowledged
		acknowledged = 0
		for _, c := range crew {
			acknowledged += c.acknowledged
		}
		t.Logf("round %d: killed after %v, %d requests acknowledged, %d traces", round, life.Round(time.Millisecond), acknowledged-before, len(last))
	}

	node := testnode.Start(t, testnode.Options{Dir: dir}) // stops cleanly and looks for traces at the end
	nothingOf(t, last, node)
	for _, c := range crew {
		c.lambda = node.Lambda(node.Root)
		c.verify(t)
	}
	t.Logf("%d requests were acknowledged in all", acknowledged)
}

// load lets the clients work, kills the node when its time has come, and
// returns what it had on the machine shortly before.
func load(t testing.TB, node *testnode.Node, crew []*client, life time.Duration) (footprint []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	errs := make([]error, len(crew))
	var wg sync.WaitGroup
	for i, c := range crew {
		wg.Go(func() { errs[i] = c.work(ctx) })
	}
	death := time.NewTimer(life)
	defer death.Stop()
	select {
	case <-death.C:
	case <-node.Exited():
		err = errors.New("the node ended by itself")
	}
	footprint, lookErr := node.Footprint()
	err = errors.Join(err, lookErr, node.Kill())
	wg.Wait()
	return footprint, errors.Join(append(errs, err)...)
}

// nothingOf fails the test when something of a killed node is still there
// though the next one has started.
func nothingOf(t testing.TB, killed []string, node *testnode.Node) {
	t.Helper()
	deadline := time.Now().Add(goneWithin)
	for {
		now, err := node.Footprint()
		if err != nil {
			t.Fatal(err)
		}
		left := slices.DeleteFunc(slices.Clone(killed), func(trace string) bool { return !slices.Contains(now, trace) })
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("of the killed node there is still %q", left)
			return
		}
		time.Sleep(20 * time.Millisecond) // the kernel tells nobody when it is done
	}
}

// verify compares all functions of a client with its ledger, and has each
// version of them answer.
func (c *client) verify(t testing.TB) {
	t.Helper()
	for name, e := range c.ledger {
		now := c.read(t, name, e)
		e.settle(t, name, now)
		if now == nil {
			continue
		}
		for version, code := range now.Versions {
			if err := invokes(t.Context(), c.lambda, name, version, code); err != nil {
				t.Errorf("version %s: %v", version, err)
			}
		}
		if err := invokes(t.Context(), c.lambda, name, "", now.Code); err != nil {
			t.Error(err)
		}
	}
}

// read asks the node all it knows of a function.
func (c *client) read(t testing.TB, name string, e *entry) *facts {
	t.Helper()
	ctx := t.Context()
	got, err := c.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
	var absent *types.ResourceNotFoundException
	if errors.As(err, &absent) {
		return nil
	}
	if err == nil {
		err = waitUpdated(ctx, c.lambda, name) // an update the kill interrupted comes to its end
	}
	if err != nil {
		t.Errorf("read %s: %v", name, err)
		return nil
	}
	codes := e.codes()
	now := newFacts(codes[*got.Configuration.CodeSha256])
	now.Description = aws.ToString(got.Configuration.Description)
	for k, v := range got.Tags {
		now.Tags[k] = v
	}
	if got.Concurrency != nil {
		now.Reserved = *got.Concurrency.ReservedConcurrentExecutions
	}
	versions, err := c.lambda.ListVersionsByFunction(ctx, &lambda.ListVersionsByFunctionInput{FunctionName: &name})
	if err != nil {
		t.Errorf("read the versions of %s: %v", name, err)
		return nil
	}
	for _, v := range versions.Versions {
		if *v.Version != "$LATEST" {
			now.Versions[*v.Version] = codes[*v.CodeSha256]
		}
	}
	aliases, err := c.lambda.ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: &name})
	if err != nil {
		t.Errorf("read the aliases of %s: %v", name, err)
		return nil
	}
	for _, a := range aliases.Aliases {
		now.Aliases[*a.Name] = *a.FunctionVersion
	}
	return now
}

// learnAccount reads the account's number off the first answer that has it.
func learnAccount(t testing.TB, l *lambda.Client) {
	t.Helper()
	if account != "" {
		return
	}
	_, err := l.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("nobody")})
	var absent *types.ResourceNotFoundException
	if !errors.As(err, &absent) {
		t.Fatalf("a function that nobody has: %v", err)
	}
	for part := range strings.SplitSeq(absent.ErrorMessage(), ":") {
		if _, err := strconv.ParseUint(part, 10, 64); err == nil && len(part) == 12 {
			account = part
		}
	}
	if account == "" {
		t.Fatalf("no account in %q", absent.ErrorMessage())
	}
}

func number[T uint64 | int](t testing.TB, variable string, otherwise T) T {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return T(n)
}
