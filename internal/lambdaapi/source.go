package lambdaapi

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/hearthd/hearth/internal/code"
	"github.com/hearthd/hearth/internal/function"
)

// S3 is an S3-compatible service that packages are fetched from.
type S3 struct {
	// Endpoint is its URL; without one, S3Bucket and S3Key are refused. Buckets
	// are addressed in the path.
	Endpoint string
	// Region is what requests are signed for, us-east-1 when "".
	Region string
	// AccessKeyID and SecretAccessKey sign requests; without them requests are
	// anonymous.
	AccessKeyID, SecretAccessKey string
}

// maxFetched bounds what is read of an object: the code store has its own limit,
// which is lower.
const maxFetched = 256 << 20

// source is where a request says that code is.
type source struct {
	zip                  []byte
	bucket, key, version *string
	image, kmsKey        *string
}

// store takes a package into the code store.
func (c *call) store(src *source) (function.Package, error) {
	return c.take(src, c.opts.CodeStore.Put)
}

// inspect checks a package as store does, and leaves it.
func (c *call) inspect(src *source) (function.Package, error) {
	return c.take(src, c.opts.CodeStore.Check)
}

func (c *call) take(src *source, by func(context.Context, []byte) (code.Package, error)) (function.Package, error) {
	zip, err := c.fetch(src)
	if err != nil {
		return function.Package{}, err
	}
	pkg, err := by(c.ctx, zip)
	return function.Package{SHA256: pkg.SHA256, Size: pkg.Size}, err
}

// fetch returns the archive that a request names or brings.
func (c *call) fetch(src *source) ([]byte, error) {
	inBucket := src.bucket != nil || src.key != nil || src.version != nil
	switch {
	case value(src.kmsKey) != "":
		return nil, notImplemented("SourceKMSKeyArn (encrypted packages)")
	case src.image != nil:
		return nil, notImplemented("ImageUri (container images)")
	case src.zip != nil && inBucket:
		return nil, refuse(invalidParameter, "Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case src.zip != nil:
		return src.zip, nil
	case !inBucket:
		return nil, refuse(invalidParameter, "Please provide a source for function code.")
	case src.bucket == nil || src.key == nil:
		return nil, refuse(invalidParameter, "Please provide both S3Bucket and S3Key.")
	}
	return c.s3.fetch(c.ctx, *src.bucket, *src.key, src.version)
}

// s3Source fetches objects; client is nil where no endpoint is configured.
type s3Source struct {
	client *s3.Client
}

func newS3Source(o S3) s3Source {
	if o.Endpoint == "" {
		return s3Source{}
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	var keys aws.CredentialsProvider = aws.AnonymousCredentials{}
	if o.AccessKeyID != "" {
		keys = credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, "")
	}
	return s3Source{s3.New(s3.Options{Region: o.Region, BaseEndpoint: &o.Endpoint, UsePathStyle: true, Credentials: keys})}
}

func (s s3Source) fetch(ctx context.Context, bucket, key string, version *string) ([]byte, error) {
	if s.client == nil {
		return nil, refuse(invalidParameter, "This Hearth has no S3 endpoint to fetch s3://%s/%s from. Send the package as ZipFile, or configure an endpoint (hearth serve --s3-endpoint).", bucket, key)
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: version})
	if err != nil {
		return nil, refuseS3(err)
	}
	defer out.Body.Close()
	zip, err := io.ReadAll(io.LimitReader(out.Body, maxFetched))
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
	}
	return zip, nil
}

// refuseS3 says what S3 said, in Lambda's words. That nobody answered is for the
// owner of the function to know, too: they gave the bucket.
func refuseS3(err error) error {
	var said smithy.APIError
	if errors.As(err, &said) {
		return refuse(invalidParameter, "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", said.ErrorCode(), said.ErrorMessage())
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return refuse(invalidParameter, "Error occurred while GetObject. The S3 endpoint could not be asked: %v", err)
}
