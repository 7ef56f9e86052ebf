package runtimes

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthd/hearth/internal/sandbox"
)

// Family is a language, or "provided" for programs that bring their own runtime.
type Family string

// The families Hearth can run.
const (
	Python   Family = "python"
	NodeJS   Family = "nodejs"
	Provided Family = "provided"
)

// Oldest versions of the languages that the clients support.
const (
	oldestPythonMinor = 8
	oldestNodeMajor   = 16
)

// Runtime is something that can be booted. Runtimes of one [Set] have distinct
// names; a pool of pre-booted environments may be keyed by Name.
type Runtime struct {
	// Name is the identifier that this runtime serves exactly, in Lambda's
	// words: python3.11, nodejs20.x, provided.
	Name   string
	Family Family
	// Path is the interpreter on the host and in the environment; empty for
	// Provided.
	Path string
	// Version is the interpreter's full version, such as 3.11.7.
	Version string
	// Mounts are the directories the interpreter needs besides the standard
	// root (/usr, /lib, /lib64, /bin, /sbin, /etc).
	Mounts []sandbox.Mount
}

// NotServedError is returned (wrapped or not) by [Set.For] for an identifier
// that nothing on this node can run.
type NotServedError struct {
	Identifier string
	// Reason is the half sentence that follows the identifier.
	Reason string
	// Available are the names of the runtimes that are there.
	Available []string
}

func (e *NotServedError) Error() string {
	return fmt.Sprintf("runtime %s %s; this node has %s", e.Identifier, e.Reason, strings.Join(e.Available, ", "))
}

// Set is what [Discover] found. It doesn't change.
type Set struct {
	runtimes  []Runtime
	clientDir string
	strict    bool
}

// List returns every runtime of the set, by family and version.
func (s *Set) List() []Runtime { return slices.Clone(s.runtimes) }

// Served says which runtime serves an identifier.
type Served struct {
	Identifier string
	Runtime    Runtime
	Exact      bool
}

// known are the identifiers of Lambda that Hearth understands.
var known = []string{
	"python3.8", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14",
	"nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x",
	"provided", "provided.al2", "provided.al2023",
}

// Served lists Lambda's identifiers that this set runs, and with what.
func (s *Set) Served() []Served {
	var out []Served
	for _, id := range known {
		if rt, exact, err := s.For(id); err == nil {
			out = append(out, Served{Identifier: id, Runtime: rt, Exact: exact})
		}
	}
	return out
}

// For returns the runtime that serves a runtime identifier of the Lambda API,
// and whether it is of exactly that version. Otherwise it is the nearest
// version of the same language, the newer of two equally near ones: code
// written for a version runs more often on a later one than on an earlier one.
// In a strict set only exact runtimes serve. The error is a [*NotServedError].
func (s *Set) For(identifier string) (rt Runtime, exact bool, err error) {
	family, want, reason := parseIdentifier(identifier)
	if reason != "" {
		return Runtime{}, false, s.notServed(identifier, reason)
	}
	best := -1
	for i, r := range s.runtimes {
		if r.Family != family {
			continue
		}
		if family == Provided {
			return r, true, nil
		}
		if best < 0 || nearer(want, ordinal(r), ordinal(s.runtimes[best])) {
			best = i
		}
	}
	if best < 0 {
		return Runtime{}, false, s.notServed(identifier, "needs an interpreter that was not found")
	}
	rt = s.runtimes[best]
	exact = ordinal(rt) == want
	if s.strict && !exact {
		return Runtime{}, false, s.notServed(identifier, "is not installed in that version (and the node is set to strict runtimes)")
	}
	return rt, exact, nil
}

func (s *Set) notServed(identifier, reason string) error {
	e := &NotServedError{Identifier: identifier, Reason: reason}
	for _, r := range s.runtimes {
		e.Available = append(e.Available, r.Name)
	}
	return e
}

// nearer reports whether version a is a better substitute for want than b.
func nearer(want, a, b int) bool {
	da, db := distance(want, a), distance(want, b)
	return da < db || da == db && a > b
}

func distance(a, b int) int {
	if a < b {
		a, b = b, a
	}
	return a - b
}

var identifierForm = regexp.MustCompile(`^(?:python3\.(\d{1,3})|nodejs(\d{1,3})\.x|(provided(?:\.al2(?:023)?)?))$`)

// parseIdentifier splits an identifier into its family and the number in which
// versions of the family differ. reason is not empty when Hearth can't run it.
func parseIdentifier(identifier string) (family Family, version int, reason string) {
	m := identifierForm.FindStringSubmatch(identifier)
	switch {
	case m == nil:
		return "", 0, "is not one that Hearth runs (its programs can be packaged for provided.al2023)"
	case m[1] != "":
		family = Python
		version, _ = strconv.Atoi(m[1])
		if version < oldestPythonMinor {
			reason = fmt.Sprintf("is older than python3.%d, the oldest that Hearth runs", oldestPythonMinor)
		}
	case m[2] != "":
		family = NodeJS
		version, _ = strconv.Atoi(m[2])
		if version < oldestNodeMajor {
			reason = fmt.Sprintf("is older than nodejs%d.x, the oldest that Hearth runs", oldestNodeMajor)
		}
	default:
		family = Provided
	}
	return family, version, reason
}

// ordinal is the number in which versions of the runtime's family differ: the
// minor version of Python, the major one of Node.js.
func ordinal(r Runtime) int {
	_, n, _ := parseIdentifier(r.Name)
	return n
}

// sortRuntimes orders by family, then version.
func sortRuntimes(list []Runtime) {
	rank := map[Family]int{Python: 0, NodeJS: 1, Provided: 2}
	slices.SortFunc(list, func(a, b Runtime) int {
		return cmp.Or(cmp.Compare(rank[a.Family], rank[b.Family]), cmp.Compare(ordinal(a), ordinal(b)), compareVersions(a.Version, b.Version))
	})
}

// compareVersions compares dotted numbers; what isn't a number counts as 0.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		var x, y int
		if i < len(as) {
			x, _ = strconv.Atoi(as[i])
		}
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return 0
}
