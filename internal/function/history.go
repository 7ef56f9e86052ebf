package function

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/account"
)

// Platform is who makes the changes that nobody asked for in person: an update
// that became Successful or Failed, an alias that finished its move.
const Platform = "hearth"

// Author is who asks for a change, and by which operation.
type Author struct {
	Account     account.ID `json:"account,omitempty"`
	AccessKeyID string     `json:"accessKeyId,omitempty"`
	Operation   string     `json:"operation"`
}

type authorKey struct{}

// WithAuthor returns a context whose changes of functions are the author's.
// Without one, they are the platform's.
func WithAuthor(ctx context.Context, a Author) context.Context {
	return context.WithValue(ctx, authorKey{}, a)
}

// WithOperation returns a context whose changes are by the same author and by
// another operation.
func WithOperation(ctx context.Context, operation string) context.Context {
	author, _ := ctx.Value(authorKey{}).(Author)
	author.Operation = operation
	return WithAuthor(ctx, author)
}

// named gives a change that the platform makes its name.
func named(ctx context.Context, operation string) context.Context {
	if _, ok := ctx.Value(authorKey{}).(Author); ok {
		return ctx
	}
	return WithAuthor(ctx, Author{Operation: operation})
}

// Change is one entry of a function's history: who changed what, and when.
//
// It is stored in the very record that it led to, so that there is no change
// without its entry and no entry without its change, whenever a node dies; and
// the store keeps the last records of each function. So the history takes no
// memory, and is bounded (see [MaxHistory]).
type Change struct {
	Time time.Time `json:"time"`
	Author
	// Items say what is different. There is none where something was set to
	// what it was.
	Items []Item `json:"items,omitempty"`
}

