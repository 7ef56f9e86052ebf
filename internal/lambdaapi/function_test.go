package lambdaapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi"
)

// A function's life as the AWS SDK sees it.
func TestFunctionFromCreateToDelete(t *testing.T) {
	u := newTenant(t)
	code := archive(t, "main.py", "one")
	created, err := u.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("life"), Role: aws.String(role), Runtime: types.RuntimePython312, Handler: aws.String("main.handler"),
		Code: &types.FunctionCode{ZipFile: code}, MemorySize: aws.Int32(256), Timeout: aws.Int32(7), Description: aws.String("the first"),
		Environment: &types.Environment{Variables: map[string]string{"COLOUR": "red"}}, Tags: map[string]string{"team": "fire"},
		TracingConfig: &types.TracingConfig{Mode: types.TracingModeActive}, EphemeralStorage: &types.EphemeralStorage{Size: aws.Int32(600)},
	})
	must(t, err)
	if created.State != types.StatePending || created.StateReasonCode != types.StateReasonCodeCreating || created.LastUpdateStatus != "" {
		t.Errorf("a new function is %s (%s), %s", created.State, created.StateReasonCode, created.LastUpdateStatus)
	}
	u.settle(t, "life")
	got, err := u.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("life")})
	must(t, err)
	c := got.Configuration
	if c.State != types.StateActive || c.LastUpdateStatus != types.LastUpdateStatusSuccessful || *c.RevisionId == *created.RevisionId {
		t.Errorf("an active function is %s, %s", c.State, c.LastUpdateStatus)
	}
	if got.Tags["team"] != "fire" || got.Concurrency != nil || *got.Code.RepositoryType != "S3" {
		t.Errorf("tags %v, concurrency %v, code %+v", got.Tags, got.Concurrency, got.Code)
	}

	changed, err := u.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String("life"), RevisionId: c.RevisionId, Description: aws.String(""), MemorySize: aws.Int32(512),
	})
	must(t, err)
	if changed.LastUpdateStatus != types.LastUpdateStatusInProgress || *changed.MemorySize != 512 || *changed.Timeout != 7 || *changed.Description != "" || changed.Environment.Variables["COLOUR"] != "red" {
		t.Errorf("after the update: %+v", changed)
	}
	var busy *types.ResourceConflictException
	if _, err := u.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("life")}); !errors.As(err, &busy) {
		t.Errorf("published while an update is in progress: %v", err)
	}
	if _, err := u.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("life"), Timeout: aws.Int32(7)}); err != nil {
		t.Errorf("an update that overtakes another: %v", err)
	}
	u.settle(t, "life")
	emptied, err := u.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("life"), Environment: &types.Environment{}})
	must(t, err)
	if emptied.Environment != nil {
		t.Errorf("environment %v after it was emptied", emptied.Environment)
	}
	u.settle(t, "life")

	next := archive(t, "main.py", "two")
	updated, err := u.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("life"), ZipFile: next, Publish: true})
	must(t, err)
	if *updated.CodeSha256 != digest(next) || *updated.Version != "1" || *updated.FunctionArn != u.arn("life:1") || updated.State != types.StatePending {
		t.Errorf("after the update of the code: %+v", updated)
	}
	u.settle(t, "life")

	_, err = u.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String("life")})
	must(t, err)
	var gone *types.ResourceNotFoundException
	_, err = u.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("life")})
	if !errors.As(err, &gone) || *gone.Message != "Function not found: "+u.arn("life") || *gone.Type != "User" {
		t.Errorf("after the deletion: %v", err)
	}
}

