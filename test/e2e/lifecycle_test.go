package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

// A function's whole life by the AWS SDK for Go: create, look, invoke, change
// code, change configuration, delete.
func TestFunctionFromCreateToDelete(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	code := python(t, "def handler(event, context):\n    return 'first'\n")
	created, err := u.lambda.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName:     aws.String("life"),
		Role:             aws.String(role),
		Runtime:          types.RuntimePython312,
		Handler:          aws.String("main.handler"),
		Code:             &types.FunctionCode{ZipFile: code},
		Description:      aws.String("the first"),
		MemorySize:       aws.Int32(256),
		Timeout:          aws.Int32(7),
		EphemeralStorage: &types.EphemeralStorage{Size: aws.Int32(600)},
		Environment:      &types.Environment{Variables: map[string]string{"COLOUR": "red"}},
		Architectures:    []types.Architecture{types.ArchitectureX8664},
		Tags:             map[string]string{"team": "fire"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantARN := fmt.Sprintf("arn:aws:lambda:us-east-1:%s:function:life", u.account)
	if *created.FunctionArn != wantARN {
		t.Errorf("ARN %s, want %s", *created.FunctionArn, wantARN)
	}
	if created.State != types.StatePending && created.State != types.StateActive {
		t.Errorf("state %s after the creation", created.State)
	}
	if got, want := *created.CodeSha256, sha(code); got != want {
		t.Errorf("CodeSha256 %s, want %s", got, want)
	}
	if created.CodeSize != int64(len(code)) {
		t.Errorf("CodeSize %d, want %d", created.CodeSize, len(code))
	}
	f := &function{tenant: u, name: "life"}
	u.waitActive(t, f.name)

	got, err := u.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &f.name})
	if err != nil {
		t.Fatal(err)
	}
	c := got.Configuration
	if c.State != types.StateActive || c.LastUpdateStatus != types.LastUpdateStatusSuccessful || *c.Version != "$LATEST" || *c.Timeout != 7 ||
		*c.MemorySize != 256 || *c.EphemeralStorage.Size != 600 || c.Environment.Variables["COLOUR"] != "red" || *c.Description != "the first" ||
		c.PackageType != types.PackageTypeZip || c.TracingConfig.Mode != types.TracingModePassThrough || *c.Handler != "main.handler" ||
		c.Architectures[0] != types.ArchitectureX8664 || *c.Role != role {
		t.Errorf("configuration %+v", c)
	}
	if got.Tags["team"] != "fire" {
		t.Errorf("tags %v", got.Tags)
	}
	if *got.Code.RepositoryType != "S3" {
		t.Errorf("repository type %q", *got.Code.RepositoryType)
	}
	if downloaded := download(t, *got.Code.Location); !bytes.Equal(downloaded, code) {
		t.Errorf("Code.Location gave %d bytes that are not the package", len(downloaded))
	}

	var answer string
	f.answer(t, nil, &answer)
	if answer != "first" {
		t.Errorf("answer %q", answer)
	}

	second := python(t, "import os\ndef handler(event, context):\n    return 'second ' + os.environ['COLOUR']\n")
	updated, err := u.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &f.name, ZipFile: second})
	if err != nil {
		t.Fatal(err)
	}
	if *updated.CodeSha256 != sha(second) || *updated.RevisionId == *c.RevisionId {
		t.Errorf("after the update: sha %s, revision %s (before: %s)", *updated.CodeSha256, *updated.RevisionId, *c.RevisionId)
	}
	u.waitUpdated(t, f.name)
	f.answer(t, nil, &answer)
	if answer != "second red" {
		t.Errorf("answer %q after the update of the code", answer)
	}

	configured, err := u.lambda.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &f.name,
		Environment:  &types.Environment{Variables: map[string]string{"COLOUR": "blue"}},
		MemorySize:   aws.Int32(512),
	})
	if err != nil {
		t.Fatal(err)
	}
	if *configured.MemorySize != 512 || *configured.Timeout != 7 || *configured.Description != "the first" {
		t.Errorf("members that were not given must stay: %+v", configured)
	}
	u.waitUpdated(t, f.name)
	f.answer(t, nil, &answer)
	if answer != "second blue" {
		t.Errorf("answer %q after the update of the configuration", answer)
	}

	if _, err := u.lambda.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &f.name}); err != nil {
		t.Fatal(err)
	}
	var gone *types.ResourceNotFoundException
	if _, err := u.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &f.name}); !errors.As(err, &gone) {
		t.Errorf("after the deletion: %v", err)
	}
	if _, err := f.try(t.Context(), nil); !errors.As(err, &gone) {
		t.Errorf("invoked after the deletion: %v", err)
	}
}

