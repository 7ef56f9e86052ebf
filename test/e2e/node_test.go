package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthd/hearth/test/testnode"
)

// A node that stops and starts again on its data goes on where it was: accounts,
// keys, functions, versions, aliases, tags, code.
func TestRestartGoesOn(t *testing.T) {
	t.Parallel()
	testnode.Require(t, testnode.Root)
	dir := t.TempDir()
	first := testnode.Start(t, testnode.Options{Dir: dir})
	info, err := os.Stat(filepath.Join(dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("credentials are readable by others: %v", info.Mode())
	}
	if log := first.Log(); !strings.Contains(log, "export AWS_") {
		t.Errorf("the start does not say how to use it:\n%s", log)
	}
	u := tenantOf(t, first)
	f := &function{tenant: u, name: "lasting"}
	in := spec{Name: f.name, Handler: "main.handler", Code: answers(t, "kept"), Publish: true, Tags: map[string]string{"k": "v"}}.input(t)
	if _, err := u.lambda.CreateFunction(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	u.waitActive(t, f.name)
	if _, err := u.lambda.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: &f.name, Name: aws.String("live"), FunctionVersion: aws.String("1")}); err != nil {
		t.Fatal(err)
	}
	f.invoke(t, nil)
	before, err := u.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &f.name})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}

	second := testnode.Start(t, testnode.Options{Dir: dir})
	if second.Root != first.Root {
		t.Error("the first account got another key")
	}
	f.tenant = &tenant{node: second, account: u.account, key: u.key, lambda: second.Lambda(u.key)}
	after, err := f.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &f.name})
	if err != nil {
		t.Fatal(err)
	}
	if *after.Configuration.RevisionId != *before.Configuration.RevisionId || *after.Configuration.CodeSha256 != *before.Configuration.CodeSha256 ||
		*after.Configuration.LastModified != *before.Configuration.LastModified || after.Configuration.State != types.StateActive || after.Tags["k"] != "v" {
		t.Errorf("before %+v %v\nafter %+v %v", before.Configuration, before.Tags, after.Configuration, after.Tags)
	}
	var got []string
	f.answer(t, nil, &got, at("live"))
	if got[0] != "kept" || got[1] != "1" {
		t.Errorf("answer %v", got)
	}
}

// Two nodes on one machine do not get into each other's way, and the end of
// one is not the end of the other.
func TestTwoNodesOnOneMachine(t *testing.T) {
	t.Parallel()
	one, two := testnode.Start(t, testnode.Options{}), testnode.Start(t, testnode.Options{})
	if one.Name == two.Name {
		t.Fatalf("both nodes are called %s", one.Name)
	}
	f := tenantOf(t, one).create(t, spec{Name: "one"})
	g := tenantOf(t, two)
	made, err := g.lambda.CreateFunction(t.Context(), spec{Name: "two"}.input(t))
	if err != nil {
		t.Fatal(err)
	}
	g.waitActive(t, *made.FunctionName)
	(&function{tenant: g, name: "two"}).invoke(t, 1)
	f.invoke(t, 1)
	if err := two.Stop(); err != nil {
		t.Fatal(err)
	}
	f.invoke(t, 2)
}
