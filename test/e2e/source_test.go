package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Code may come from a bucket, by version too, and is the same function as
// if it had come with the request.
func TestCodeFromABucket(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	one, two := answers(t, "one"), answers(t, "two")
	store.put("packages", "dir/some code.zip", "", two)
	store.put("packages", "dir/some code.zip", "v1", one)
	store.put("packages", "broken.zip", "", []byte("no zip"))
	in := spec{Name: "stored", Handler: "main.handler"}.input(t)
	in.Code = &types.FunctionCode{S3Bucket: aws.String("packages"), S3Key: aws.String("dir/some code.zip"), S3ObjectVersion: aws.String("v1")}
	made, err := u.lambda.CreateFunction(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if *made.CodeSha256 != sha(one) {
		t.Errorf("CodeSha256 %s", *made.CodeSha256)
	}
	f := &function{tenant: u, name: "stored"}
	u.waitActive(t, f.name)
	var got []string
	f.answer(t, nil, &got)
	if got[0] != "one" {
		t.Errorf("answer %v", got)
	}
	if _, err := u.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &f.name, S3Bucket: aws.String("packages"), S3Key: aws.String("dir/some code.zip")}); err != nil {
		t.Fatal(err)
	}
	u.waitUpdated(t, f.name)
	f.answer(t, nil, &got)
	if got[0] != "two" {
		t.Errorf("answer %v", got)
	}
	for key, want := range map[string]string{"absent.zip": "S3", "broken.zip": "unzip"} {
		_, err := u.lambda.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &f.name, S3Bucket: aws.String("packages"), S3Key: aws.String(key)})
		var invalid *types.InvalidParameterValueException
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