// Clients and infrastructure tools find every member they look for, under its
// name and in its form.
func TestConfigurationHasEveryMember(t *testing.T) {
	u := newTenant(t)
	created := u.create(t, "whole", func(in *lambda.CreateFunctionInput) {
		in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1"}}
		in.DeadLetterConfig = &types.DeadLetterConfig{TargetArn: aws.String("arn:aws:sqs:us-east-1:123456789012:q")}
		in.KMSKeyArn = aws.String("arn:aws:kms:us-east-1:123456789012:key/k")
		in.SnapStart = &types.SnapStart{ApplyOn: types.SnapStartApplyOnPublishedVersions}
		in.LoggingConfig = &types.LoggingConfig{LogFormat: types.LogFormatJson}
		in.Environment = &types.Environment{Variables: map[string]string{"AB": "<&>"}}
	})
	a := u.send(t, "GET", "/2015-03-31/functions/whole/configuration", "")
	var got map[string]any
	must(t, json.Unmarshal([]byte(a.body), &got))
	if !strings.Contains(a.body, `"<&>"`) {
		t.Errorf("the answer escapes what JSON needs not: %s", a.body)
	}
	for _, name := range []string{"LastModified", "RevisionId", "RuntimeVersionConfig"} {
		if got[name] == nil {
			t.Errorf("%s is missing", name)
		}
		delete(got, name)
	}
	want := map[string]any{
		"FunctionName": "whole", "FunctionArn": u.arn("whole"), "Runtime": "python3.12", "Role": role, "Handler": "main.handler",
		"CodeSize": float64(created.CodeSize), "Description": "", "Timeout": 3.0, "MemorySize": 128.0, "CodeSha256": *created.CodeSha256,
		"Version": "$LATEST", "State": "Active", "LastUpdateStatus": "Successful", "PackageType": "Zip", "Architectures": []any{"x86_64"},
		"TracingConfig":    map[string]any{"Mode": "PassThrough"},
		"EphemeralStorage": map[string]any{"Size": 512.0},
		"SnapStart":        map[string]any{"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"},
		"LoggingConfig":    map[string]any{"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": "/aws/lambda/whole"},
		"VpcConfig":        map[string]any{"SubnetIds": []any{"subnet-1"}, "SecurityGroupIds": []any{"sg-1"}},
		"DeadLetterConfig": map[string]any{"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"},
		"KMSKeyArn":        "arn:aws:kms:us-east-1:123456789012:key/k",
		"Environment":      map[string]any{"Variables": map[string]any{"AB": "<&>"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000+0000", *created.LastModified); err != nil {
		t.Errorf("LastModified %s: %v", *created.LastModified, err)
	}

	// What was given as nothing is gone again.
	_, err := u.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
		FunctionName: aws.String("whole"), KMSKeyArn: aws.String(""), VpcConfig: &types.VpcConfig{SubnetIds: []string{}, SecurityGroupIds: []string{}},
		DeadLetterConfig: &types.DeadLetterConfig{TargetArn: aws.String("")},
	})
	must(t, err)
	a = u.send(t, "GET", "/2015-03-31/functions/whole/configuration", "")
	for _, name := range []string{"VpcConfig", "DeadLetterConfig", "KMSKeyArn"} {
		if strings.Contains(a.body, name) {
			t.Errorf("%s is still there: %s", name, a.body)
		}
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	before := u.send(t, "GET", "/2015-03-31/functions/f/configuration", "").body
	next := archive(t, "main.py", "two")
	dry, err := u.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: next, DryRun: true, Publish: true})
	must(t, err)
	if *dry.CodeSha256 != digest(next) || *dry.Version != "$LATEST" {
		t.Errorf("a dry run answers %+v", dry)
	}
	if after := u.send(t, "GET", "/2015-03-31/functions/f/configuration", "").body; after != before {
		t.Errorf("changed from %s to %s", before, after)
	}
	if _, err := u.node.code.Stat(t.Context(), digest(next)); err == nil {
		t.Error("the package was stored")
	}
}

