package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hearthd/hearth/test/testnode"
)

// awsCLI runs the AWS CLI for an account. It names the endpoint in each command:
// CLIs before 2.13 and 1.29 do not know AWS_ENDPOINT_URL.
type awsCLI struct {
	t        testing.TB
	endpoint string
	env      []string
}

func newAWSCLI(t testing.TB, u *tenant) awsCLI {
	t.Helper()
	testnode.Require(t, testnode.Command("aws"))
	return awsCLI{t, u.node.URL, u.node.Environ(u.key)}
}

// run returns standard output and, when the command failed, what it said.
func (c awsCLI) run(args ...string) (stdout []byte, complaint string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), waitWithin)
	defer cancel()
	command := exec.CommandContext(ctx, "aws", append([]string{"--endpoint-url", c.endpoint, "--output", "json", "lambda"}, args...)...)
	command.Env = append(command.Environ(), c.env...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return out.Bytes(), err.Error() + ": " + errs.String()
	}
	return out.Bytes(), ""
}

// do runs a command that must succeed and decodes what it prints.
func (c awsCLI) do(into any, args ...string) {
	c.t.Helper()
	out, complaint := c.run(args...)
	if complaint != "" {
		c.t.Fatalf("aws lambda %s: %s", strings.Join(args, " "), complaint)
	}
	if into != nil {
		decode(c.t, out, into)
	}
}

// refused runs a command that must fail with the exception.
func (c awsCLI) refused(exception string, args ...string) {
	c.t.Helper()
	if _, complaint := c.run(args...); !strings.Contains(complaint, "("+exception+")") {
		c.t.Errorf("aws lambda %s: %q, want %s", strings.Join(args, " "), complaint, exception)
	}
}

