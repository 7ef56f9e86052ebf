package lambdaapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
)

// timeFormat is LastModified's: ISO 8601 with milliseconds and an offset.
const timeFormat = "2006-01-02T15:04:05.000-0700"

// describe is a function's configuration as the API shows it for a qualifier.
func (a *API) describe(v *function.View, qualifier string) (*wire.FunctionConfiguration, error) {
	d, err := v.Describe(qualifier)
	if err != nil {
		return nil, err
	}
	out, err := a.configuration(d, v.QualifiedARN(qualifier))
	if err != nil {
		return nil, err
	}
	s := d.Status
	out.State, out.StateReason, out.StateReasonCode = present(string(s.State)), present(s.StateReason), present(s.StateReasonCode)
	out.LastUpdateStatus, out.LastUpdateStatusReason, out.LastUpdateStatusReasonCode =
		present(string(s.Update)), present(s.UpdateReason), present(s.UpdateReasonCode)
	out.RuntimeVersionConfig = &wire.RuntimeVersionConfig{RuntimeVersionArn: new(a.runtimeVersionARN(d.Revision.Config.Runtime))}
	return out, nil
}

// configuration is what ListFunctions shows: all but the state, the status of
// the last update and the runtime's version.
func (a *API) configuration(d function.Described, arn string) (*wire.FunctionConfiguration, error) {
	rev, config := d.Revision, &d.Revision.Config
	out := &wire.FunctionConfiguration{
		FunctionName:     new(rev.Name),
		FunctionArn:      new(arn),
		Runtime:          present(config.Runtime),
		Role:             new(config.Role),
		Handler:          present(config.Handler),
		CodeSize:         new(rev.CodeSize),
		Description:      new(config.Description),
		Timeout:          new(int64(config.TimeoutSec)),
		MemorySize:       new(int64(config.Memory)),
		LastModified:     new(d.LastModified.UTC().Format(timeFormat)),
		CodeSha256:       new(rev.CodeSHA256),
		Version:          new(rev.Version),
		TracingConfig:    &wire.TracingConfigResponse{Mode: new(config.TracingMode)},
		RevisionId:       new(d.RevisionID),
		PackageType:      new(config.PackageType),
		Architectures:    config.Architectures,
		EphemeralStorage: &wire.EphemeralStorage{Size: new(int64(config.EphemeralMB))},
		SnapStart:        &wire.SnapStartResponse{ApplyOn: new("None"), OptimizationStatus: new("Off")},
		LoggingConfig:    &wire.LoggingConfig{},
	}
	if len(config.Environment) > 0 {
		out.Environment = &wire.EnvironmentResponse{Variables: config.Environment}
	}
	for name, to := range map[string]any{
		"VpcConfig": &out.VpcConfig, "DeadLetterConfig": &out.DeadLetterConfig, "KMSKeyArn": &out.KMSKeyArn,
		"SnapStart": out.SnapStart, "LoggingConfig": out.LoggingConfig,
	} {
		if kept, ok := config.Extra[name]; ok {
			if err := json.Unmarshal(kept, to); err != nil {
				return nil, fmt.Errorf("%s of %s: %w", name, arn, err)
			}
		}
	}
	completeLogging(out.LoggingConfig, rev.Name)
	return out, nil
}

// completeLogging adds what Lambda assumes where an owner said nothing.
func completeLogging(l *wire.LoggingConfig, name string) {
	if l.LogFormat == nil {
		l.LogFormat = new("Text")
	}
	if *l.LogFormat == "JSON" {
		for _, level := range []**string{&l.ApplicationLogLevel, &l.SystemLogLevel} {
			if *level == nil {
				*level = new("INFO")
			}
		}
	}
	if l.LogGroup == nil {
		l.LogGroup = new("/aws/lambda/" + name)
	}
}

// runtimeVersionARN names a runtime in the form of Lambda's. Hearth runs what
// the node has, so that the identifier is all there is to tell versions by.
func (a *API) runtimeVersionARN(identifier string) string {
	sum := sha256.Sum256([]byte(identifier))
	return "arn:aws:lambda:" + a.opts.Region + "::runtime:" + hex.EncodeToString(sum[:])
}

