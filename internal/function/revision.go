package function

import (
	"encoding/json"

	"github.com/hearthd/hearth/internal/account"
)

// MemoryMB is an amount of memory in MiB, the unit Lambda calls MB.
type MemoryMB int

// Latest is the qualifier of the unpublished version.
const Latest = "$LATEST"

// Key names a function within one Hearth: the account that owns it and its name.
type Key struct {
	Account account.ID
	Name    string
}

// Configuration is what the owner set, at one point in time. A published
// Configuration is never modified; copy it to change it.
type Configuration struct {
	Runtime       string            `json:"runtime"`
	Handler       string            `json:"handler"`
	Role          string            `json:"role"`
	Description   string            `json:"description"`
	TimeoutSec    int               `json:"timeout"`
	Memory        MemoryMB          `json:"memory"`
	EphemeralMB   int               `json:"ephemeral"`
	Environment   map[string]string `json:"environment,omitempty"`
	Architectures []string          `json:"architectures"`
	Layers        []string          `json:"layers,omitempty"`
	PackageType   string            `json:"packageType"`
	TracingMode   string            `json:"tracing"`
	// Extra holds members that Hearth keeps and returns as they came
	// (VpcConfig, DeadLetterConfig, LoggingConfig, SnapStart, ...), by their
	// name in the API.
	Extra map[string]json.RawMessage `json:"extra,omitempty"`
}

// Revision is one immutable pair of code and configuration under one version
// name: what an environment is booted from. Two revisions with the same ID
// boot indistinguishable environments.
type Revision struct {
	// ID is a fingerprint of everything an environment is booted from:
	// function, version, code and the members of Config that reach it.
	ID string
	Key
	// FunctionID tells this function from a deleted one of the same name.
	FunctionID string
	// Version is "$LATEST" or a number.
	Version string
	// ARN is the function's ARN without qualifier.
	ARN string
	// CodeSHA256 is base64, as in the API; CodeSize is the zip's size in bytes.
	CodeSHA256 string
	CodeSize   int64
	Config     Configuration
}
