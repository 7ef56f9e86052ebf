package lambdaapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/hearthd/hearth/internal/lambdaapi"
)

// buckets answers as S3 does for signed requests for one object.
func buckets(t testing.TB, object []byte) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, code string) {
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>so it is</Message></Error>", code)
		}
		switch {
		case !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIABUCKET/"):
			refuse(http.StatusForbidden, "InvalidAccessKeyId")
		case r.URL.Path == "/packages/dir/some code.zip" && r.URL.Query().Get("versionId") == "v1":
			w.Write(object)
		case strings.HasPrefix(r.URL.Path, "/packages/"):
			refuse(http.StatusNotFound, "NoSuchKey")
		default:
			refuse(http.StatusNotFound, "NoSuchBucket")
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestCodeFromABucket(t *testing.T) {
	zip := archive(t, "main.py", "from a bucket")
	store := buckets(t, zip)
	u := start(t, func(o *lambdaapi.Options) {
		o.S3 = lambdaapi.S3{Endpoint: store.URL, AccessKeyID: "AKIABUCKET", SecretAccessKey: "secret"}
	}).tenant(t, "tenant")
	created := u.create(t, "f", func(in *lambda.CreateFunctionInput) {
		in.Code = &types.FunctionCode{S3Bucket: aws.String("packages"), S3Key: aws.String("dir/some code.zip"), S3ObjectVersion: aws.String("v1")}
	})
	if *created.CodeSha256 != digest(zip) {
		t.Errorf("CodeSha256 %s", *created.CodeSha256)
	}
	for _, c := range []struct{ bucket, code string }{{"packages", "NoSuchKey"}, {"elsewhere", "NoSuchBucket"}} {
		_, err := u.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), S3Bucket: &c.bucket, S3Key: aws.String("absent.zip")})
		refusedWith(t, err, "InvalidParameterValueException", 400, "Error occurred while GetObject. S3 Error Code: "+c.code+". S3 Error Message: so it is")
	}
}

func TestABucketThatDoesNotAnswer(t *testing.T) {
	store := buckets(t, nil)
	store.Close()
	u := start(t, func(o *lambdaapi.Options) { o.S3 = lambdaapi.S3{Endpoint: store.URL} }).tenant(t, "tenant")
	in := input(t, "f")
	in.Code = &types.FunctionCode{S3Bucket: aws.String("packages"), S3Key: aws.String("k")}
	_, err := u.CreateFunction(t.Context(), in)
	refusedWith(t, err, "InvalidParameterValueException", 400, "The S3 endpoint could not be asked")
}