// A function deleted and created again under its name is another function.
func TestSameNameIsAnotherFunction(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	for i := range 3 {
		f := u.create(t, spec{Name: "again", Handler: "main.handler", Code: python(t, fmt.Sprintf("def handler(event, context):\n    return %d\n", i))})
		var n int
		f.answer(t, nil, &n)
		if n != i {
			t.Fatalf("the function of round %d answers %d", i, n)
		}
		if _, err := u.lambda.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &f.name}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestListFunctionsByPages(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("page-%d", i)
		want = append(want, name)
		u.create(t, spec{Name: name})
	}
	var got []string
	pages := 0
	p := lambda.NewListFunctionsPaginator(u.lambda, &lambda.ListFunctionsInput{MaxItems: aws.Int32(3)})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Functions) > 3 {
			t.Errorf("a page of %d functions, 3 were asked for", len(page.Functions))
		}
		pages++
		for _, f := range page.Functions {
			got = append(got, *f.FunctionName)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("functions listed (-want +got):\n%s", diff)
	}
	if pages < 3 {
		t.Errorf("%d pages", pages)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "tagged", Tags: map[string]string{"a": "1"}})
	if _, err := u.lambda.TagResource(t.Context(), &lambda.TagResourceInput{Resource: &f.arn, Tags: map[string]string{"b": "2", "c": "ü"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := u.lambda.UntagResource(t.Context(), &lambda.UntagResourceInput{Resource: &f.arn, TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	got, err := u.lambda.ListTags(t.Context(), &lambda.ListTagsInput{Resource: &f.arn})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"b": "2", "c": "ü"}, got.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}

func TestAccountSettingsCountFunctions(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	u.create(t, spec{Name: "counted"})
	got, err := u.lambda.GetAccountSettings(t.Context(), &lambda.GetAccountSettingsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if got.AccountLimit.ConcurrentExecutions != 1000 || *got.AccountLimit.UnreservedConcurrentExecutions != 1000 ||
		got.AccountLimit.CodeSizeUnzipped != 262144000 || got.AccountLimit.CodeSizeZipped != 52428800 {
		t.Errorf("limits %+v", got.AccountLimit)
	}
	if got.AccountUsage.FunctionCount != 1 || got.AccountUsage.TotalCodeSize != int64(len(tree(t, "ends"))) {
		t.Errorf("usage %+v", got.AccountUsage)
	}
}

func TestPermissionsAreKept(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "open"})
	added, err := u.lambda.AddPermission(t.Context(), &lambda.AddPermissionInput{
		FunctionName: &f.name, StatementId: aws.String("bucket"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("s3.amazonaws.com"), SourceArn: aws.String("arn:aws:s3:::pictures"), SourceAccount: aws.String("123456789012"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var statement struct {
		Sid, Effect, Action, Resource string
		Principal                     struct{ Service string }
		Condition                     map[string]map[string]string
	}
	decode(t, []byte(*added.Statement), &statement)
	if statement.Sid != "bucket" || statement.Effect != "Allow" || statement.Principal.Service != "s3.amazonaws.com" || statement.Resource != f.arn ||
		statement.Condition["ArnLike"]["AWS:SourceArn"] != "arn:aws:s3:::pictures" || statement.Condition["StringEquals"]["AWS:SourceAccount"] != "123456789012" {
		t.Errorf("statement %s", *added.Statement)
	}
	policy, err := u.lambda.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: &f.name})
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Version   string
		Statement []struct{ Sid string }
	}
	decode(t, []byte(*policy.Policy), &document)
	if document.Version != "2012-10-17" || len(document.Statement) != 1 || document.Statement[0].Sid != "bucket" {
		t.Errorf("policy %s", *policy.Policy)
	}
	if _, err := u.lambda.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: &f.name, StatementId: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	var none *types.ResourceNotFoundException
	if _, err := u.lambda.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: &f.name}); !errors.As(err, &none) {
		t.Errorf("the policy without statements: %v", err)
	}
}

// The steps of infrastructure tools: create by publishing, read everything
// back, change, read again, destroy.
func TestDeclaredInfrastructure(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.create(t, spec{Name: "declared", Publish: true, Tags: map[string]string{"managed": "yes"}})
	read := func() *lambda.GetFunctionOutput {
		t.Helper()
		got, err := u.lambda.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &f.name})
		if err != nil {
			t.Fatal(err)
		}
		versions, err := u.lambda.ListVersionsByFunction(t.Context(), &lambda.ListVersionsByFunctionInput{FunctionName: &f.name})
		if err != nil {
			t.Fatal(err)
		}
		if len(versions.Versions) != 2 {
			t.Errorf("%d versions, want $LATEST and 1", len(versions.Versions))
		}
		signing, err := u.lambda.GetFunctionCodeSigningConfig(t.Context(), &lambda.GetFunctionCodeSigningConfigInput{FunctionName: &f.name})
		if err != nil {
			t.Fatal(err)
		}
		if aws.ToString(signing.CodeSigningConfigArn) != "" {
			t.Errorf("code signing by %s", *signing.CodeSigningConfigArn)
		}
		if got.Concurrency != nil {
			t.Errorf("reserved concurrency %d, none was set", *got.Concurrency.ReservedConcurrentExecutions)
		}
		return got
	}
	before := read()
	dry, err := u.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &f.name, ZipFile: tree(t, "inspect"), DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if *dry.CodeSha256 != sha(tree(t, "inspect")) {
		t.Errorf("a dry run answers what would be: sha %s", *dry.CodeSha256)
	}
	after := read()
	if *after.Configuration.CodeSha256 != *before.Configuration.CodeSha256 || *after.Configuration.RevisionId != *before.Configuration.RevisionId {
		t.Errorf("a dry run changed the function")
	}
	if _, err := u.lambda.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: &f.name, Description: aws.String("plan"), RevisionId: after.Configuration.RevisionId}); err != nil {
		t.Fatal(err)
	}
	u.waitUpdated(t, f.name)
	if got := read(); *got.Configuration.Description != "plan" {
		t.Errorf("description %q", *got.Configuration.Description)
	}
}

func sha(code []byte) string {
	sum := sha256.Sum256(code)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// download fetches what a Code.Location names, without credentials.
func download(t testing.TB, url string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, body := fetch(t, request)
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d %.200s", url, status, body)
	}
	return []byte(body)
}