// Item is one thing that a change made different. What is secret, the values of
// environment variables, is never in it.
type Item struct {
	// Of is "code", "status", "version", "alias NAME", "policy QUALIFIER",
	// "reserved", "provisioned QUALIFIER", "tag NAME" or the name of a setting.
	Of  string `json:"of"`
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// By is the access key that asked for the change, or [Platform].
func (c *Change) By() string { return cmp.Or(c.AccessKeyID, string(c.Account), Platform) }

// MaxHistory is how many changes of a function are kept at most. Reserved
// concurrency is a setting of the account; of all its functions' changes, the
// last so many are kept.
const MaxHistory = 64

// History returns the last changes of a function, the oldest first. It reads
// the store. The history of a function that is deleted goes with it.
func (c *Catalog) History(ctx context.Context, key Key) ([]Change, error) {
	view, err := c.Get(key)
	if err != nil {
		return nil, err
	}
	type placed struct {
		revision uint64
		change   *Change
	}
	var found []placed
	records, err := c.bucket.Past(ctx, recordKey(key))
	if err != nil {
		return nil, err
	}
	for _, e := range records {
		var r struct {
			ID     string  `json:"id"`
			Change *Change `json:"change"`
		}
		if err := json.Unmarshal(e.Value, &r); err != nil {
			return nil, fmt.Errorf("history of %s: %w", key.Name, err)
		}
		if r.Change != nil && r.ID == view.FunctionID {
			found = append(found, placed{e.Revision, r.Change})
		}
	}
	ledgers, err := c.bucket.Past(ctx, ledgerPrefix+string(key.Account))
	if err != nil {
		return nil, err
	}
	for _, e := range ledgers {
		var l struct {
			Change *ledgerChange `json:"change"`
		}
		if err := json.Unmarshal(e.Value, &l); err != nil {
			return nil, fmt.Errorf("history of %s: %w", key.Name, err)
		}
		if l.Change != nil && l.Change.FunctionID == view.FunctionID {
			found = append(found, placed{e.Revision, &l.Change.Change})
		}
	}
	slices.SortFunc(found, func(a, b placed) int { return cmp.Compare(a.revision, b.revision) })
	history := make([]Change, 0, len(found))
	for _, f := range found[max(0, len(found)-MaxHistory):] {
		history = append(history, *f.change)
	}
	return history, nil
}

// ledgerChange is the last change of an account's ledger.
type ledgerChange struct {
	FunctionID string `json:"id"`
	Change
}

// changeBy is a change that the context's author makes now.
func changeBy(ctx context.Context, now time.Time) Change {
	author, _ := ctx.Value(authorKey{}).(Author)
	return Change{Time: now.UTC(), Author: author}
}

// change tells what the draft makes different. It looks at the records and not
// at what was asked for, so that no operation can forget to tell.
func (d *draft) change(ctx context.Context, now time.Time) *Change {
	change := changeBy(ctx, now)
	old := &record{}
	if d.view != nil {
		old = d.view.record()
	}
	d.tell(&change, old)
	return &change
}

// tell adds what is different from the record before.
func (d *draft) tell(change *Change, old *record) {
	i := &change.Items
	differ(i, "code", old.Wanted.CodeSHA256, d.Wanted.CodeSHA256)
	differSettings(i, &old.Wanted.Config, &d.Wanted.Config)
	differMaps(i, "version", versionsOf(old), versionsOf(d.record))
	differMaps(i, "alias", routesOf(old.Aliases), routesOf(d.Aliases))
	differMaps(i, "policy", policiesOf(old.Policies), policiesOf(d.Policies))
	differMaps(i, "provisioned", provisionsOf(old.Provisioned), provisionsOf(d.Provisioned))
	differMaps(i, "tag", old.Tags, d.Tags)
	differ(i, "status", statusOf(old.Status), statusOf(d.Status))
}

// differ adds an item for something that is different.
func differ(items *[]Item, of, was, is string) {
	if was != is {
		*items = append(*items, Item{of, was, is})
	}
}

func differMaps(items *[]Item, of string, was, is map[string]string) {
	for _, name := range namesOf(was, is) {
		differ(items, strings.TrimSpace(of+" "+name), was[name], is[name])
	}
}

// differSettings goes through a configuration in the words of the API.
func differSettings(items *[]Item, before, after *Configuration) {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	differ(items, "Runtime", before.Runtime, after.Runtime)
	differ(items, "Handler", before.Handler, after.Handler)
	differ(items, "Role", before.Role, after.Role)
	differ(items, "Description", before.Description, after.Description)
	differ(items, "Timeout", number(before.TimeoutSec), number(after.TimeoutSec))
	differ(items, "MemorySize", number(int(before.Memory)), number(int(after.Memory)))
	differ(items, "EphemeralStorage", number(before.EphemeralMB), number(after.EphemeralMB))
	differ(items, "Architectures", strings.Join(before.Architectures, ", "), strings.Join(after.Architectures, ", "))
	differ(items, "Layers", strings.Join(before.Layers, ", "), strings.Join(after.Layers, ", "))
	differ(items, "TracingConfig", before.TracingMode, after.TracingMode)
	// Variables by name only: their values are secrets more often than not.
	for _, name := range namesOf(before.Environment, after.Environment) {
		was, had := before.Environment[name]
		is, has := after.Environment[name]
		switch {
		case had && !has:
			*items = append(*items, Item{"Environment", name, ""})
		case !had:
			*items = append(*items, Item{"Environment", "", name})
		case was != is:
			*items = append(*items, Item{"Environment", name, name + " (another value)"})
		}
	}
	for _, name := range namesOf(before.Extra, after.Extra) {
		differ(items, name, string(before.Extra[name]), string(after.Extra[name]))
	}
}

func namesOf[V any](a, b map[string]V) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

func versionsOf(r *record) map[string]string {
	out := make(map[string]string, len(r.Versions))
	for _, ref := range r.Versions {
		out[strconv.Itoa(ref.Number)] = string(Active)
		if ref.Status != nil {
			out[strconv.Itoa(ref.Number)] = string(ref.Status.State)
		}
	}
	return out
}

func routesOf(aliases map[string]*Alias) map[string]string {
	out := make(map[string]string, len(aliases))
	for name, a := range aliases {
		out[name] = a.Text()
		if a.Moving != nil {
			out[name] += ", as soon as it is ready"
		}
		if a.Refused != nil {
			out[name] += "; not " + a.Refused.Route.Text() + ": " + a.Refused.Reason
		}
	}
	return out
}

// Text says where a route leads: "3", or "3 90%, 4 10%".
func (r Route) Text() string {
	if r.Additional == "" {
		return r.Version
	}
	percent := func(share float64) string { return strconv.FormatFloat(100*share, 'g', 6, 64) + "%" }
	return r.Version + " " + percent(1-r.Weight) + ", " + r.Additional + " " + percent(r.Weight)
}

func policiesOf(policies map[string]policyRecord) map[string]string {
	out := make(map[string]string, len(policies))
	for qualifier, p := range policies {
		ids := make([]string, len(p.Statements))
		for i, s := range p.Statements {
			ids[i] = s.ID
		}
		out[qualifier] = strings.Join(ids, ", ")
	}
	return out
}

func provisionsOf(provisioned map[string]provision) map[string]string {
	out := make(map[string]string, len(provisioned))
	for qualifier, p := range provisioned {
		out[qualifier] = strconv.Itoa(p.N)
	}
	return out
}

// statusOf is what State and LastUpdateStatus are together.
func statusOf(s Status) string {
	out := string(s.State)
	if s.Update != "" {
		out += ", " + string(s.Update)
	}
	if s.Update == Failed {
		out += ": " + s.UpdateReason
	}
	return out
}
