package function

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// NoReservation is the value of [View.Reserved] where the function has no
// reserved concurrency. Zero means that the function may not run.
const NoReservation = -1

// View is everything known about one function at one moment. It and all it
// refers to are immutable and shared: read, never write.
type View struct {
	Key
	FunctionID string
	// ARN is the function's ARN without qualifier.
	ARN string
	// Wanted is $LATEST as its owner last set it.
	Wanted *Revision
	// Serving is what answers a request for $LATEST: the last wanted revision
	// whose update was Successful. It is Wanted itself when no update is under
	// way or failed, and nil until the function was Active once.
	Serving *Revision
	// Previous is what served before Serving did: what a rollback goes back to.
	// It is nil until an update replaced something.
	Previous *Revision
	Status   Status
	// Since is when the first of the updates under way was accepted; zero when
	// none is.
	Since time.Time
	// RevisionID is the API's RevisionId: new at every change, not to be mixed
	// up with [Revision.ID].
	RevisionID   string
	LastModified time.Time
	// Versions holds the published versions by number.
	Versions map[string]*Version
	Aliases  map[string]*Alias
	// Policies holds the resource-based policies by qualifier, "" being the
	// function's own.
	Policies map[string]*Policy
	Tags     map[string]string
	// Provisioned holds the provisioned concurrency by version number or alias
	// name.
	Provisioned map[string]Provisioned
	// Reserved is the reserved concurrency, or NoReservation.
	Reserved int

	stored      uint64 // the revision of the record in state: what to compare and swap with
	nextVersion int
	refs        []versionRef // Versions as the record lists them, by number
}

// Version is one published version: a revision that never changes, and the
// status of the publication.
type Version struct {
	Revision
	Number       int
	RevisionID   string
	LastModified time.Time
	Status       Status

	body   string // names the stored body
	source string // fingerprint of the $LATEST it was made from
}

// Alias points at a published version, and sends a part of the requests to a
// second one where Additional is set. The Route is the one its owner last set;
// what answers is [Alias.Serving].
type Alias struct {
	Name string `json:"name"`
	Route
	Description string `json:"description,omitempty"`
	RevisionID  string `json:"revisionId"`
	// Previous is the version it pointed at before Version, "" for none: what a
	// rollback goes back to.
	Previous string `json:"previous,omitempty"`
	// Moving is set while something else serves than Route.
	Moving *Move `json:"moving,omitempty"`
	// Refused is set when the last change of the route was undone.
	Refused *Refusal `json:"refused,omitempty"`
}

// Policy is a resource-based policy.
type Policy struct {
	RevisionID string
	// Statements are in the order they were added.
	Statements []Statement
}

// Statement is one permission, kept as it will be returned.
type Statement struct {
	ID   string          `json:"id"`
	Body json.RawMessage `json:"body"`
}

// Described is what a qualifier stands for, as the API's read operations show it.
type Described struct {
	Revision     *Revision
	Status       Status
	RevisionID   string
	LastModified time.Time
	// Alias is set when the qualifier was an alias's name.
	Alias *Alias
}

// QualifiedARN is the ARN with a qualifier; without one it is ARN.
func (v *View) QualifiedARN(qualifier string) string {
	if qualifier == "" {
		return v.ARN
	}
	return v.ARN + ":" + qualifier
}

// Resolve says which revision a request for qualifier is to be answered by,
// and the version's name for X-Amz-Executed-Version. An empty qualifier means
// $LATEST. rnd, a source of numbers in [0, 1), is called at most once and only
// for an alias with weights. The error is an [*Error] of kind [NotFound], or
// [NotReady] when nothing can answer yet.
//
// While an alias moves, the route it comes from counts. A version that is
// published but still Pending is returned, since its code is stored and it can
// be booted. The deployment manager goes further, see deploy.Manager.Choose.
func (v *View) Resolve(qualifier string, rnd func() float64) (*Revision, string, error) {
	number := qualifier
	if a := v.Aliases[qualifier]; a != nil {
		route := a.Serving()
		number = route.Version
		if route.Additional != "" {
			number = route.Pick(rnd())
		}
	}
	rev, err := v.Revision(number)
	if err != nil {
		return nil, "", err
	}
	return rev, rev.Version, nil
}

// Revision is what serves under a version's name, "" meaning $LATEST. The
// error is an [*Error] of kind [NotFound], or [NotReady] when nothing can
// answer yet.
func (v *View) Revision(version string) (*Revision, error) {
	if version == "" || version == Latest {
		if v.Serving == nil {
			return nil, errState(v.Status.State)
		}
		return v.Serving, nil
	}
	ver := v.Versions[version]
	if ver == nil {
		return nil, errFunctionNotFound(v.QualifiedARN(version))
	}
	return &ver.Revision, nil
}

// Describe returns the configuration that qualifier names: $LATEST as wanted,
// a version, or the version an alias points at. The error is an [*Error] of
// kind [NotFound].
func (v *View) Describe(qualifier string) (Described, error) {
	alias := v.Aliases[qualifier]
	number := qualifier
	if alias != nil {
		number = alias.Version
	}
	if number == "" || number == Latest {
		return Described{Revision: v.Wanted, Status: v.Status, RevisionID: v.RevisionID, LastModified: v.LastModified, Alias: alias}, nil
	}
	ver := v.Versions[number]
	if ver == nil {
		return Described{}, errFunctionNotFound(v.QualifiedARN(qualifier))
	}
	return Described{Revision: &ver.Revision, Status: ver.Status, RevisionID: ver.RevisionID, LastModified: ver.LastModified, Alias: alias}, nil
}

// Alias returns the alias called name. The error is an [*Error] of kind [NotFound].
func (v *View) Alias(name string) (*Alias, error) {
	if a := v.Aliases[name]; a != nil {
		return a, nil
	}
	return nil, errAliasNotFound(v.QualifiedARN(name))
}

// Policy returns the resource-based policy of qualifier. The error is an
// [*Error] of kind [NotFound] when the qualifier does not exist or has none.
func (v *View) Policy(qualifier string) (*Policy, error) {
	if _, err := v.Describe(qualifier); err != nil {
		return nil, err
	}
	if p := v.Policies[policyKey(qualifier)]; p != nil {
		return p, nil
	}
	return nil, fail(NotFound, "The resource you requested does not exist.")
}

// VersionNumbers lists the published versions, lowest first.
func (v *View) VersionNumbers() []int {
	out := make([]int, 0, len(v.refs))
	for _, r := range v.refs {
		if v.Versions[strconv.Itoa(r.Number)] != nil {
			out = append(out, r.Number)
		}
	}
	return out
}

// VersionNames is VersionNumbers as qualifiers, the newest first.
func (v *View) VersionNames() []string {
	var names []string
	for _, n := range slices.Backward(v.VersionNumbers()) {
		names = append(names, strconv.Itoa(n))
	}
	return names
}

// AliasNames lists the aliases in alphabetical order.
func (v *View) AliasNames() []string { return slices.Sorted(maps.Keys(v.Aliases)) }
