package lambdaapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

func TestPermissionsAreKeptAsLambdaWritesThem(t *testing.T) {
	u := newTenant(t)
	f := aws.String("f")
	u.create(t, "f", func(in *lambda.CreateFunctionInput) { in.Publish = true })
	for _, c := range []struct {
		in   lambda.AddPermissionInput
		want string
	}{
		{lambda.AddPermissionInput{StatementId: aws.String("bucket"), Principal: aws.String("s3.amazonaws.com"), SourceArn: aws.String("arn:aws:s3:::pictures"), SourceAccount: aws.String("123456789012")},
			`{"Sid":"bucket","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + u.arn("f") + `","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::pictures"},"StringEquals":{"AWS:SourceAccount":"123456789012"}}}`},
		{lambda.AddPermissionInput{StatementId: aws.String("account"), Principal: aws.String("123456789012")},
			`{"Sid":"account","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"lambda:InvokeFunction","Resource":"` + u.arn("f") + `"}`},
		{lambda.AddPermissionInput{StatementId: aws.String("url"), Principal: aws.String("*"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone, InvokedViaFunctionUrl: aws.Bool(true)},
			`{"Sid":"url","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + u.arn("f") + `","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"},"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`},
		{lambda.AddPermissionInput{StatementId: aws.String("version"), Principal: aws.String("arn:aws:iam::123456789012:user/u"), Qualifier: aws.String("1")},
			`{"Sid":"version","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/u"},"Action":"lambda:InvokeFunction","Resource":"` + u.arn("f:1") + `"}`},
	} {
		c.in.FunctionName, c.in.Action = f, aws.String("lambda:InvokeFunction")
		out, err := u.AddPermission(t.Context(), &c.in)
		must(t, err)
		if diff := cmp.Diff(c.want, *out.Statement); diff != "" {
			t.Errorf("statement (-want +got):\n%s", diff)
		}
	}
	policy, err := u.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: f})
	must(t, err)
	var document struct {
		Version   string
		ID        string `json:"Id"`
		Statement []struct{ Sid string }
	}
	must(t, json.Unmarshal([]byte(*policy.Policy), &document))
	if document.Version != "2012-10-17" || document.ID != "default" || len(document.Statement) != 3 {
		t.Errorf("policy %s", *policy.Policy)
	}
	_, err = u.AddPermission(t.Context(), &lambda.AddPermissionInput{FunctionName: f, StatementId: aws.String("url"), Principal: aws.String("*"), Action: aws.String("lambda:*")})
	refusedWith(t, err, "ResourceConflictException", 409, "The statement id (url) provided already exists.")
	_, err = u.AddPermission(t.Context(), &lambda.AddPermissionInput{FunctionName: f, StatementId: aws.String("x"), Principal: aws.String("somebody"), Action: aws.String("lambda:*")})
	refusedWith(t, err, "InvalidParameterValueException", 400, "The provided principal was invalid.")
	_, err = u.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: f, StatementId: aws.String("url"), RevisionId: aws.String("stale")})
	refusedWith(t, err, "PreconditionFailedException", 412, "")
	_, err = u.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: f, StatementId: aws.String("url"), RevisionId: policy.RevisionId})
	must(t, err)
	_, err = u.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: f, StatementId: aws.String("url")})
	refusedWith(t, err, "ResourceNotFoundException", 404, "Statement url is not found in resource policy.")
	_, err = u.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: f, StatementId: aws.String("version"), Qualifier: aws.String("1")})
	must(t, err)
	_, err = u.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: f, Qualifier: aws.String("1")})
	refusedWith(t, err, "ResourceNotFoundException", 404, "The resource you requested does not exist.")
}

// Another account may do what the policy of exactly what it names allows, and
// nothing else.
func TestPermissionsAreEnforced(t *testing.T) {
	n := start(t, nil)
	mine, yours, theirs := n.tenant(t, "mine"), n.tenant(t, "yours"), n.tenant(t, "theirs")
	mine.create(t, "f", func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := mine.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")})
	must(t, err)
	invoke := func(by *tenant, arn string) error {
		_, err := by.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &arn})
		return err
	}
	denied := func(by *tenant, arn string) {
		t.Helper()
		refusedWith(t, invoke(by, arn), "AccessDeniedException", 403, fmt.Sprintf(
			"User: arn:aws:iam::%s:root is not authorized to perform: lambda:InvokeFunction on resource: %s because no resource-based policy allows the lambda:InvokeFunction action", by.id, arn))
	}
	allow := func(id, qualifier, principal, action string, change func(*lambda.AddPermissionInput)) {
		t.Helper()
		in := &lambda.AddPermissionInput{FunctionName: aws.String("f"), StatementId: &id, Principal: &principal, Action: &action}
		if qualifier != "" {
			in.Qualifier = &qualifier
		}
		if change != nil {
			change(in)
		}
		_, err := mine.AddPermission(t.Context(), in)
		must(t, err)
	}
	denied(yours, mine.arn("f"))
	denied(yours, mine.arn("absent")) // and does not learn that it is

	// What does not allow a caller with a key.
	allow("service", "", "s3.amazonaws.com", "lambda:InvokeFunction", nil)
	allow("conditional", "", string(yours.id), "lambda:InvokeFunction", func(in *lambda.AddPermissionInput) { in.SourceAccount = aws.String(string(yours.id)) })
	allow("everybody-by-url", "", "*", "lambda:InvokeFunction", func(in *lambda.AddPermissionInput) { in.FunctionUrlAuthType = types.FunctionUrlAuthTypeNone })
	allow("action", "", string(yours.id), "lambda:GetFunction", nil)
	allow("user", "", "arn:aws:iam::"+string(yours.id)+":user/u", "lambda:InvokeFunction", nil)
	denied(yours, mine.arn("f"))

	allow("account", "", string(yours.id), "lambda:InvokeFunction", nil)
	must(t, invoke(yours, mine.arn("f")))
	if got := n.invoker.last(t); got.Account != mine.id || got.Name != "f" {
		t.Errorf("invoked %+v", got)
	}
	must(t, invoke(yours, string(mine.id)+":function:f"))
	denied(theirs, mine.arn("f"))
	// A permission on the function is none on its versions and aliases.
	denied(yours, mine.arn("f:live"))
	denied(yours, mine.arn("f:1"))
	denied(yours, mine.arn("f:$LATEST"))
	allow("all", "live", "*", "lambda:*", nil)
	must(t, invoke(theirs, mine.arn("f:live")))
	denied(theirs, mine.arn("f:1"))

	// Other operations are for the policy to allow as well.
	got, err := yours.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String(mine.arn("f"))})
	must(t, err)
	if *got.Configuration.FunctionArn != mine.arn("f") {
		t.Errorf("got %s", *got.Configuration.FunctionArn)
	}
	_, err = theirs.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String(mine.arn("f"))})
	refusedWith(t, err, "AccessDeniedException", 403, "lambda:GetFunction")
	_, err = yours.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: aws.String(mine.arn("f"))})
	refusedWith(t, err, "AccessDeniedException", 403, "lambda:DeleteFunction")
	_, err = yours.TagResource(t.Context(), &lambda.TagResourceInput{Resource: aws.String(mine.arn("f")), Tags: map[string]string{"a": "b"}})
	refusedWith(t, err, "AccessDeniedException", 403, "lambda:TagResource")

	_, err = mine.RemovePermission(t.Context(), &lambda.RemovePermissionInput{FunctionName: aws.String("f"), StatementId: aws.String("account")})
	must(t, err)
	denied(yours, mine.arn("f"))
}

func TestPoliciesHaveALimit(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", nil)
	arn := aws.String("arn:aws:s3:::" + strings.Repeat("b", 8000))
	for i := range 3 {
		_, err := u.AddPermission(t.Context(), &lambda.AddPermissionInput{
			FunctionName: aws.String("f"), StatementId: aws.String(fmt.Sprint("s", i)), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("s3.amazonaws.com"), SourceArn: arn,
		})
		if i < 2 {
			must(t, err)
			continue
		}
		refusedWith(t, err, "PolicyLengthExceededException", 400, "bigger than the limit (20480)")
	}
}
