package function

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
)

// unbooted names the members of Configuration.Extra that no environment can
// notice, so that changing them makes no new revision.
var unbooted = map[string]bool{"DeadLetterConfig": true, "KMSKeyArn": true, "CodeSigningConfigArn": true}

// fields is a sequence of length-delimited fields, so that no two different sequences
// of fields are alike.
type fields []byte

func (p *fields) string(s string) {
	p.int(len(s))
	*p = append(*p, s...)
}

func (p *fields) int(n int) { *p = binary.LittleEndian.AppendUint64(*p, uint64(n)) }

func (p *fields) strings(ss []string) {
	p.int(len(ss))
	for _, s := range ss {
		p.string(s)
	}
}

// booted adds what an environment is booted from.
func (p *fields) booted(codeSHA string, c *Configuration) {
	p.string(codeSHA)
	p.string(c.Runtime)
	p.string(c.Handler)
	p.int(c.TimeoutSec)
	p.int(int(c.Memory))
	p.int(c.EphemeralMB)
	p.int(len(c.Environment))
	for _, k := range slices.Sorted(maps.Keys(c.Environment)) {
		p.string(k)
		p.string(c.Environment[k])
	}
	p.strings(c.Architectures)
	p.strings(c.Layers)
	p.string(c.PackageType)
	p.string(c.TracingMode)
	for _, k := range slices.Sorted(maps.Keys(c.Extra)) {
		if !unbooted[k] {
			p.string(k)
			p.string(string(c.Extra[k]))
		}
	}
}

func (p *fields) sum() string {
	sum := sha256.Sum256(*p)
	return hex.EncodeToString(sum[:8])
}

// revisionID is the [Revision.ID] of a version of a function.
func revisionID(functionID, version, codeSHA string, c *Configuration) string {
	p := make(fields, 0, 1024)
	p.string(functionID)
	p.string(version)
	p.booted(codeSHA, c)
	return p.sum()
}

// source identifies everything that a published version copies from $LATEST;
// publishing the same source twice in a row makes no second version.
func source(codeSHA string, c *Configuration) string {
	p := make(fields, 0, 1024)
	p.booted(codeSHA, c)
	p.string(c.Role)
	p.string(c.Description)
	for _, k := range slices.Sorted(maps.Keys(c.Extra)) {
		if unbooted[k] {
			p.string(k)
			p.string(string(c.Extra[k]))
		}
	}
	return p.sum()
}
