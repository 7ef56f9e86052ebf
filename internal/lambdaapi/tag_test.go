package lambdaapi_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"
)

func TestTags(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", func(in *lambda.CreateFunctionInput) { in.Tags = map[string]string{"a": "1"} })
	arn := aws.String(u.arn("f"))
	_, err := u.TagResource(t.Context(), &lambda.TagResourceInput{Resource: arn, Tags: map[string]string{"b": "2", "hearth:sizing": "apply"}})
	must(t, err)
	_, err = u.UntagResource(t.Context(), &lambda.UntagResourceInput{Resource: arn, TagKeys: []string{"a", "b", "absent"}})
	must(t, err)
	got, err := u.ListTags(t.Context(), &lambda.ListTagsInput{Resource: arn})
	must(t, err)
	if diff := cmp.Diff(map[string]string{"hearth:sizing": "apply"}, got.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	// An ARN may stand in the path as it is.
	if a := u.send(t, "GET", "/2017-03-31/tags/"+*arn, ""); a.body != `{"Tags":{"hearth:sizing":"apply"}}` {
		t.Errorf("%+v", a)
	}
	_, err = u.ListTags(t.Context(), &lambda.ListTagsInput{Resource: aws.String(u.arn("f:1"))})
	refusedWith(t, err, "InvalidParameterValueException", 400, "versions")
	_, err = u.ListTags(t.Context(), &lambda.ListTagsInput{Resource: aws.String(u.arn("absent"))})
	refusedWith(t, err, "ResourceNotFoundException", 404, "Function not found")
	_, err = u.ListTags(t.Context(), &lambda.ListTagsInput{Resource: aws.String("arn:aws:lambda:us-east-1:" + string(u.id) + ":code-signing-config:csc-0123456789abcdef0")})
	refusedWith(t, err, "ResourceNotFoundException", 404, "csc-")
	_, err = u.ListTags(t.Context(), &lambda.ListTagsInput{Resource: aws.String("f")})
	refusedWith(t, err, "ValidationException", 400, "Value 'f' at 'resource'")
}

// Sizing's settings travel as tags, and are looked at when they are set.
func TestTagsOfSizingAreValidated(t *testing.T) {
	u := newTenant(t)
	u.create(t, "f", func(in *lambda.CreateFunctionInput) { in.Tags = map[string]string{"hearth:sizing-max": "512"} })
	for tag, value := range map[string]string{"hearth:sizing": "on", "hearth:sizing-min": "513", "hearth:sizing-goal": "p95", "hearth:retry-on-oom": "perhaps"} {
		_, err := u.TagResource(t.Context(), &lambda.TagResourceInput{Resource: aws.String(u.arn("f")), Tags: map[string]string{tag: value}})
		refusedWith(t, err, "InvalidParameterValueException", 400, tag)
	}
}
