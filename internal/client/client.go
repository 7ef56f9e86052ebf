package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

const (
	// DefaultEndpoint is where a node listens unless it is told otherwise.
	DefaultEndpoint = "http://127.0.0.1:9400"
	// DefaultRegion is used where none is configured; nodes take any.
	DefaultRegion = "us-east-1"
)

// Options say where the node is and who asks; the zero value looks in the
// usual places.
type Options struct {
	// Endpoint is the node's URL; "" stands for HEARTH_ENDPOINT,
	// AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's endpoint_url and
	// DefaultEndpoint, in this order.
	Endpoint string
	// Profile is one of the AWS configuration's.
	Profile string
	// CredentialsFile, in the AWS format, comes before everything else.
	CredentialsFile string
	// NodeCredentials is the file that a node on this machine would have
	// written; it is looked at when nothing else says who asks.
	NodeCredentials string
}

// Client speaks to one node in the name of one access key. It is safe for
// concurrent use.
type Client struct {
	// Endpoint is the node's URL.
	Endpoint string
	// Source says where the credentials were found.
	Source string

	lambda *lambda.Client
	http   *http.Client
	signer *v4.Signer
	creds  aws.CredentialsProvider
	region string
}

// Open finds the node's address and the credentials. It does not connect.
func Open(ctx context.Context, o Options) (*Client, error) {
	c := &Client{
		http:   &http.Client{Transport: http.DefaultTransport},
		signer: v4.NewSigner(),
		region: DefaultRegion,
	}
	configured := os.Getenv("AWS_ENDPOINT_URL")
	if o.CredentialsFile != "" {
		if err := c.readCredentials(ctx, o.CredentialsFile, cmp.Or(o.Profile, "default")); err != nil {
			return nil, fmt.Errorf("read credentials: %w", err)
		}
	} else {
		cfg, err := awsConfig(ctx, o.Profile)
		if err != nil {
			return nil, err
		}
		configured = aws.ToString(cfg.BaseEndpoint) // AWS_ENDPOINT_URL or the profile's endpoint_url
		if err := c.authenticate(ctx, o, cfg); err != nil {
			return nil, err
		}
	}
	c.Endpoint = strings.TrimSuffix(cmp.Or(o.Endpoint, os.Getenv("HEARTH_ENDPOINT"), os.Getenv("AWS_ENDPOINT_URL_LAMBDA"), configured, DefaultEndpoint), "/")
	c.lambda = lambda.New(lambda.Options{
		BaseEndpoint: &c.Endpoint, Region: c.region, Credentials: c.creds,
		Retryer: aws.NopRetryer{}, // whoever asks sees each answer
	})
	return c, nil
}

// awsConfig reads what AWS's tools read.
func awsConfig(ctx context.Context, profile string) (aws.Config, error) {
	load := []func(*config.LoadOptions) error{
		config.WithEC2IMDSClientEnableState(imds.ClientDisabled),
		config.WithDefaultRegion(DefaultRegion),
	}
	if profile != "" {
		load = append(load, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return cfg, fmt.Errorf("read the AWS configuration: %w", err)
	}
	return cfg, nil
}

// authenticate takes the credentials that AWS's tools would, or the node's own.
func (c *Client) authenticate(ctx context.Context, o Options, cfg aws.Config) error {
	found, err := cfg.Credentials.Retrieve(ctx)
	if err == nil {
		c.creds, c.Source, c.region = cfg.Credentials, source(found), cfg.Region
		return nil
	}
	if o.Profile != "" {
		return fmt.Errorf("profile %s: %w", o.Profile, err)
	}
	if err := c.readCredentials(ctx, o.NodeCredentials, "default"); err != nil {
		return &CredentialsError{File: o.NodeCredentials, Err: err}
	}
	return nil
}

// source says where the SDK found credentials, in words of this package.
func source(found aws.Credentials) string {
	if found.Source == config.CredentialsSourceName {
		return "the environment (AWS_ACCESS_KEY_ID)"
	}
	return strings.TrimPrefix(found.Source, "SharedConfigCredentials: ")
}

// readCredentials takes the credentials of a file in the AWS format.
func (c *Client) readCredentials(ctx context.Context, file, profile string) error {
	if _, err := os.ReadFile(file); err != nil { // the SDK says of no error what it is
		return err
	}
	p, err := config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
		o.CredentialsFiles, o.ConfigFiles = []string{file}, []string{}
	})
	var none config.SharedConfigProfileNotExistError
	if errors.As(err, &none) {
		return fmt.Errorf("%s has no profile %s", file, profile)
	}
	if err != nil {
		return err
	}
	if !p.Credentials.HasKeys() {
		return fmt.Errorf("%s has no keys in its profile %s", file, profile)
	}
	c.creds = credentials.StaticCredentialsProvider{Value: p.Credentials}
	c.Source = file
	if p.Region != "" {
		c.region = p.Region
	}
	return nil
}

// CredentialsError says that there are no credentials.
type CredentialsError struct {
	File string // looked at last
	Err  error  // what was wrong with it
}

func (e *CredentialsError) Error() string {
	state := "which is not there"
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		state = "which you may not read"
	case !errors.Is(e.Err, fs.ErrNotExist):
		state = "which is of no use: " + e.Err.Error()
	}
	return fmt.Sprintf(`no credentials. Hearth looks for them
  in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,
  in the AWS configuration (~/.aws, AWS_PROFILE or --profile, AWS_SHARED_CREDENTIALS_FILE), and
  in %s, %s.
A node writes its first account's key to the file "credentials" in its data directory; name it with --credentials`, e.File, state)
}

func (e *CredentialsError) Unwrap() error { return e.Err }
