package lambdaapi

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/lambdaapi/model"
)

var update = flag.Bool("update", false, "write docs/compatibility.md")

var page = filepath.Join("..", "..", "docs", "compatibility.md")

// The page that tells users what works is made from the table that dispatches.
func TestCompatibilityPage(t *testing.T) {
	want := compatibilityPage()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/compatibility.md is not what the table says: run go generate ./internal/lambdaapi")
	}
}

// Every entry is an operation of the API, and one that can be served.
func TestTableNamesOperations(t *testing.T) {
	m := model.Lambda()
	for name, e := range table {
		switch {
		case m.Operation(name) == nil:
			t.Errorf("%s is no operation of the API", name)
		case e.serve == nil && name != "Invoke":
			t.Errorf("nothing serves %s", name)
		case e.state == planned:
			t.Errorf("%s is in the table and planned", name)
		}
	}
}

func compatibilityPage() string {
	var b strings.Builder
	count := map[state]int{}
	for _, op := range model.Lambda().Operations {
		count[table[op.Name].state]++
	}
	fmt.Fprintf(&b, `<!-- Made from the table in internal/lambdaapi by go generate. Don't edit it here. -->

# Compatibility with AWS Lambda

Hearth speaks the AWS Lambda API. Of its %d operations, %d work, %d read things that can't be made yet and say that there
are none, and %d are planned.

The input of **every** operation is checked by the facts of the API (required members, lengths, ranges, patterns, enums),
so that a bad request gets Lambda's exception, status and message. What is planned answers a valid request with status
501 and an %s that names the operation.

| operation | state | notes |
|---|---|---|
`, len(model.Lambda().Operations), count[works], count[none], count[planned], "`InvalidRequestException`")
	for _, op := range model.Lambda().Operations {
		e := table[op.Name]
		state := map[state]string{works: "**works**", none: "there are none", planned: "planned"}[e.state]
		note := e.note
		if op.Deprecated {
			note = strings.TrimSpace("Deprecated by AWS. " + note)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", op.Name, state, note)
	}
	b.WriteString(`
## Settings

| setting of a function | what Hearth does |
|---|---|
| Runtime, Handler, Role, Description, Timeout, MemorySize, Environment, EphemeralStorage, Architectures, Tags | in effect; the Role is kept, and no credentials are made of it |
| VpcConfig, DeadLetterConfig, KMSKeyArn, TracingConfig, LoggingConfig, SnapStart | kept and returned, without effect |
| Layers | refused: there are no layers yet |
| CodeSigningConfigArn | refused: there are no code signing configurations |
| FileSystemConfigs, ImageConfig, PackageType Image, ImageUri, SourceKMSKeyArn, CapacityProviderConfig, DurableConfig, TenancyConfig, PublishTo | refused with status 501: a function would miss them |

Limits are Lambda's: payloads of 6 MB, packages of 50 MB zipped and 250 MB unzipped, 15 minutes, 128 to 10,240 MB of
memory (a node may have a lower limit). Lists have pages of at most 50 items.

## Provisioned concurrency

A version or an alias with provisioned concurrency has that many environments initialised before anybody asks for them. They
are not ended for age or want of memory, are replaced when they end, and are there again after a restart. Their first
invocation is no cold start: no Init Duration, and ` + "`AWS_LAMBDA_INITIALIZATION_TYPE`" + ` is ` + "`provisioned-concurrency`" + `. An alias that
moves gets its environments of the new version before it moves. Invocations beyond them run in environments like any other's.
Requested is what was asked for, Allocated how many environments there are, and Available how many of them are of what the
alias sends requests to now. FAILED says why the last one did not start; Hearth goes on trying.

## Permissions

An account's access keys may do everything with the account's own functions. A function of another account is named by
its ARN, and its resource-based policy (AddPermission) says what the other account may do with it, for this operation
and for exactly what the ARN names: the function, a version or an alias. Statements with conditions never allow a caller
with an access key, because all conditions that AddPermission makes are about services, organizations and function URLs.

## What Hearth adds

| header of an answer to Invoke | meaning |
|---|---|
| ` + "`X-Hearth-Revision`" + ` | a fingerprint of the code and configuration that answered |
| ` + "`X-Hearth-Stale`" + ` | ` + "`true`" + ` when it is not what the owner wants; see [deployments.md](deployments.md) |
| ` + "`X-Hearth-Effective-Memory`" + ` | the memory in MB that the execution had in the end; also of answers to GetFunctionConfiguration: what executions get. MemorySize stays what the owner set |
| ` + "`X-Hearth-Suggested-Memory`" + ` | the memory in MB that the function should have, where that is more than it had |
| ` + "`X-Hearth-Start`" + ` | ` + "`cold`" + ` when the invocation waited for its environment to start, else ` + "`warm`" + ` |

| header of a request to Invoke | meaning |
|---|---|
| ` + "`X-Hearth-Update-Policy`" + `, ` + "`X-Hearth-Code-Sha256`" + ` | which revision may answer while a deployment is under way; see [deployments.md](deployments.md) |
| ` + "`X-Hearth-Memory-Size`" + ` | the memory in MB for this execution alone, from 128 (or the tag ` + "`hearth:sizing-min`" + `) to the function's MemorySize (or the tag ` + "`hearth:sizing-max`" + `) |

The tag ` + "`hearth:retry-on-oom`" + ` with the value ` + "`true`" + ` lets an invocation that was ended for want of memory run once more, with
twice as much or MemorySize, whichever is more, up to ` + "`hearth:sizing-max`" + `. The caller sees one answer, the log both.
`)
	return b.String()
}
