package model_test

import (
	"strings"
	"testing"

	"github.com/hearthd/hearth/internal/lambdaapi/model"
)

const namePattern = `(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?`

// The messages are Lambda's own, as users see them in the wild.
func TestValidate(t *testing.T) {
	valid := model.Document{"FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Code": model.Document{}}
	with := func(name string, value any) model.Document {
		doc := model.Document{}
		for k, v := range valid {
			doc[k] = v
		}
		doc[name] = value
		return doc
	}
	for _, c := range []struct {
		name, operation string
		input           model.Document
		want            string
	}{
		{"valid", "CreateFunction", valid, ""},
		{"absent", "CreateFunction", model.Document{"FunctionName": "f", "Code": model.Document{}}, "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null"},
		{"pattern", "CreateFunction", with("FunctionName", "no spaces"), "1 validation error detected: Value 'no spaces' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: " + namePattern},
		{"too long", "CreateFunction", with("FunctionName", strings.Repeat("f", 141)), "1 validation error detected: Value '" + strings.Repeat("f", 141) + "' at 'functionName' failed to satisfy constraint: Member must have length less than or equal to 140"},
		{"two of one member", "CreateFunction", with("FunctionName", ""), "2 validation errors detected: Value '' at 'functionName' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: " + namePattern},
		{"two members, in their order", "GetAlias", model.Document{}, "2 validation errors detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null; Value null at 'name' failed to satisfy constraint: Member must not be null"},
		{"too small", "CreateFunction", with("MemorySize", int64(64)), "1 validation error detected: Value '64' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128"},
		{"too large", "CreateFunction", with("MemorySize", int64(1<<20)), "1 validation error detected: Value '1048576' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 32768"},
		{"enum", "CreateFunction", with("PackageType", "Tar"), "1 validation error detected: Value 'Tar' at 'packageType' failed to satisfy constraint: Member must satisfy enum value set: [Zip, Image]"},
		{"enum in a list", "CreateFunction", with("Architectures", []any{"sparc"}), "1 validation error detected: Value '[sparc]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"},
		{"null in a list", "CreateFunction", with("Architectures", []any{nil}), "1 validation error detected: Value '[null]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"},
		{"a long list", "CreateFunction", with("Architectures", []any{"arm64", "x86_64"}), "1 validation error detected: Value '[arm64, x86_64]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1"},
		{"pattern in a list", "CreateFunction", with("Layers", []any{"x"}), `1 validation error detected: Value '[x]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 140, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+, Member must not be null]`},
		{"nested", "CreateFunction", with("EphemeralStorage", model.Document{"Size": int64(1)}), "1 validation error detected: Value '1' at 'ephemeralStorage.size' failed to satisfy constraint: Member must have value greater than or equal to 512"},
		{"nested and absent", "CreateFunction", with("EphemeralStorage", model.Document{}), "1 validation error detected: Value null at 'ephemeralStorage.size' failed to satisfy constraint: Member must not be null"},
		{"in a list of structures", "CreateFunction", with("FileSystemConfigs", []any{model.Document{"Arn": "x", "LocalMountPath": "/mnt/x"}}), "1 validation error detected: Value 'x' at 'fileSystemConfigs.1.member.arn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:aws"},
		{"a secret map's keys", "CreateFunction", with("Environment", model.Document{"Variables": model.Document{"1": "hearthstone"}}), "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"},
		{"a map's values", "UpdateAlias", model.Document{"FunctionName": "f", "Name": "a", "RoutingConfig": model.Document{"AdditionalVersionWeights": model.Document{"2": 1.5}}}, "1 validation error detected: Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1, Member must have value greater than or equal to 0, Member must not be null]"},
		{"digits only", "CreateAlias", model.Document{"FunctionName": "f", "Name": "12", "FunctionVersion": "1"}, "1 validation error detected: Value '12' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"},
		{"lengths count characters", "CreateFunction", with("Description", strings.Repeat("ü", 256)), ""},
		{"a blob's length", "SendDurableExecutionCallbackSuccess", model.Document{"CallbackId": "aa", "Result": make([]byte, 262145)}, "1 validation error detected: Value at 'result' failed to satisfy constraint: Member must have length less than or equal to 262144"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := model.Lambda().Operation(c.operation).Validate(c.input); err != nil {
				got = err.Error()
			}
			if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// A secret never gets into a message, wherever it stands.
func TestSecretsAreNotRepeated(t *testing.T) {
	secret := model.Document{"Variables": model.Document{"A": "hearthstone", "OK": nil}}
	err := model.Lambda().Operation("CreateFunction").Validate(model.Document{"Environment": secret})
	if err == nil || strings.Contains(err.Error(), "hearthstone") {
		t.Errorf("%v", err)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	err := model.Lambda().Operation("GetFunction").Validate(model.Document{"FunctionName": strings.Repeat("ü", 1<<20)})
	if n := len(err.Error()); n > 4096 {
		t.Errorf("a message of %d bytes", n)
	}
}
