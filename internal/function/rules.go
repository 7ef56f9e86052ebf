package function

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// The defaults of a new function's configuration, and the limits of one.
const (
	DefaultTimeoutSec           = 3
	DefaultMemory      MemoryMB = 128
	DefaultEphemeralMB          = 512

	MaxEnvironmentBytes = 4 << 10
	MaxLayers           = 5
	MaxTags             = 50
	maxTagKey           = 128
	maxTagValue         = 256
)

// reservedVariables are set by the platform; AWS's list
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html)
// says which of them an owner may not set.
var reservedVariables = map[string]bool{
	"_HANDLER": true, "_X_AMZN_TRACE_ID": true,
	"AWS_DEFAULT_REGION": true, "AWS_REGION": true,
	"AWS_LAMBDA_FUNCTION_NAME": true, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": true, "AWS_LAMBDA_FUNCTION_VERSION": true,
	"AWS_LAMBDA_INITIALIZATION_TYPE": true, "AWS_LAMBDA_LOG_GROUP_NAME": true, "AWS_LAMBDA_LOG_STREAM_NAME": true,
	"AWS_ACCESS_KEY": true, "AWS_ACCESS_KEY_ID": true, "AWS_SECRET_ACCESS_KEY": true, "AWS_SESSION_TOKEN": true,
	"AWS_LAMBDA_RUNTIME_API": true, "LAMBDA_TASK_ROOT": true, "LAMBDA_RUNTIME_DIR": true,
}

func (c *Configuration) setDefaults() {
	if c.TimeoutSec == 0 {
		c.TimeoutSec = DefaultTimeoutSec
	}
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	if c.EphemeralMB == 0 {
		c.EphemeralMB = DefaultEphemeralMB
	}
	if len(c.Architectures) == 0 {
		c.Architectures = []string{"x86_64"}
	}
	if c.PackageType == "" {
		c.PackageType = "Zip"
	}
	if c.TracingMode == "" {
		c.TracingMode = "PassThrough"
	}
}

// Clone copies c deeply enough that the copy's maps and slices may be changed.
func (c Configuration) Clone() Configuration {
	c.Environment = maps.Clone(c.Environment)
	c.Architectures = slices.Clone(c.Architectures)
	c.Layers = slices.Clone(c.Layers)
	c.Extra = maps.Clone(c.Extra)
	return c
}

// check applies the rules that span several members; what a single member may
// be is the API model's to say.
func (c *Configuration) check() error {
	if c.PackageType == "Zip" && (c.Runtime == "" || c.Handler == "") {
		return fail(InvalidParameter, "Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if len(c.Layers) > MaxLayers {
		return fail(InvalidParameter, "Cannot reference more than %d layers.", MaxLayers)
	}
	return checkEnvironment(c.Environment)
}

// checkEnvironment never mentions a value: they are secrets more often than not.
func checkEnvironment(env map[string]string) error {
	var reserved []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		if reservedVariables[k] {
			reserved = append(reserved, k)
		}
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(env[k], 0) {
			return fail(InvalidParameter, "Environment variable names must not be empty or contain '=', and neither names nor values may contain NUL.")
		}
	}
	if reserved != nil {
		return fail(InvalidParameter, "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(reserved, ", "))
	}
	if len(env) == 0 {
		return nil
	}
	measured, err := json.Marshal(env)
	if err != nil {
		return fail(InvalidParameter, "Environment variables can't be encoded.")
	}
	if len(measured) > MaxEnvironmentBytes {
		return fail(InvalidParameter, "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: %d bytes of JSON", len(measured))
	}
	return nil
}

func checkTags(tags map[string]string) error {
	if len(tags) > MaxTags {
		return fail(InvalidParameter, "Number of tags exceeds resource tag limit.")
	}
	for k, v := range tags {
		switch {
		case k == "" || utf8.RuneCountInString(k) > maxTagKey:
			return fail(InvalidParameter, "The TagKey must have a length between 1 and %d.", maxTagKey)
		case utf8.RuneCountInString(v) > maxTagValue:
			return fail(InvalidParameter, "The TagValue must have a length of at most %d.", maxTagValue)
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return fail(InvalidParameter, "aws: prefixed tag key names are not allowed for external use.")
		}
		if err := checkUpdateTag(k, v); err != nil {
			return err
		}
	}
	return nil
}
