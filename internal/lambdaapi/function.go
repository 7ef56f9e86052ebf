package lambdaapi

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/lambdaapi/wire"
	"github.com/hearthd/hearth/internal/sizing"
)

func (c *call) createFunction(in *wire.CreateFunctionRequest) (*wire.FunctionConfiguration, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	s := settings{
		Runtime: in.Runtime, Role: in.Role, Handler: in.Handler, Description: in.Description,
		Timeout: in.Timeout, MemorySize: in.MemorySize, Environment: in.Environment, EphemeralStorage: in.EphemeralStorage,
		TracingConfig: in.TracingConfig, Layers: in.Layers, VpcConfig: in.VpcConfig, DeadLetterConfig: in.DeadLetterConfig,
		KMSKeyArn: in.KMSKeyArn, SnapStart: in.SnapStart, LoggingConfig: in.LoggingConfig, FileSystemConfigs: in.FileSystemConfigs,
		ImageConfig: in.ImageConfig, CapacityProviderConfig: in.CapacityProviderConfig, DurableConfig: in.DurableConfig, TenancyConfig: in.TenancyConfig,
	}
	switch {
	case value(in.PackageType) == "Image":
		return nil, notImplemented("PackageType Image (container images)")
	case in.PublishTo != nil:
		return nil, notImplemented("PublishTo")
	case value(in.CodeSigningConfigArn) != "":
		return nil, refuse(codeSigningNotFound, "The code signing configuration cannot be found. Check that the provided configuration is not deleted: %s", *in.CodeSigningConfigArn)
	}
	if err := c.check(&s); err != nil {
		return nil, err
	}
	if err := errors.Join(sizing.CheckTags(in.Tags), invoke.CheckTags(in.Tags)); err != nil {
		return nil, err
	}
	config := function.Configuration{PackageType: value(in.PackageType), Architectures: in.Architectures}
	if err := s.apply(&config); err != nil {
		return nil, err
	}
	if _, exists := c.opts.Catalog.Lookup(t.Key); exists { // before the package is stored for nothing
		return nil, refuse(resourceConflict, "Function already exist: %s", t.Name)
	}
	src := source{zip: in.Code.ZipFile, bucket: in.Code.S3Bucket, key: in.Code.S3Key, version: in.Code.S3ObjectVersion, image: in.Code.ImageUri, kmsKey: in.Code.SourceKMSKeyArn}
	pkg, err := c.store(&src)
	if err != nil {
		return nil, err
	}
	publish := value(in.Publish)
	view, err := c.opts.Catalog.Create(c.ctx, t.Key, function.CreateInput{Config: config, Package: pkg, Tags: in.Tags, Publish: publish})
	if err != nil {
		return nil, err
	}
	return c.describe(view, published(view, publish))
}

// published is the qualifier of what an operation with Publish shows: the
// version it made, or else $LATEST without saying so.
func published(v *function.View, publish bool) string {
	if numbers := v.VersionNumbers(); publish && len(numbers) > 0 {
		return versionName(numbers[len(numbers)-1])
	}
	return ""
}

func (c *call) getFunction(in *wire.GetFunctionRequest) (*wire.GetFunctionResponse, error) {
	t, err := c.target(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	config, err := c.describe(view, t.qualifier)
	if err != nil {
		return nil, err
	}
	link, err := c.downloadLink(view.Key, *config.CodeSha256)
	if err != nil {
		return nil, err
	}
	out := &wire.GetFunctionResponse{
		Configuration: config,
		Code:          &wire.FunctionCodeLocation{RepositoryType: new("S3"), Location: &link},
		Tags:          view.Tags,
	}
	if view.Reserved != function.NoReservation {
		out.Concurrency = &wire.Concurrency{ReservedConcurrentExecutions: new(int64(view.Reserved))}
	}
	return out, nil
}

func (c *call) getFunctionConfiguration(in *wire.GetFunctionConfigurationRequest) (*wire.FunctionConfiguration, error) {
	t, err := c.target(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.Get(t.Key)
	if err != nil {
		return nil, err
	}
	out, err := c.describe(view, t.qualifier)
	if err == nil {
		c.showEffective(view, t.qualifier)
	}
	return out, err
}

// showEffective says in the answer's header what executions get. The answer
// itself says what the owner asked for, which sizing never changes.
func (c *call) showEffective(view *function.View, qualifier string) {
	if c.opts.Effective == nil {
		return
	}
	if d, err := view.Describe(qualifier); err == nil {
		c.answer.Set("X-Hearth-Effective-Memory", strconv.Itoa(int(c.opts.Effective(view, d.Revision))))
	}
}

func (c *call) updateFunctionCode(in *wire.UpdateFunctionCodeRequest) (*wire.FunctionConfiguration, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	if in.PublishTo != nil {
		return nil, notImplemented("PublishTo")
	}
	if _, err := c.opts.Catalog.Get(t.Key); err != nil { // before the package is stored for nothing
		return nil, err
	}
	dryRun := value(in.DryRun)
	src := source{zip: in.ZipFile, bucket: in.S3Bucket, key: in.S3Key, version: in.S3ObjectVersion, image: in.ImageUri, kmsKey: in.SourceKMSKeyArn}
	take := c.store
	if dryRun {
		take = c.inspect
	}
	pkg, err := take(&src)
	if err != nil {
		return nil, err
	}
	publish := value(in.Publish) && !dryRun
	view, err := c.opts.Catalog.UpdateCode(c.ctx, t.Key, function.UpdateCodeInput{
		Package: pkg, Architectures: in.Architectures, RevisionID: value(in.RevisionId), Publish: publish, DryRun: dryRun,
	})
	if err != nil {
		return nil, err
	}
	return c.describe(view, published(view, publish))
}

func (c *call) updateFunctionConfiguration(in *wire.UpdateFunctionConfigurationRequest) (*wire.FunctionConfiguration, error) {
	t, err := c.whole(in.FunctionName)
	if err != nil {
		return nil, err
	}
	s := settings{
		Runtime: in.Runtime, Role: in.Role, Handler: in.Handler, Description: in.Description,
		Timeout: in.Timeout, MemorySize: in.MemorySize, Environment: in.Environment, EphemeralStorage: in.EphemeralStorage,
		TracingConfig: in.TracingConfig, Layers: in.Layers, VpcConfig: in.VpcConfig, DeadLetterConfig: in.DeadLetterConfig,
		KMSKeyArn: in.KMSKeyArn, SnapStart: in.SnapStart, LoggingConfig: in.LoggingConfig, FileSystemConfigs: in.FileSystemConfigs,
		ImageConfig: in.ImageConfig, CapacityProviderConfig: in.CapacityProviderConfig, DurableConfig: in.DurableConfig,
	}
	if err := c.check(&s); err != nil {
		return nil, err
	}
	view, err := c.opts.Catalog.UpdateConfig(c.ctx, t.Key, value(in.RevisionId), s.apply)
	if err != nil {
		return nil, err
	}
	return c.describe(view, "")
}

func (c *call) deleteFunction(in *wire.DeleteFunctionRequest) (*wire.DeleteFunctionResponse, error) {
	t, err := c.target(in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if err := c.opts.Catalog.Delete(c.ctx, t.Key, t.qualifier); err != nil {
		return nil, err
	}
	return &wire.DeleteFunctionResponse{StatusCode: new(int64(http.StatusNoContent))}, nil
}