// present is nil for "": members that are not there are left out.
func present(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// settings are the members of a configuration that can be given at the creation
// and changed later.
type settings struct {
	Runtime, Role, Handler, Description *string
	Timeout, MemorySize                 *int64
	Environment                         *wire.Environment
	EphemeralStorage                    *wire.EphemeralStorage
	TracingConfig                       *wire.TracingConfig
	Layers                              []string

	// Kept, and returned as they came.
	VpcConfig        *wire.VpcConfig
	DeadLetterConfig *wire.DeadLetterConfig
	KMSKeyArn        *string
	SnapStart        *wire.SnapStart
	LoggingConfig    *wire.LoggingConfig

	// Refused: what a function would miss if they were ignored.
	FileSystemConfigs      []wire.FileSystemConfig
	ImageConfig            *wire.ImageConfig
	CapacityProviderConfig *wire.CapacityProviderConfig
	DurableConfig          *wire.DurableConfig
	TenancyConfig          *wire.TenancyConfig
}

// check refuses settings that Hearth can't give a function.
func (a *API) check(s *settings) error {
	for what, given := range map[string]bool{
		"FileSystemConfigs":      len(s.FileSystemConfigs) > 0,
		"ImageConfig":            s.ImageConfig != nil,
		"CapacityProviderConfig": s.CapacityProviderConfig != nil,
		"DurableConfig":          s.DurableConfig != nil,
		"TenancyConfig":          s.TenancyConfig != nil,
	} {
		if given {
			return notImplemented(what)
		}
	}
	if len(s.Layers) > 0 {
		return refuse(invalidParameter, "Layer version %s does not exist.", s.Layers[0])
	}
	if n := value(s.Timeout); n > MaxTimeoutSec {
		return tooHigh("timeout", n, MaxTimeoutSec)
	}
	if n := value(s.MemorySize); n > int64(a.opts.MaxMemoryMB) {
		return tooHigh("memorySize", n, a.opts.MaxMemoryMB)
	}
	if s.Runtime != nil {
		if err := a.opts.ServesRuntime(*s.Runtime); err != nil {
			return refuse(invalidParameter, "Value %s at 'runtime' failed to satisfy constraint: %v", *s.Runtime, err)
		}
	}
	return nil
}

// tooHigh is about limits that are settings of Lambda's accounts, or of
// Hearth's nodes, and so not in the facts.
func tooHigh(member string, given int64, limit int) error {
	return refuse(validation, "1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d", given, member, limit)
}

// apply changes a configuration to what the settings say; what they don't
// mention stays.
func (s *settings) apply(c *function.Configuration) error {
	set(&c.Runtime, s.Runtime)
	set(&c.Role, s.Role)
	set(&c.Handler, s.Handler)
	set(&c.Description, s.Description)
	if s.Timeout != nil {
		c.TimeoutSec = int(*s.Timeout)
	}
	if s.MemorySize != nil {
		c.Memory = function.MemoryMB(*s.MemorySize)
	}
	if s.Environment != nil {
		c.Environment = s.Environment.Variables
	}
	if s.EphemeralStorage != nil && s.EphemeralStorage.Size != nil {
		c.EphemeralMB = int(*s.EphemeralStorage.Size)
	}
	if s.TracingConfig != nil {
		set(&c.TracingMode, s.TracingConfig.Mode)
	}
	if s.Layers != nil {
		c.Layers = s.Layers
	}
	if v := s.VpcConfig; v != nil {
		if err := keep(c, "VpcConfig", v, len(v.SubnetIds) == 0 && len(v.SecurityGroupIds) == 0); err != nil {
			return err
		}
	}
	if v := s.DeadLetterConfig; v != nil {
		if err := keep(c, "DeadLetterConfig", v, value(v.TargetArn) == ""); err != nil {
			return err
		}
	}
	if v := s.KMSKeyArn; v != nil {
		if err := keep(c, "KMSKeyArn", v, *v == ""); err != nil {
			return err
		}
	}
	if v := s.SnapStart; v != nil {
		if err := keep(c, "SnapStart", v, v.ApplyOn == nil); err != nil {
			return err
		}
	}
	if v := s.LoggingConfig; v != nil {
		return keep(c, "LoggingConfig", v, false)
	}
	return nil
}

func set(to, from *string) {
	if from != nil {
		*to = *from
	}
}

// keep stores a member under its name in the API, or removes it where it was
// given as nothing.
func keep(c *function.Configuration, name string, v any, nothing bool) error {
	if nothing {
		delete(c.Extra, name)
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if c.Extra == nil {
		c.Extra = map[string]json.RawMessage{}
	}
	c.Extra[name] = b
	return nil
}
