package testnode

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Region is the one that nodes under test are asked for; Hearth takes any.
const Region = "us-east-1"

// Credentials are one access key.
type Credentials struct {
	AccessKeyID string `json:"accessKeyId"`
	Secret      string `json:"secretAccessKey"`
}

// readCredentials reads the default profile of a shared-credentials file with
// the SDK's own parser.
func readCredentials(path string) (Credentials, error) {
	profile, err := config.LoadSharedConfigProfile(context.Background(), "default", func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles = []string{path}
		o.ConfigFiles = []string{}
	})
	if err != nil {
		return Credentials{}, fmt.Errorf("read the node's credentials: %w", err)
	}
	return Credentials{AccessKeyID: profile.Credentials.AccessKeyID, Secret: profile.Credentials.SecretAccessKey}, nil
}

func (c Credentials) provider() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.Secret, "")
}

// Sign signs a request for the service "lambda".
func (c Credentials) Sign(ctx context.Context, r *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	key, err := c.provider().Retrieve(ctx)
	if err != nil {
		return err
	}
	return v4.NewSigner().SignHTTP(ctx, key, r, hex.EncodeToString(sum[:]), "lambda", Region, time.Now())
}

// Environ are the variables by which AWS's tools find the node and the key.
func (n *Node) Environ(c Credentials) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + n.URL,
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.Secret,
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_REGION=" + Region,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_PAGER=",
		"AWS_MAX_ATTEMPTS=1",
		"AWS_RETRY_MODE=standard",
	}
}

// Lambda returns an SDK client that does not retry: a test wants to see every answer.
func (n *Node) Lambda(c Credentials, options ...func(*lambda.Options)) *lambda.Client {
	return lambda.New(lambda.Options{
		Region:       Region,
		BaseEndpoint: aws.String(n.URL),
		Credentials:  c.provider(),
		Retryer:      retry.AddWithMaxAttempts(aws.NopRetryer{}, 1),
	}, options...)
}
