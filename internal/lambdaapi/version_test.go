package lambdaapi_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
)

func TestVersions(t *testing.T) {
	u := newTenant(t)
	f := aws.String("f")
	u.create(t, "f", nil)
	for _, content := range []string{"one", "two", "three"} {
		_, err := u.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: f, ZipFile: archive(t, "main.py", content)})
		must(t, err)
		u.settle(t, "f")
		_, err = u.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: f, Description: aws.String(content)})
		must(t, err)
	}
	same, err := u.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: f})
	must(t, err)
	if *same.Version != "3" || *same.FunctionArn != u.arn("f:3") || *same.Description != "three" {
		t.Errorf("published without a change: %+v", same)
	}
	_, err = u.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: f, CodeSha256: aws.String("other")})
	refusedWith(t, err, "InvalidParameterValueException", 400, "CodeSHA256 (other)")
	_, err = u.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: f, RevisionId: aws.String("other")})
	refusedWith(t, err, "PreconditionFailedException", 412, "The Revision Id provided does not match the latest Revision Id.")

	var arns []string
	pages := lambda.NewListVersionsByFunctionPaginator(u, &lambda.ListVersionsByFunctionInput{FunctionName: f, MaxItems: aws.Int32(3)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		for _, v := range page.Versions {
			arns = append(arns, *v.FunctionArn)
		}
	}
	if diff := cmp.Diff([]string{u.arn("f:$LATEST"), u.arn("f:1"), u.arn("f:2"), u.arn("f:3")}, arns); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}

	_, err = u.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: f, Qualifier: aws.String("2")})
	must(t, err)
	_, err = u.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: f, Qualifier: aws.String("2")})
	refusedWith(t, err, "ResourceNotFoundException", 404, "Function not found: "+u.arn("f:2"))
	_, err = u.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: f, Qualifier: aws.String("$LATEST")})
	refusedWith(t, err, "InvalidParameterValueException", 400, "$LATEST version cannot be deleted without deleting the function.")
	first, err := u.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f:1")})
	must(t, err)
	if *first.Version != "1" || *first.FunctionArn != u.arn("f:1") || first.State != types.StateActive {
		t.Errorf("version 1: %+v", first)
	}
}

func TestAliases(t *testing.T) {
	u := newTenant(t)
	f := aws.String("f")
	u.create(t, "f", func(in *lambda.CreateFunctionInput) { in.Publish = true })
	_, err := u.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: f, ZipFile: archive(t, "main.py", "two"), Publish: true})
	must(t, err)
	u.settle(t, "f")
	made, err := u.CreateAlias(t.Context(), &lambda.CreateAliasInput{
		FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("1"), Description: aws.String("what users see"),
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.25}},
	})
	must(t, err)
	if *made.AliasArn != u.arn("f:live") || *made.FunctionVersion != "1" || made.RoutingConfig.AdditionalVersionWeights["2"] != 0.25 || *made.Description != "what users see" {
		t.Errorf("alias %+v", made)
	}
	config, err := u.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: f, Qualifier: aws.String("live")})
	must(t, err)
	if *config.Version != "1" || *config.FunctionArn != u.arn("f:live") {
		t.Errorf("the alias's configuration: version %s of %s", *config.Version, *config.FunctionArn)
	}
	var taken *types.ResourceConflictException
	if _, err := u.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("1")}); !errors.As(err, &taken) {
		t.Errorf("created twice: %v", err)
	}
	_, err = u.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: f, Name: aws.String("12"), FunctionVersion: aws.String("1")})
	refusedWith(t, err, "ValidationException", 400, "Value '12' at 'name'")
	_, err = u.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: f, Name: aws.String("x"), FunctionVersion: aws.String("9")})
	refusedWith(t, err, "ResourceNotFoundException", 404, "Function not found: "+u.arn("f:9"))

	kept, err := u.UpdateAlias(t.Context(), &lambda.UpdateAliasInput{FunctionName: f, Name: aws.String("live"), Description: aws.String("")})
	must(t, err)
	if kept.RoutingConfig == nil || *kept.Description != "" || *kept.RevisionId == *made.RevisionId {
		t.Errorf("after another description: %+v", kept)
	}
	_, err = u.UpdateAlias(t.Context(), &lambda.UpdateAliasInput{FunctionName: f, Name: aws.String("live"), RevisionId: made.RevisionId})
	refusedWith(t, err, "PreconditionFailedException", 412, "")
	moved, err := u.UpdateAlias(t.Context(), &lambda.UpdateAliasInput{FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("2"), RoutingConfig: &types.AliasRoutingConfiguration{}})
	must(t, err)
	if moved.RoutingConfig != nil || *moved.FunctionVersion != "2" {
		t.Errorf("after the move: %+v", moved)
	}

	for _, name := range []string{"a", "b", "c"} {
		_, err := u.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: f, Name: &name, FunctionVersion: aws.String("1")})
		must(t, err)
	}
	list := func(version *string) (names []string) {
		pages := lambda.NewListAliasesPaginator(u, &lambda.ListAliasesInput{FunctionName: f, FunctionVersion: version, MaxItems: aws.Int32(2)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			must(t, err)
			for _, a := range page.Aliases {
				names = append(names, *a.Name)
			}
		}
		return names
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "live"}, list(nil)); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"live"}, list(aws.String("2"))); diff != "" {
		t.Errorf("aliases of version 2 (-want +got):\n%s", diff)
	}
	_, err = u.DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: f, Qualifier: aws.String("2")})
	refusedWith(t, err, "ResourceConflictException", 409, "[live]")
	for range 2 { // deleting what is gone is no error
		_, err = u.DeleteAlias(t.Context(), &lambda.DeleteAliasInput{FunctionName: f, Name: aws.String("live")})
		must(t, err)
	}
	_, err = u.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: f, Name: aws.String("live")})
	refusedWith(t, err, "ResourceNotFoundException", 404, "Cannot find alias arn: "+u.arn("f:live"))
}
