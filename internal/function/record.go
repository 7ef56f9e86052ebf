package function

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/account"
)

// Keys in the bucket; see the package comment. Function names, account and
// function ids and numbers contain no dots.
const (
	recordPrefix = "f."
	bodyPrefix   = "v."
	ledgerPrefix = "r."
)

func recordKey(k Key) string { return recordPrefix + string(k.Account) + "." + k.Name }

func parseRecordKey(s string) (Key, error) {
	acct, name, ok := strings.Cut(strings.TrimPrefix(s, recordPrefix), ".")
	if !ok || acct == "" || name == "" {
		return Key{}, fmt.Errorf("malformed function key %q", s)
	}
	return Key{Account: account.ID(acct), Name: name}, nil
}

func bodyKey(functionID string, r versionRef) string {
	return bodyPrefix + functionID + "." + strconv.Itoa(r.Number) + "." + r.Body
}

// content is a pair of code and configuration as stored.
type content struct {
	CodeSHA256 string        `json:"sha256"`
	CodeSize   int64         `json:"size"`
	Config     Configuration `json:"config"`
	// Sealed is Config.Environment while it is in the store; see seal.go.
	Sealed []byte `json:"sealed,omitempty"`
}

// record is a function as stored, without the bodies of its versions.
type record struct {
	ID     string  `json:"id"`
	Wanted content `json:"wanted"`
	// Serving is nil when it is Wanted (the last update was successful) or
	// when nothing serves yet.
	Serving    *content                `json:"serving,omitempty"`
	Status     Status                  `json:"status"`
	Since      int64                   `json:"since,omitempty"` // see View.Since; Unix milliseconds
	RevisionID string                  `json:"revisionId"`
	Modified   int64                   `json:"modified"` // Unix milliseconds
	Next       int                     `json:"next"`     // the number of the next version
	Versions   []versionRef            `json:"versions,omitempty"`
	Aliases    map[string]*Alias       `json:"aliases,omitempty"`
	Policies   map[string]policyRecord `json:"policies,omitempty"`
	Tags       map[string]string       `json:"tags,omitempty"`
	// Provisioned is by version number or alias name.
	Provisioned map[string]provision `json:"provisioned,omitempty"`
	// Previous is what served before the present Serving.
	Previous *content `json:"previous,omitempty"`
	// Change is what made this record of the one before; see history.go.
	Change *Change `json:"change,omitempty"`
}

type policyRecord struct {
	RevisionID string      `json:"revisionId"`
	Statements []Statement `json:"statements"`
}

// versionRef is a record's mention of a published version.
type versionRef struct {
	Number int    `json:"n"`
	Body   string `json:"body"`
	// Status is nil once the version is Active.
	Status *Status `json:"status,omitempty"`
}

// body is a published version as stored: written once, never changed.
type body struct {
	content
	RevisionID string `json:"revisionId"`
	Modified   int64  `json:"modified"`
	// Source is the fingerprint of the $LATEST it was made from.
	Source string `json:"source"`

	stored uint64 // its revision in state, while no view has it
}

// record is the inverse of viewOf. The result shares nothing that an edit may
// change with v, except the contents of Configurations.
func (v *View) record() *record {
	r := &record{
		ID:         v.FunctionID,
		Wanted:     contentOf(v.Wanted),
		Status:     v.Status,
		RevisionID: v.RevisionID,
		Modified:   v.LastModified.UnixMilli(),
		Next:       v.nextVersion,
		Versions:   slices.Clone(v.refs),
		Aliases:    cloneMap(v.Aliases),
		Tags:       cloneMap(v.Tags),
		Policies:   make(map[string]policyRecord, len(v.Policies)),

		Provisioned: make(map[string]provision, len(v.Provisioned)),
	}
	for q, p := range v.Provisioned {
		r.Provisioned[q] = provision{N: p.N, Modified: p.Modified.UnixMilli()}
	}
	if !v.Since.IsZero() {
		r.Since = v.Since.UnixMilli()
	}
	if v.Serving != nil && v.Serving != v.Wanted {
		c := contentOf(v.Serving)
		r.Serving = &c
	}
	if v.Previous != nil {
		c := contentOf(v.Previous)
		r.Previous = &c
	}
	for q, p := range v.Policies {
		r.Policies[q] = policyRecord{RevisionID: p.RevisionID, Statements: slices.Clone(p.Statements)}
	}
	return r
}

