package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a pipeline and tools like Terraform do for a release, by the AWS CLI and
// its waiters: publish with the update, move the alias, shift a part of the
// traffic, give it provisioned concurrency, delete the old version.
func TestAWSCLIRelease(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	aws := newAWSCLI(t, u)
	const name = "release"
	one, two, three := writeFile(t, "one.zip", tells(t, "one")), writeFile(t, "two.zip", tells(t, "two")), writeFile(t, "three.zip", tells(t, "three"))
	type configuration struct {
		Version, State, LastUpdateStatus, CodeSha256 string
	}
	executed := func(qualifier string) string {
		t.Helper()
		var meta struct{ ExecutedVersion, FunctionError string }
		out := filepath.Join(t.TempDir(), "out.json")
		aws.do(&meta, "invoke", "--function-name", name, "--qualifier", qualifier, "--payload", "fileb://"+writeFile(t, "event.json", []byte("{}")), out)
		content, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		var answer []string
		if err := json.Unmarshal(content, &answer); err != nil || answer[1] != meta.ExecutedVersion {
			t.Fatalf("%s answers %s as %s", qualifier, content, meta.ExecutedVersion)
		}
		return answer[0] + "@" + meta.ExecutedVersion
	}
	expect := func(qualifier, want string) {
		t.Helper()
		if got := executed(qualifier); got != want {
			t.Errorf("%s is answered by %s, want %s", qualifier, got, want)
		}
	}

	var first configuration
	aws.do(&first, "create-function", "--function-name", name, "--runtime", "python3.12", "--handler", "main.handler", "--role", role, "--zip-file", "fileb://"+one, "--publish")
	if first.Version != "1" {
		t.Errorf("created %+v", first)
	}
	aws.do(nil, "wait", "published-version-active", "--function-name", name, "--qualifier", "1")
	aws.do(nil, "create-alias", "--function-name", name, "--name", "live", "--function-version", "1")
	expect("live", "one@1")

	// A release: the version is there, active, and answers by its number before
	// anybody is sent to it.
	var second configuration
	aws.do(&second, "update-function-code", "--function-name", name, "--zip-file", "fileb://"+two, "--publish")
	if second.Version != "2" || second.CodeSha256 == first.CodeSha256 {
		t.Errorf("published %+v", second)
	}
	aws.do(nil, "wait", "function-updated-v2", "--function-name", name)
	aws.do(nil, "wait", "published-version-active", "--function-name", name, "--qualifier", "2")
	aws.do(&second, "get-function-configuration", "--function-name", name, "--qualifier", "2")
	if second.State != "Active" || second.LastUpdateStatus != "Successful" {
		t.Errorf("after the waiters: %+v", second)
	}
	expect("2", "two@2")
	expect("live", "one@1")

	// The alias: a part, then all.
	var alias struct {
		FunctionVersion, RevisionID string
		RoutingConfig               struct{ AdditionalVersionWeights map[string]float64 }
	}
	aws.do(&alias, "update-alias", "--function-name", name, "--name", "live", "--routing-config", "AdditionalVersionWeights={2=0.25}")
	if diff := cmp.Diff(map[string]float64{"2": 0.25}, alias.RoutingConfig.AdditionalVersionWeights); diff != "" || alias.FunctionVersion != "1" {
		t.Errorf("the alias is %+v", alias)
	}
	aws.refused("ResourceConflictException", "delete-function", "--function-name", name, "--qualifier", "2")
	aws.refused("PreconditionFailedException", "update-alias", "--function-name", name, "--name", "live", "--function-version", "2", "--revision-id", "stale")
	aws.do(&alias, "update-alias", "--function-name", name, "--name", "live", "--function-version", "2", "--routing-config", "AdditionalVersionWeights={}", "--revision-id", alias.RevisionID)
	aws.refused("ResourceConflictException", "delete-function", "--function-name", name, "--qualifier", "2")
	expect("live", "two@2")

	// Provisioned concurrency of what is live now.
	var provisioned struct {
		Status                                                                             string
		RequestedProvisionedConcurrentExecutions, AllocatedProvisionedConcurrentExecutions int
	}
	aws.refused("InvalidParameterValueException", "put-provisioned-concurrency-config", "--function-name", name, "--qualifier", "$LATEST", "--provisioned-concurrent-executions", "1")
	aws.do(&provisioned, "put-provisioned-concurrency-config", "--function-name", name, "--qualifier", "live", "--provisioned-concurrent-executions", "1")
	if provisioned.Status != "IN_PROGRESS" && provisioned.Status != "READY" || provisioned.RequestedProvisionedConcurrentExecutions != 1 {
		t.Errorf("put %+v", provisioned)
	}
	u.eventually(t, "the provisioned concurrency is ready", func() bool {
		aws.do(&provisioned, "get-provisioned-concurrency-config", "--function-name", name, "--qualifier", "live")
		return provisioned.Status == "READY" && provisioned.AllocatedProvisionedConcurrentExecutions == 1
	})
	var configs struct {
		ProvisionedConcurrencyConfigs []struct{ FunctionArn, Status string }
	}
	aws.do(&configs, "list-provisioned-concurrency-configs", "--function-name", name)
	if len(configs.ProvisionedConcurrencyConfigs) != 1 || !strings.HasSuffix(configs.ProvisionedConcurrencyConfigs[0].FunctionArn, ":"+name+":live") {
		t.Errorf("listed %+v", configs)
	}

	// The next release, with the old version deleted once nothing leads to it.
	aws.do(nil, "update-function-code", "--function-name", name, "--zip-file", "fileb://"+three, "--publish")
	aws.do(nil, "wait", "function-updated-v2", "--function-name", name)
	aws.do(nil, "update-alias", "--function-name", name, "--name", "live", "--function-version", "3")
	expect("live", "three@3")
	aws.do(nil, "delete-function", "--function-name", name, "--qualifier", "1")
	aws.do(nil, "delete-function", "--function-name", name, "--qualifier", "2")
	aws.refused("ResourceNotFoundException", "get-function", "--function-name", name, "--qualifier", "2")
	var versions struct{ Versions []configuration }
	aws.do(&versions, "list-versions-by-function", "--function-name", name)
	var names []string
	for _, v := range versions.Versions {
		names = append(names, v.Version)
	}
	if diff := cmp.Diff([]string{"$LATEST", "3"}, names); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	aws.do(nil, "delete-provisioned-concurrency-config", "--function-name", name, "--qualifier", "live")
	aws.refused("ProvisionedConcurrencyConfigNotFoundException", "get-provisioned-concurrency-config", "--function-name", name, "--qualifier", "live")
	aws.do(nil, "delete-function", "--function-name", name)
}
