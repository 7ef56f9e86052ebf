package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthd/hearth/test/testnode"
)

// tells is a function that says what it is, and ends when it is told to.
func tells(t testing.TB, what string) []byte {
	t.Helper()
	return python(t, `import os

def handler(event, context):
    if event.get("end"):
        os._exit(3)
    return ["`+what+`", context.function_version, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], context.log_stream_name]
`)
}

func (f *function) provision(t testing.TB, qualifier string, n int32) {
	t.Helper()
	if _, err := f.lambda.PutProvisionedConcurrencyConfig(t.Context(), &lambda.PutProvisionedConcurrencyConfigInput{
		FunctionName: &f.name, Qualifier: &qualifier, ProvisionedConcurrentExecutions: &n,
	}); err != nil {
		t.Fatal(err)
	}
}

// provisioned waits until all of a qualifier's provisioned concurrency is there.
func (f *function) provisioned(t testing.TB, qualifier string, n int32) {
	t.Helper()
	var last *lambda.GetProvisionedConcurrencyConfigOutput
	f.eventually(t, qualifier+" has its provisioned concurrency", func() bool {
		got, err := f.lambda.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: &f.name, Qualifier: &qualifier})
		if err != nil {
			t.Fatal(err)
		}
		last = got
		return got.Status == types.ProvisionedConcurrencyStatusEnumReady && *got.AvailableProvisionedConcurrentExecutions == n
	})
	if *last.RequestedProvisionedConcurrentExecutions != n || *last.AllocatedProvisionedConcurrentExecutions != n {
		t.Errorf("%s: requested %d, allocated %d, want %d", qualifier, *last.RequestedProvisionedConcurrentExecutions, *last.AllocatedProvisionedConcurrentExecutions, n)
	}
}

// warmBy checks that an invocation met a provisioned environment of the version.
func (f *function) warmBy(t testing.TB, qualifier, version string) {
	t.Helper()
	var got []string
	o := f.invoke(t, map[string]any{}, at(qualifier), tail)
	decode(t, o.Payload, &got)
	if got[1] != version || got[2] != "provisioned-concurrency" || strings.Contains(o.Log, "Init Duration") {
		t.Errorf("%s was answered by %v; its log:\n%s", qualifier, got, o.Log)
	}
}

// versions publishes two versions of a function that tells what it is.
func (u *tenant) versions(t testing.TB, name string) *function {
	t.Helper()
	f := u.create(t, spec{Name: name, Handler: "main.handler", Code: tells(t, "one"), Publish: true})
	if _, err := u.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &f.name, ZipFile: tells(t, "two"), Publish: true}); err != nil {
		t.Fatal(err)
	}
	u.waitUpdated(t, f.name)
	return f
}

func (f *function) alias(t testing.TB, name, version string) {
	t.Helper()
	if _, err := f.lambda.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: &f.name, Name: &name, FunctionVersion: &version}); err != nil {
		t.Fatal(err)
	}
}

// Provisioned concurrency is there before anybody asks, moves with its alias,
// is replaced when it ends, and goes when it is taken away.
func TestProvisionedConcurrency(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.versions(t, "provisioned")
	f.alias(t, "live", "1")
	f.provision(t, "live", 2)
	f.provisioned(t, "live", 2)
	f.warmBy(t, "live", "1")

	// The alias moves to environments that are there.
	if _, err := u.lambda.UpdateAlias(t.Context(), &lambda.UpdateAliasInput{FunctionName: &f.name, Name: aws.String("live"), FunctionVersion: aws.String("2")}); err != nil {
		t.Fatal(err)
	}
	f.provisioned(t, "live", 2)
	f.warmBy(t, "live", "2")

	// One that ends is replaced.
	if o := f.invoke(t, map[string]any{"end": true}, at("live")); o.FunctionError == "" {
		t.Errorf("the environment did not end: %s", o.Payload)
	}
	f.provisioned(t, "live", 2)
	f.warmBy(t, "live", "2")

	// A version may have some of its own, unless its alias has.
	var conflict *types.ResourceConflictException
	if _, err := u.lambda.PutProvisionedConcurrencyConfig(t.Context(), &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: &f.name, Qualifier: aws.String("2"), ProvisionedConcurrentExecutions: aws.Int32(1)}); !errors.As(err, &conflict) {
		t.Errorf("provisioned beside its alias: %v", err)
	}
	f.provision(t, "1", 1)
	f.provisioned(t, "1", 1)
	listed, err := u.lambda.ListProvisionedConcurrencyConfigs(t.Context(), &lambda.ListProvisionedConcurrencyConfigsInput{FunctionName: &f.name})
	if err != nil {
		t.Fatal(err)
	}
	if l := listed.ProvisionedConcurrencyConfigs; len(l) != 2 || *l[0].FunctionArn != f.arn+":1" || *l[1].FunctionArn != f.arn+":live" {
		t.Errorf("listed %+v", l)
	}

	if _, err := u.lambda.DeleteProvisionedConcurrencyConfig(t.Context(), &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: &f.name, Qualifier: aws.String("live")}); err != nil {
		t.Fatal(err)
	}
	var none *types.ProvisionedConcurrencyConfigNotFoundException
	if _, err := u.lambda.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: &f.name, Qualifier: aws.String("live")}); !errors.As(err, &none) {
		t.Errorf("after it was deleted: %v", err)
	}
	u.eventually(t, "only the version's environment is provisioned", func() bool {
		n := 0
		for _, e := range u.environments(t, f.name) {
			if e.Provisioned {
				n++
			}
		}
		return n == 1
	})
}

// What can't start says why, and the rest goes on.
func TestProvisionedConcurrencyFails(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "broken", Handler: "main.handler", Code: python(t, "raise RuntimeError('not today')\n"), Publish: true})
	f.provision(t, "1", 1)
	u.eventually(t, "it has failed", func() bool {
		got, err := f.lambda.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: &f.name, Qualifier: aws.String("1")})
		if err != nil {
			t.Fatal(err)
		}
		return got.Status == types.ProvisionedConcurrencyStatusEnumFailed && strings.Contains(aws.ToString(got.StatusReason), "initialisation")
	})
}

// Provisioned environments stay when others are ended for their age, and are
// there again after a crash of the node.
func TestProvisionedConcurrencyStays(t *testing.T) {
	t.Parallel()
	testnode.Require(t, testnode.Root)
	o := testnode.Options{Dir: t.TempDir(), Args: []string{"--idle-for", "1s"}}
	node := testnode.Start(t, o)
	u := tenantOf(t, node)
	in := spec{Name: "lasting", Handler: "main.handler", Code: tells(t, "kept"), Publish: true}.input(t)
	if _, err := u.lambda.CreateFunction(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	u.waitActive(t, "lasting")
	f := &function{tenant: u, name: "lasting"}
	f.provision(t, "1", 2)
	f.provisioned(t, "1", 2)
	f.invoke(t, map[string]any{}) // in an environment of $LATEST, which is not kept
	kept := func() (n int) {
		for _, e := range u.environments(t, f.name) {
			if e.Provisioned && e.AgeSeconds > 2 {
				n++
			}
		}
		return n
	}
	u.eventually(t, "the others are ended and the provisioned ones are not", func() bool {
		return len(u.environments(t, f.name)) == 2 && kept() == 2
	})
	f.warmBy(t, "1", "1")

	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	again := testnode.Start(t, o)
	f.tenant = &tenant{node: again, account: u.account, key: u.key, lambda: again.Lambda(u.key)}
	f.provisioned(t, "1", 2)
	f.warmBy(t, "1", "1")
}