func contentOf(r *Revision) content {
	return content{CodeSHA256: r.CodeSHA256, CodeSize: r.CodeSize, Config: r.Config}
}

func cloneMap[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	return out
}

// viewOf builds the view of a record. versions gives the version a reference
// names, or nil where its body is not known; reserved is the function's
// reserved concurrency.
func viewOf(key Key, arn string, rec *record, stored uint64, reserved int, versions func(versionRef) *Version) *View {
	v := &View{
		Key:          key,
		FunctionID:   rec.ID,
		ARN:          arn,
		Status:       rec.Status,
		RevisionID:   rec.RevisionID,
		LastModified: time.UnixMilli(rec.Modified).UTC(),
		Reserved:     reserved,
		stored:       stored,
		nextVersion:  rec.Next,
		refs:         rec.Versions,
	}
	if rec.Since != 0 {
		v.Since = time.UnixMilli(rec.Since).UTC()
	}
	v.Wanted = rec.Wanted.revision(key, rec.ID, arn, Latest)
	switch {
	case rec.Status.Update == Successful:
		v.Serving = v.Wanted
	case rec.Serving != nil:
		v.Serving = rec.Serving.revision(key, rec.ID, arn, Latest)
	}
	if rec.Previous != nil {
		v.Previous = rec.Previous.revision(key, rec.ID, arn, Latest)
	}
	if len(rec.Versions) > 0 {
		v.Versions = make(map[string]*Version, len(rec.Versions))
		for _, ref := range rec.Versions {
			if ver := versions(ref); ver != nil {
				v.Versions[ver.Version] = ver
			}
		}
	}
	if len(rec.Aliases) > 0 {
		v.Aliases = rec.Aliases
	}
	if len(rec.Tags) > 0 {
		v.Tags = rec.Tags
	}
	if len(rec.Provisioned) > 0 {
		v.Provisioned = make(map[string]Provisioned, len(rec.Provisioned))
		for q, p := range rec.Provisioned {
			v.Provisioned[q] = Provisioned{N: p.N, Modified: time.UnixMilli(p.Modified).UTC()}
		}
	}
	if len(rec.Policies) > 0 {
		v.Policies = make(map[string]*Policy, len(rec.Policies))
		for q, p := range rec.Policies {
			// A policy shares the RevisionId of what it belongs to; only a
			// version, which can't change, has one of its own for it.
			id := p.RevisionID
			if q == "" {
				id = rec.RevisionID
			} else if a := rec.Aliases[q]; a != nil {
				id = a.RevisionID
			}
			v.Policies[q] = &Policy{RevisionID: id, Statements: p.Statements}
		}
	}
	return v
}

func (c *content) revision(key Key, functionID, arn, version string) *Revision {
	return &Revision{
		ID:         revisionID(functionID, version, c.CodeSHA256, &c.Config),
		Key:        key,
		FunctionID: functionID,
		Version:    version,
		ARN:        arn,
		CodeSHA256: c.CodeSHA256,
		CodeSize:   c.CodeSize,
		Config:     c.Config,
	}
}

// version builds the published version that ref names from its body.
func (b *body) version(key Key, functionID, arn string, ref versionRef) *Version {
	ver := &Version{
		Revision:     *b.revision(key, functionID, arn, strconv.Itoa(ref.Number)),
		Number:       ref.Number,
		RevisionID:   b.RevisionID,
		LastModified: time.UnixMilli(b.Modified).UTC(),
		Status:       settled(),
		body:         ref.Body,
		source:       b.Source,
	}
	return ver.with(ref.Status)
}

// with is ver with another status; nil stands for Active.
func (ver *Version) with(status *Status) *Version {
	st := settled()
	if status != nil {
		st = *status
	}
	if ver.Status == st {
		return ver
	}
	next := *ver
	next.Status = st
	return &next
}