// Everything the API refuses to create, with the exception that says so.
func TestCreateRefuses(t *testing.T) {
	n := start(t, func(o *lambdaapi.Options) {
		o.MaxMemoryMB = 3008
		o.ServesRuntime = func(identifier string) error {
			if strings.HasPrefix(identifier, "java") {
				return fmt.Errorf("this node has no Java")
			}
			return nil
		}
	})
	u := n.tenant(t, "tenant")
	u.create(t, "there", nil)
	for _, c := range []struct {
		name      string
		change    func(*lambda.CreateFunctionInput)
		exception string
		status    int
		message   string
	}{
		{"a name that is taken", func(in *lambda.CreateFunctionInput) { in.FunctionName = aws.String("there") }, "ResourceConflictException", 409, "Function already exist: there"},
		{"a bad name", func(in *lambda.CreateFunctionInput) { in.FunctionName = aws.String("no spaces") }, "ValidationException", 400, "1 validation error detected: Value 'no spaces' at 'functionName'"},
		{"a long name", func(in *lambda.CreateFunctionInput) { in.FunctionName = aws.String(strings.Repeat("f", 65)) }, "InvalidParameterValueException", 400, "functionName"},
		{"a qualified name", func(in *lambda.CreateFunctionInput) { in.FunctionName = aws.String("new:live") }, "InvalidParameterValueException", 400, "live"},
		{"another region", func(in *lambda.CreateFunctionInput) {
			in.FunctionName = aws.String("arn:aws:lambda:eu-west-1:" + string(u.id) + ":function:new")
		}, "ResourceNotFoundException", 404, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
		{"another account", func(in *lambda.CreateFunctionInput) {
			in.FunctionName = aws.String("arn:aws:lambda:us-east-1:000000000001:function:new")
		}, "AccessDeniedException", 403, "lambda:CreateFunction"},
		{"an unknown runtime", func(in *lambda.CreateFunctionInput) { in.Runtime = "cobol85" }, "InvalidParameterValueException", 400, "Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs, "},
		{"an unknown runtime and no handler", func(in *lambda.CreateFunctionInput) { in.Runtime, in.Handler = "cobol85", aws.String("a b") }, "ValidationException", 400, "1 validation error detected: Value 'a b' at 'handler'"},
		{"a runtime that nothing serves", func(in *lambda.CreateFunctionInput) { in.Runtime = types.RuntimeJava21 }, "InvalidParameterValueException", 400, "this node has no Java"},
		{"no runtime", func(in *lambda.CreateFunctionInput) { in.Runtime = "" }, "InvalidParameterValueException", 400, "Runtime and Handler are mandatory"},
		{"more memory than the node allows", func(in *lambda.CreateFunctionInput) { in.MemorySize = aws.Int32(3009) }, "ValidationException", 400, "Value '3009' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 3008"},
		{"too long", func(in *lambda.CreateFunctionInput) { in.Timeout = aws.Int32(901) }, "ValidationException", 400, "less than or equal to 900"},
		{"no zip", func(in *lambda.CreateFunctionInput) { in.Code.ZipFile = []byte("no zip") }, "InvalidParameterValueException", 400, "Could not unzip uploaded file"},
		{"no code", func(in *lambda.CreateFunctionInput) { in.Code = &types.FunctionCode{} }, "InvalidParameterValueException", 400, "Please provide a source for function code."},
		{"two sources", func(in *lambda.CreateFunctionInput) {
			in.Code.S3Bucket, in.Code.S3Key = aws.String("bucket"), aws.String("k")
		}, "InvalidParameterValueException", 400, "ZipFile"},
		{"half a source", func(in *lambda.CreateFunctionInput) { in.Code = &types.FunctionCode{S3Bucket: aws.String("bucket")} }, "InvalidParameterValueException", 400, "S3Key"},
		{"a bucket without an endpoint", func(in *lambda.CreateFunctionInput) {
			in.Code = &types.FunctionCode{S3Bucket: aws.String("bucket"), S3Key: aws.String("k")}
		}, "InvalidParameterValueException", 400, "no S3 endpoint"},
		{"a layer", func(in *lambda.CreateFunctionInput) {
			in.Layers = []string{"arn:aws:lambda:us-east-1:123456789012:layer:l:1"}
		}, "InvalidParameterValueException", 400, "Layer version arn:aws:lambda:us-east-1:123456789012:layer:l:1 does not exist."},
		{"an image", func(in *lambda.CreateFunctionInput) { in.PackageType = types.PackageTypeImage }, "InvalidRequestException", 501, "PackageType Image"},
		{"an image's URI", func(in *lambda.CreateFunctionInput) { in.Code = &types.FunctionCode{ImageUri: aws.String("i")} }, "InvalidRequestException", 501, "ImageUri"},
		{"a file system", func(in *lambda.CreateFunctionInput) {
			in.FileSystemConfigs = []types.FileSystemConfig{{Arn: aws.String("arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0"), LocalMountPath: aws.String("/mnt/x")}}
		}, "InvalidRequestException", 501, "FileSystemConfigs"},
		{"code signing", func(in *lambda.CreateFunctionInput) {
			in.CodeSigningConfigArn = aws.String("arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0")
		}, "CodeSigningConfigNotFoundException", 404, "csc-0123456789abcdef0"},
		{"a reserved variable", func(in *lambda.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AWS_REGION": "hearthstone"}}
		}, "InvalidParameterValueException", 400, "AWS_REGION"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := input(t, "new")
			c.change(in)
			_, err := u.CreateFunction(t.Context(), in)
			refusedWith(t, err, c.exception, c.status, c.message)
		})
	}
	if views, _ := n.catalog.List(u.id, "", 10); len(views) != 1 {
		t.Errorf("%d functions, something was created all the same", len(views))
	}
}

