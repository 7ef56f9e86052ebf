package lambdaapi_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hearthd/hearth/internal/deploy"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi"
)

// The states and counts of provisioned concurrency, as far as the node is with
// it, and what it is refused for.
func TestProvisionedConcurrencyOperations(t *testing.T) {
	var there deploy.Allocation
	n := start(t, func(o *lambdaapi.Options) {
		o.Allocation = func(*function.View, string) deploy.Allocation { return there }
	})
	u := n.tenant(t, "tenant")
	f := aws.String("f")
	u.create(t, "f", func(in *lambda.CreateFunctionInput) { in.Publish = true })
	for _, name := range []string{"a", "b", "c"} {
		_, err := u.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: f, Name: &name, FunctionVersion: aws.String("1")})
		must(t, err)
	}
	put := func(qualifier string, n int32) (*lambda.PutProvisionedConcurrencyConfigOutput, error) {
		return u.PutProvisionedConcurrencyConfig(t.Context(), &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: &qualifier, ProvisionedConcurrentExecutions: &n})
	}
	get := func(qualifier string) (*lambda.GetProvisionedConcurrencyConfigOutput, error) {
		return u.GetProvisionedConcurrencyConfig(t.Context(), &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: &qualifier})
	}
	_, err := put("$LATEST", 1)
	refusedWith(t, err, "InvalidParameterValueException", 400, "unpublished function versions")
	_, err = put("9", 1)
	refusedWith(t, err, "ResourceNotFoundException", 404, "Function not found: "+u.arn("f:9"))
	_, err = put("a", 901)
	refusedWith(t, err, "InvalidParameterValueException", 400, "below its minimum value of [100]")
	_, err = put("a", 0)
	refusedWith(t, err, "ValidationException", 400, "provisionedConcurrentExecutions")
	_, err = get("a")
	refusedWith(t, err, "ProvisionedConcurrencyConfigNotFoundException", 404, "No Provisioned Concurrency Config found for this function")
	_, err = get("$LATEST")
	refusedWith(t, err, "InvalidParameterValueException", 400, "must be an alias or a published version")

	made, err := put("a", 3)
	must(t, err)
	if made.Status != types.ProvisionedConcurrencyStatusEnumInProgress || *made.RequestedProvisionedConcurrentExecutions != 3 || *made.AllocatedProvisionedConcurrentExecutions != 0 {
		t.Errorf("put %+v", made)
	}
	_, err = put("1", 1)
	refusedWith(t, err, "ResourceConflictException", 409, "Version is pointed by a Provisioned Concurrency alias")
	for _, step := range []struct {
		there  deploy.Allocation
		status types.ProvisionedConcurrencyStatusEnum
		reason string
	}{
		{deploy.Allocation{Allocated: 1, Available: 1}, types.ProvisionedConcurrencyStatusEnumInProgress, ""},
		{deploy.Allocation{Allocated: 2, Available: 2, Failure: "why"}, types.ProvisionedConcurrencyStatusEnumFailed, "why"},
		{deploy.Allocation{Allocated: 3, Available: 2}, types.ProvisionedConcurrencyStatusEnumInProgress, ""}, // the alias moves
		{deploy.Allocation{Allocated: 3, Available: 3}, types.ProvisionedConcurrencyStatusEnumReady, ""},
	} {
		there = step.there
		got, err := get("a")
		must(t, err)
		if got.Status != step.status || aws.ToString(got.StatusReason) != step.reason || int(*got.AllocatedProvisionedConcurrentExecutions) != there.Allocated || int(*got.AvailableProvisionedConcurrentExecutions) != there.Available {
			t.Errorf("with %+v it is %+v", there, got)
		}
	}
	for _, name := range []string{"b", "c"} {
		_, err := put(name, 1)
		must(t, err)
	}
	var listed []string
	pages := lambda.NewListProvisionedConcurrencyConfigsPaginator(u, &lambda.ListProvisionedConcurrencyConfigsInput{FunctionName: f, MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		for _, p := range page.ProvisionedConcurrencyConfigs {
			listed = append(listed, *p.FunctionArn)
		}
	}
	if diff := cmp.Diff([]string{u.arn("f:a"), u.arn("f:b"), u.arn("f:c")}, listed); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	settings, err := u.GetAccountSettings(t.Context(), &lambda.GetAccountSettingsInput{})
	must(t, err)
	if n := *settings.AccountLimit.UnreservedConcurrentExecutions; n != 995 {
		t.Errorf("%d unreserved, want 995", n)
	}
	for range 2 { // deleting what is gone is no error
		_, err = u.DeleteProvisionedConcurrencyConfig(t.Context(), &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("a")})
		must(t, err)
	}
	_, err = get("a")
	refusedWith(t, err, "ProvisionedConcurrencyConfigNotFoundException", 404, "")
}