// What README shows, and the rest of a function's life, by the AWS CLI.
func TestAWSCLI(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	aws := newAWSCLI(t, u)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.zip"), filepath.Join(dir, "second.zip")
	for path, code := range map[string][]byte{first: answers(t, "one"), second: answers(t, "two")} {
		if err := os.WriteFile(path, code, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var made struct{ FunctionArn, State, CodeSha256 string }
	aws.do(&made, "create-function", "--function-name", "cli", "--runtime", "python3.12", "--handler", "main.handler", "--role", role,
		"--zip-file", "fileb://"+first, "--timeout", "20", "--memory-size", "256", "--environment", "Variables={AA=1,BB=2}", "--tags", "team=fire")
	aws.do(nil, "wait", "function-active-v2", "--function-name", "cli")

	invoke := func(args ...string) (answer []string, meta struct {
		StatusCode               int
		FunctionError, LogResult string
		ExecutedVersion          string
	}) {
		t.Helper()
		out := filepath.Join(dir, "out.json")
		aws.do(&meta, append([]string{"invoke", "--function-name", "cli", "--payload", "fileb://" + writeFile(t, "event.json", []byte(`{"a": 1}`))}, append(args, out)...)...)
		content, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) > 0 {
			decode(t, content, &answer)
		}
		return answer, meta
	}
	answer, meta := invoke("--log-type", "Tail")
	if answer[0] != "one" || meta.StatusCode != 200 || meta.LogResult == "" || meta.FunctionError != "" || meta.ExecutedVersion != "$LATEST" {
		t.Errorf("invoke: %v %+v", answer, meta)
	}
	if answer, meta := invoke("--invocation-type", "DryRun"); answer != nil || meta.StatusCode != 204 {
		t.Errorf("dry run: %v %+v", answer, meta)
	}

	var configuration struct {
		State, LastUpdateStatus, Handler string
		MemorySize                       int
		Environment                      struct{ Variables map[string]string }
	}
	aws.do(nil, "update-function-code", "--function-name", "cli", "--zip-file", "fileb://"+second)
	aws.do(nil, "wait", "function-updated-v2", "--function-name", "cli")
	aws.do(nil, "update-function-configuration", "--function-name", "cli", "--memory-size", "300", "--environment", "Variables={AA=3}")
	aws.do(nil, "wait", "function-updated-v2", "--function-name", "cli")
	aws.do(&configuration, "get-function-configuration", "--function-name", "cli")
	if configuration.MemorySize != 300 || configuration.LastUpdateStatus != "Successful" || configuration.Environment.Variables["AA"] != "3" || len(configuration.Environment.Variables) != 1 {
		t.Errorf("configuration %+v", configuration)
	}
	if answer, _ := invoke(); answer[0] != "two" {
		t.Errorf("answer %v", answer)
	}

	var version struct{ Version, CodeSha256 string }
	aws.do(&version, "publish-version", "--function-name", "cli", "--description", "release")
	aws.do(nil, "create-alias", "--function-name", "cli", "--name", "live", "--function-version", version.Version)
	if answer, meta := invoke("--qualifier", "live"); answer[1] != "1" || meta.ExecutedVersion != "1" {
		t.Errorf("alias: %v %+v", answer, meta)
	}
	aws.do(nil, "update-alias", "--function-name", "cli", "--name", "live", "--description", "what is live")
	var aliases struct {
		Aliases []struct{ Name, FunctionVersion, Description string }
	}
	aws.do(&aliases, "list-aliases", "--function-name", "cli")
	if len(aliases.Aliases) != 1 || aliases.Aliases[0].Description != "what is live" || aliases.Aliases[0].FunctionVersion != "1" {
		t.Errorf("aliases %+v", aliases)
	}
	aws.do(nil, "delete-alias", "--function-name", "cli", "--name", "live")

	aws.do(nil, "tag-resource", "--resource", made.FunctionArn, "--tags", "a=b")
	aws.do(nil, "untag-resource", "--resource", made.FunctionArn, "--tag-keys", "team")
	var tags struct{ Tags map[string]string }
	aws.do(&tags, "list-tags", "--resource", made.FunctionArn)
	if diff := cmp.Diff(map[string]string{"a": "b"}, tags.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}

	aws.do(nil, "put-function-concurrency", "--function-name", "cli", "--reserved-concurrent-executions", "5")
	var concurrency struct{ ReservedConcurrentExecutions int }
	aws.do(&concurrency, "get-function-concurrency", "--function-name", "cli")
	if concurrency.ReservedConcurrentExecutions != 5 {
		t.Errorf("concurrency %+v", concurrency)
	}
	aws.do(nil, "delete-function-concurrency", "--function-name", "cli")
	aws.do(nil, "add-permission", "--function-name", "cli", "--statement-id", "s", "--action", "lambda:InvokeFunction", "--principal", "events.amazonaws.com")
	var policy struct{ Policy string }
	aws.do(&policy, "get-policy", "--function-name", "cli")
	if !json.Valid([]byte(policy.Policy)) {
		t.Errorf("policy %q", policy.Policy)
	}
	aws.do(nil, "remove-permission", "--function-name", "cli", "--statement-id", "s")
	aws.do(nil, "get-account-settings")

	for _, name := range []string{"cli-2", "cli-3"} {
		aws.do(nil, "create-function", "--function-name", name, "--runtime", "python3.12", "--handler", "main.handler", "--role", role, "--zip-file", "fileb://"+first)
	}
	var listed struct {
		Functions []struct{ FunctionName string }
	}
	aws.do(&listed, "list-functions", "--page-size", "1")
	if len(listed.Functions) != 3 {
		t.Errorf("listed %+v", listed)
	}

	aws.refused("ResourceNotFoundException", "get-function", "--function-name", "absent")
	aws.refused("ResourceConflictException", "create-function", "--function-name", "cli", "--runtime", "python3.12", "--handler", "main.handler", "--role", role, "--zip-file", "fileb://"+first)
	aws.refused("InvalidParameterValueException", "update-function-configuration", "--function-name", "cli", "--runtime", "cobol85")
	for _, name := range []string{"cli", "cli-2", "cli-3"} {
		aws.do(nil, "delete-function", "--function-name", name)
	}
	aws.refused("ResourceNotFoundException", "invoke", "--function-name", "cli", filepath.Join(dir, "none"))
}