func TestListFunctions(t *testing.T) {
	u := newTenant(t)
	var want []string
	for i := range 5 {
		name := fmt.Sprintf("f%d", i)
		u.create(t, name, func(in *lambda.CreateFunctionInput) { in.Publish = i%2 == 0 })
		want = append(want, name)
	}
	for _, c := range []struct {
		name    string
		version types.FunctionVersion
		size    int32
		want    []string
	}{
		{"by pages", "", 2, want},
		{"in one page", "", 10000, want},
		{"all versions", types.FunctionVersionAll, 3, []string{"f0:$LATEST", "f0:1", "f1:$LATEST", "f2:$LATEST", "f2:1", "f3:$LATEST", "f4:$LATEST", "f4:1"}},
		{"all versions one by one", types.FunctionVersionAll, 1, []string{"f0:$LATEST", "f0:1", "f1:$LATEST", "f2:$LATEST", "f2:1", "f3:$LATEST", "f4:$LATEST", "f4:1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			pages := lambda.NewListFunctionsPaginator(u, &lambda.ListFunctionsInput{MaxItems: &c.size, FunctionVersion: c.version})
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				must(t, err)
				if len(page.Functions) > int(c.size) || len(page.Functions) == 0 {
					t.Errorf("a page of %d", len(page.Functions))
				}
				for _, f := range page.Functions {
					got = append(got, strings.TrimPrefix(*f.FunctionArn, u.arn("")))
					if f.State != "" || f.LastUpdateStatus != "" {
						t.Errorf("%s has a state, which lists don't show", *f.FunctionArn)
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("listed (-want +got):\n%s", diff)
			}
		})
	}
	if got := u.send(t, "GET", "/2015-03-31/functions?Marker=nonsense", ""); got.exception != "InvalidParameterValueException" {
		t.Errorf("a made-up marker: %+v", got)
	}
	if got := u.send(t, "GET", "/2015-03-31/functions/?MasterRegion=eu-west-1&FunctionVersion=ALL", ""); got.body != `{"Functions":[]}` {
		t.Errorf("replicas: %+v", got)
	}
}

func TestDownloadLink(t *testing.T) {
	n := start(t, func(o *lambdaapi.Options) { o.PublicURL = "" })
	mine, yours := n.tenant(t, "mine"), n.tenant(t, "yours")
	zip := archive(t, "main.py", "secret")
	mine.create(t, "f", func(in *lambda.CreateFunctionInput) { in.Code.ZipFile = zip })
	yours.create(t, "f", nil)
	got, err := mine.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	must(t, err)
	link := *got.Code.Location
	resp, err := http.Get(link)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != 200 || !bytes.Equal(body, zip) || resp.Header.Get("Content-Type") != "application/zip" {
		t.Errorf("%s: %d bytes", resp.Status, len(body))
	}

	get := func(url string) answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		must(t, err)
		return do(t, r)
	}
	if a := get(strings.Replace(link, "Expires=600", "Expires=6000", 1)); a.status != 403 {
		t.Errorf("a prolonged link: %+v", a)
	}
	path, _, _ := strings.Cut(strings.TrimPrefix(link, n.url), "?")
	if a := get(n.url + path); a.exception != "MissingAuthenticationTokenException" {
		t.Errorf("a link without a signature: %+v", a)
	}
	// Who knows the digest of another's package has no right to it.
	if a := yours.send(t, "GET", path, ""); a.exception != "ResourceNotFoundException" || a.status != 404 {
		t.Errorf("another account's package: %+v", a)
	}
	if a := mine.send(t, "GET", path[:len(path)-2]+"zz", ""); a.status != 404 {
		t.Errorf("no digest: %+v", a)
	}
}

func TestPublicURLStandsInLinks(t *testing.T) {
	u := start(t, func(o *lambdaapi.Options) { o.PublicURL = "https://hearth.example/" }).tenant(t, "tenant")
	u.create(t, "f", nil)
	got, err := u.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	must(t, err)
	if !strings.HasPrefix(*got.Code.Location, "https://hearth.example/hearth/v1/code/f/") {
		t.Errorf("link %s", *got.Code.Location)
	}
}

func digest(zip []byte) string {
	sum := sha256.Sum256(zip)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// What executions get stands in a header; the answer says what the owner set.
func TestEffectiveMemoryIsAHeader(t *testing.T) {
	n := start(t, func(o *lambdaapi.Options) {
		o.Effective = func(_ *function.View, rev *function.Revision) function.MemoryMB { return rev.Config.Memory / 2 }
	})
	u := n.tenant(t, "tenant")
	u.create(t, "f", func(in *lambda.CreateFunctionInput) { in.MemorySize = aws.Int32(1024) })
	a := u.send(t, "GET", "/2015-03-31/functions/f/configuration", "")
	if got := a.header.Get("X-Hearth-Effective-Memory"); got != "512" || !strings.Contains(a.body, `"MemorySize":1024`) {
		t.Errorf("header %q, answer %s", got, a.body)
	}
}
