package function

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/account"
)

// modelFunction is what a function is to somebody who read Lambda's
// documentation: no revisions, no records, no watch.
type modelFunction struct {
	code, wantedDescription string
	memory                  int
	serving                 string // code and memory, "" when nothing serves
	state                   State
	update                  UpdateStatus
	versions                map[int]modelVersion
	next                    int
	lastSource              string
	aliases                 map[string]modelAlias
	tags                    map[string]string
	provisioned             map[string]int
	statements              map[string][]string // by qualifier
	reserved                int
	served, before          modelContent // what serves, and what served before it
}

type modelContent struct {
	code, description string
	memory            int
}

func (m modelContent) String() string { return fmt.Sprintf("%s/%d", m.code, m.memory) }

func (m *modelFunction) wanted() modelContent {
	return modelContent{m.code, m.wantedDescription, m.memory}
}

func (m *modelFunction) want(c modelContent) {
	m.code, m.wantedDescription, m.memory = c.code, c.description, c.memory
}

type modelVersion struct {
	content, description string
	state                State
}

type modelAlias struct {
	modelRoute            // as last set
	serving    modelRoute // as it answers
}

type modelRoute struct {
	version, additional string
	weight              float64
	before              string // the version before
}

func (m *modelFunction) content() string { return fmt.Sprintf("%s/%d", m.code, m.memory) }

func (m *modelFunction) source() string { return m.content() + "/" + m.wantedDescription }

func (m *modelFunction) busy() bool { return m.state == Pending || m.update == InProgress }

func (m *modelFunction) publish(description string) {
	m.versions[m.next] = modelVersion{m.content(), description, map[bool]State{true: Pending, false: Active}[m.busy()]}
	m.next++
	m.lastSource = m.source()
}

func (m *modelFunction) settle(s State) {
	for n, v := range m.versions {
		if v.state == Pending {
			v.state = s
			m.versions[n] = v
		}
	}
}

func (m *modelFunction) has(version string) bool {
	n, err := strconv.Atoi(version)
	_, ok := m.versions[n]
	return version == Latest || err == nil && ok
}

var modelAccounts atomic.Int64

// TestCatalogIsItsModel drives random operations through two catalogs on one
// state, as two nodes would, closes and opens them again in between, and
// compares both with the model after every step.
func TestCatalogIsItsModel(t *testing.T) {
	st := openState(t, t.TempDir())
	rapid.Check(t, func(t *rapid.T) {
		acct := account.ID(fmt.Sprintf("%012d", modelAccounts.Add(1)))
		open := func() *Catalog {
			c, err := Open(t.Context(), st, Options{Region: "eu-central-1"})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		nodes := []*Catalog{open(), open()}
		defer func() {
			for _, c := range nodes {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
		}()
		model := map[string]*modelFunction{}
		var c *Catalog // the node that the step goes through

		names := []string{"f", "f", "f", "f", "g"} // mostly one, so that it gets to have a history
		pick := func(t *rapid.T) (Key, *modelFunction) {
			n := rapid.SampledFrom(names).Draw(t, "function")
			return Key{Account: acct, Name: n}, model[n]
		}
		code := rapid.SampledFrom([]string{"a", "b", "c"})
		version := rapid.SampledFrom([]string{"1", "2", "3", "9", Latest})
		aliasName := rapid.SampledFrom([]string{"live", "beta"})

		// is checks an outcome: kind 0 stands for success.
		is := func(t *rapid.T, err error, want Kind) bool {
			t.Helper()
			if want == 0 && err != nil || want != 0 && !IsKind(err, want) {
				t.Fatalf("got %v, want kind %d", err, want)
			}
			return want == 0
		}
		unlessThere := func(m *modelFunction, then func() Kind) Kind {
			if m == nil {
				return NotFound
			}
			return then()
		}
		unlessPending := func(m *modelFunction, then func() Kind) Kind {
			return unlessThere(m, func() Kind {
				if m.state == Pending {
					return Conflict
				}
				return then()
			})
		}
		unlessBusy := func(m *modelFunction, then func() Kind) Kind {
			return unlessThere(m, func() Kind {
				if m.busy() {
					return Conflict
				}
				return then()
			})
		}
		ok := func() Kind { return 0 }

		step := map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				k, m := pick(t)
				in := CreateInput{Config: config(), Package: pkg(code.Draw(t, "code")), Publish: rapid.Bool().Draw(t, "publish")}
				_, err := c.Create(t.Context(), k, in)
				want := Kind(0)
				if m != nil {
					want = AlreadyExists
				}
				if is(t, err, want) {
					m = &modelFunction{
						code: strings.TrimPrefix(in.Package.SHA256, "sha-of-"), memory: 128, state: Pending, next: 1, reserved: NoReservation,
						versions: map[int]modelVersion{}, aliases: map[string]modelAlias{}, tags: map[string]string{}, statements: map[string][]string{},
						provisioned: map[string]int{},
					}
					if in.Publish {
						m.publish("")
					}
					model[k.Name] = m
				}
			},
			"update code": func(t *rapid.T) {
				k, m := pick(t)
				to, publish := code.Draw(t, "code"), rapid.Bool().Draw(t, "publish")
				_, err := c.UpdateCode(t.Context(), k, UpdateCodeInput{Package: pkg(to), Publish: publish})
				if is(t, err, unlessPending(m, ok)) {
					m.settle(Active) // what is overtaken
					m.code, m.update = to, InProgress
					if publish {
						m.publish(m.wantedDescription)
					}
				}
			},
			"update configuration": func(t *rapid.T) {
				k, m := pick(t)
				memory, text := rapid.SampledFrom([]int{128, 256}).Draw(t, "memory"), rapid.SampledFrom([]string{"", "x"}).Draw(t, "description")
				_, err := c.UpdateConfig(t.Context(), k, "", func(c *Configuration) error {
					c.Memory, c.Description = MemoryMB(memory), text
					return nil
				})
				if is(t, err, unlessPending(m, ok)) {
					m.settle(Active)
					m.memory, m.wantedDescription, m.update = memory, text, InProgress
				}
			},
			"complete": func(t *rapid.T) {
				k, m := pick(t)
				id := "none"
				if v, ok := c.Lookup(k); ok {
					id = v.Wanted.ID
				}
				_, err := c.CompleteUpdate(t.Context(), k, id)
				if is(t, err, unlessThere(m, ok)) && m.busy() {
					if m.serving != "" && m.serving != m.content() {
						m.before = m.served
					}
					m.served = m.wanted()
					m.serving, m.state, m.update = m.content(), Active, Successful
					m.settle(Active)
				}
			},
			"fail": func(t *rapid.T) {
				k, m := pick(t)
				id := "none"
				if v, ok := c.Lookup(k); ok {
					id = v.Wanted.ID
				}
				_, err := c.FailUpdate(t.Context(), k, id, "InternalError", "because")
				if is(t, err, unlessThere(m, ok)) && m.busy() {
					if m.state == Pending {
						m.state = Failed
					}
					m.update = Failed
					m.settle(Failed)
				}
			},
			"roll back": func(t *rapid.T) {
				k, m := pick(t)
				var target modelContent
				_, err := c.Rollback(t.Context(), k, RollbackInput{})
				if is(t, err, unlessThere(m, func() Kind {
					target = m.before
					if m.serving != "" && m.update != Successful {
						target = m.served
					}
					if target == (modelContent{}) || target.String() != m.serving && m.busy() {
						return Conflict
					}
					return 0
				})) && (target.String() != m.serving || m.update != Successful) {
					m.want(target)
					m.update = InProgress
					if target.String() == m.serving { // called off
						m.update = Successful
						m.settle(Failed)
					}
				}
			},
			"publish": func(t *rapid.T) {
				k, m := pick(t)
				text := rapid.SampledFrom([]string{"", "release"}).Draw(t, "description")
				_, ver, err := c.PublishVersion(t.Context(), k, PublishInput{Description: text})
				if is(t, err, unlessBusy(m, ok)) {
					want := m.next
					if _, there := m.versions[m.next-1]; there && m.lastSource == m.source() {
						want = m.next - 1
					} else {
						if text == "" {
							text = m.wantedDescription
						}
						m.publish(text)
					}
					if ver.Number != want {
						t.Fatalf("published %d, want %d", ver.Number, want)
					}
				}
			},
			"delete": func(t *rapid.T) {
				k, m := pick(t)
				if is(t, c.Delete(t.Context(), k, ""), unlessThere(m, ok)) {
					delete(model, k.Name)
				}
			},
			"delete version": func(t *rapid.T) {
				k, m := pick(t)
				n := version.Draw(t, "version")
				want := InvalidParameter
				if n != Latest {
					want = unlessThere(m, func() Kind {
						if !m.has(n) {
							return NotFound
						}
						for _, a := range m.aliases {
							if a.version == n || a.additional == n || a.serving.version == n || a.serving.additional == n {
								return Conflict
							}
						}
						return 0
					})
				}
				if is(t, c.Delete(t.Context(), k, n), want) {
					i, _ := strconv.Atoi(n)
					delete(m.versions, i)
					delete(m.statements, n)
					delete(m.provisioned, n)
				}
			},
			"create alias": func(t *rapid.T) {
				k, m := pick(t)
				in := AliasInput{Name: aliasName.Draw(t, "alias"), Version: version.Draw(t, "version")}
				a := modelRoute{version: in.Version}
				if rapid.Bool().Draw(t, "weighted") {
					a.additional, a.weight = version.Draw(t, "additional"), 0.5
					in.Weights = map[string]float64{a.additional: a.weight}
				}
				_, _, err := c.CreateAlias(t.Context(), k, in)
				if is(t, err, unlessThere(m, func() Kind {
					if _, there := m.aliases[in.Name]; there {
						return AlreadyExists
					}
					return m.aliasKind(a)
				})) {
					m.aliases[in.Name] = modelAlias{a, a}
				}
			},
			"move alias": func(t *rapid.T) {
				k, m := pick(t)
				name, to := aliasName.Draw(t, "alias"), version.Draw(t, "version")
				_, _, err := c.UpdateAlias(t.Context(), k, name, AliasChange{Version: &to})
				var next modelAlias
				if is(t, err, unlessThere(m, func() Kind {
					a, there := m.aliases[name]
					if !there {
						return NotFound
					}
					next = a
					if to != a.version {
						next.version, next.before = to, a.version
					}
					if kind := m.aliasKind(next.modelRoute); kind != 0 {
						return kind
					}
					return m.shareKind(name, next)
				})) {
					m.aliases[name] = next
				}
			},
			"roll back alias": func(t *rapid.T) {
				k, m := pick(t)
				name := aliasName.Draw(t, "alias")
				var next modelAlias
				_, err := c.Rollback(t.Context(), k, RollbackInput{Alias: name})
				if is(t, err, unlessThere(m, func() Kind {
					a, there := m.aliases[name]
					switch {
					case !there:
						return NotFound
					case a.additional != "":
						a.additional, a.weight = "", 0
					case a.before == "" || !m.has(a.before):
						return Conflict
					default:
						a.version, a.before = a.before, a.version
					}
					next = a
					return m.shareKind(name, next)
				})) {
					m.aliases[name] = next
				}
			},
			"complete move": func(t *rapid.T) {
				k, m := pick(t)
				name, id := aliasName.Draw(t, "alias"), rapid.SampledFrom([]string{"", "other"}).Draw(t, "id")
				if v, ok := c.Lookup(k); ok && v.Aliases[name] != nil && id == "" {
					id = v.Aliases[name].RevisionID
				}
				_, err := c.CompleteMove(t.Context(), k, name, id)
				if is(t, err, unlessThere(m, ok)) && id != "other" {
					if a, there := m.aliases[name]; there {
						m.aliases[name] = modelAlias{a.modelRoute, a.modelRoute}
					}
				}
			},
			"fail move": func(t *rapid.T) {
				k, m := pick(t)
				name, id := aliasName.Draw(t, "alias"), ""
				if v, ok := c.Lookup(k); ok && v.Aliases[name] != nil {
					id = v.Aliases[name].RevisionID
				}
				_, err := c.FailMove(t.Context(), k, name, id, "because")
				if is(t, err, unlessThere(m, ok)) {
					if a, there := m.aliases[name]; there {
						m.aliases[name] = modelAlias{a.serving, a.serving}
					}
				}
			},
			"delete alias": func(t *rapid.T) {
				k, m := pick(t)
				name := aliasName.Draw(t, "alias")
				_, err := c.DeleteAlias(t.Context(), k, name)
				if is(t, err, unlessThere(m, ok)) {
					if _, there := m.aliases[name]; there {
						delete(m.statements, name)
						delete(m.provisioned, name)
					}
					delete(m.aliases, name)
				}
			},
			"tag": func(t *rapid.T) {
				k, m := pick(t)
				tag := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "tag")
				_, err := c.Tag(t.Context(), k, map[string]string{tag: "v"})
				if is(t, err, unlessThere(m, ok)) {
					m.tags[tag] = "v"
				}
			},
			"untag": func(t *rapid.T) {
				k, m := pick(t)
				_, err := c.Untag(t.Context(), k, []string{"x"})
				if is(t, err, unlessThere(m, ok)) {
					delete(m.tags, "x")
				}
			},
			"reserve": func(t *rapid.T) {
				k, m := pick(t)
				n := rapid.SampledFrom([]int{0, 300, 500}).Draw(t, "reserved")
				_, err := c.SetReserved(t.Context(), k, n)
				if is(t, err, unlessThere(m, func() Kind {
					if n < m.guaranteed() || n+held(model, k.Name) > 900 {
						return InvalidParameter
					}
					return 0
				})) {
					m.reserved = n
				}
			},
			"provision": func(t *rapid.T) {
				k, m := pick(t)
				q := rapid.SampledFrom([]string{"1", "2", "live", "beta", Latest}).Draw(t, "qualifier")
				n := rapid.SampledFrom([]int{10, 300, 500}).Draw(t, "provisioned")
				_, err := c.SetProvisioned(t.Context(), k, q, n)
				if is(t, err, unlessThere(m, func() Kind {
					if q == Latest {
						return InvalidParameter
					}
					if !m.qualifies(q) {
						return NotFound
					}
					if kind := m.provisionKind(q); kind != 0 {
						return kind
					}
					total := m.guaranteed() - m.provisioned[q] + n
					if m.reserved != NoReservation {
						if total > m.reserved {
							return InvalidParameter
						}
						return 0
					}
					if total+held(model, k.Name) > 900 {
						return InvalidParameter
					}
					return 0
				})) {
					m.provisioned[q] = n
				}
			},
			"unprovision": func(t *rapid.T) {
				k, m := pick(t)
				q := rapid.SampledFrom([]string{"1", "live"}).Draw(t, "qualifier")
				_, err := c.DeleteProvisioned(t.Context(), k, q)
				if is(t, err, unlessThere(m, func() Kind {
					if !m.qualifies(q) {
						return NotFound
					}
					return 0
				})) {
					delete(m.provisioned, q)
				}
			},
			"unreserve": func(t *rapid.T) {
				k, m := pick(t)
				_, err := c.ClearReserved(t.Context(), k)
				if is(t, err, unlessThere(m, ok)) {
					m.reserved = NoReservation
				}
			},
			"permit": func(t *rapid.T) {
				k, m := pick(t)
				q := rapid.SampledFrom([]string{"", "1", "live"}).Draw(t, "qualifier")
				id := rapid.SampledFrom([]string{"s", "t"}).Draw(t, "statement")
				_, err := c.AddPermission(t.Context(), k, q, Statement{ID: id, Body: []byte(`{}`)}, "")
				if is(t, err, unlessThere(m, func() Kind {
					if !m.qualifies(q) {
						return NotFound
					}
					if slices.Contains(m.statements[q], id) {
						return AlreadyExists
					}
					return 0
				})) {
					m.statements[q] = append(m.statements[q], id)
				}
			},
			"forbid": func(t *rapid.T) {
				k, m := pick(t)
				q := rapid.SampledFrom([]string{"", "1", "live"}).Draw(t, "qualifier")
				_, err := c.RemovePermission(t.Context(), k, q, "s", "")
				if is(t, err, unlessThere(m, func() Kind {
					if !m.qualifies(q) || !slices.Contains(m.statements[q], "s") {
						return NotFound
					}
					return 0
				})) {
					m.statements[q] = slices.DeleteFunc(m.statements[q], func(s string) bool { return s == "s" })
					if len(m.statements[q]) == 0 {
						delete(m.statements, q)
					}
				}
			},
		}
		order := slices.Sorted(maps.Keys(step))
		// What the rest depends on comes more often.
		order = append(order, "create", "complete", "complete", "complete", "publish", "publish", "update code", "create alias", "delete version")
		order = slices.DeleteFunc(order, func(s string) bool { return s == "delete" && rapid.Bool().Draw(t, "spare the functions") })
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			i := rapid.IntRange(0, 1).Draw(t, "node")
			if rapid.IntRange(0, 15).Draw(t, "restart") == 0 {
				if err := nodes[i].Close(); err != nil {
					t.Fatal(err)
				}
				nodes[i] = open()
			}
			c = nodes[i]
			step[rapid.SampledFrom(order).Draw(t, "step")](t)
			for _, other := range nodes {
				follow(t, other, c)
				compare(t, other, acct, model)
			}
		}
		for name := range model {
			checkHistory(t, nodes[0], Key{Account: acct, Name: name})
		}
	})
}

func (m *modelFunction) aliasKind(a modelRoute) Kind {
	if a.additional != "" && (a.version == Latest || a.additional == Latest || a.version == a.additional) {
		return InvalidParameter
	}
	if !m.has(a.version) || a.additional != "" && !m.has(a.additional) {
		return NotFound
	}
	return 0
}

func (m *modelFunction) qualifies(q string) bool {
	_, alias := m.aliases[q]
	return q == "" || alias || m.has(q)
}

func (m *modelFunction) guaranteed() (n int) {
	for _, p := range m.provisioned {
		n += p
	}
	return n
}

// held is what other functions have of the account's concurrency.
func held(model map[string]*modelFunction, except string) (n int) {
	for name, m := range model {
		if name != except && m.reserved == NoReservation {
			n += m.guaranteed()
		} else if name != except {
			n += m.reserved
		}
	}
	return n
}

// provisionKind says whether a version or an alias may have provisioned
// concurrency beside what has it.
func (m *modelFunction) provisionKind(q string) Kind {
	a, alias := m.aliases[q]
	switch {
	case alias && a.additional != "":
		return InvalidParameter
	case alias && m.provisioned[a.version] > 0:
		return Conflict
	case alias && a.version == Latest:
		return InvalidParameter
	}
	for name, a := range m.aliases {
		if m.provisioned[name] > 0 && (a.version == q || a.additional == q) {
			return Conflict
		}
	}
	return 0
}

// shareKind is the same for what an alias is to point at.
func (m *modelFunction) shareKind(name string, a modelAlias) Kind {
	switch {
	case m.provisioned[name] == 0:
		return 0
	case m.provisioned[a.version] > 0 || m.provisioned[a.additional] > 0:
		return Conflict
	case a.version == Latest:
		return InvalidParameter
	}
	return 0
}

// compare checks that the catalog shows the model, no more and no less.
func compare(t *rapid.T, c *Catalog, acct account.ID, model map[string]*modelFunction) {
	t.Helper()
	views, more := c.List(acct, "", 100)
	if len(views) != len(model) || more {
		t.Fatalf("%d functions, want %d", len(views), len(model))
	}
	content := func(r *Revision) string {
		if r == nil {
			return ""
		}
		return fmt.Sprintf("%s/%d", strings.TrimPrefix(r.CodeSHA256, "sha-of-"), r.Config.Memory)
	}
	var bytes int64
	reserved, provisioned, pending := 0, 0, 0
	for _, v := range views {
		m := model[v.Name]
		if m == nil {
			t.Fatalf("%s should be gone", v.Name)
		}
		got := &modelFunction{
			code: strings.TrimPrefix(v.Wanted.CodeSHA256, "sha-of-"), wantedDescription: v.Wanted.Config.Description, memory: int(v.Wanted.Config.Memory),
			serving: content(v.Serving), state: v.Status.State, update: v.Status.Update, reserved: v.Reserved, next: v.nextVersion, lastSource: m.lastSource,
			versions: map[int]modelVersion{}, aliases: map[string]modelAlias{}, tags: map[string]string{}, statements: map[string][]string{},
			served: m.served, provisioned: map[string]int{},
		}
		if v.Previous != nil {
			got.before = modelContent{strings.TrimPrefix(v.Previous.CodeSHA256, "sha-of-"), v.Previous.Config.Description, int(v.Previous.Config.Memory)}
		}
		for n, ver := range v.Versions {
			if n != ver.Version || n != strconv.Itoa(ver.Number) || ver.FunctionID != v.FunctionID || ver.ARN != v.ARN {
				t.Fatalf("version %s is %+v", n, ver)
			}
			got.versions[ver.Number] = modelVersion{content(&ver.Revision), ver.Config.Description, ver.Status.State}
		}
		for n, a := range v.Aliases {
			s, before := a.Serving(), a.Previous
			if a.Moving != nil {
				before = a.Moving.Previous
			}
			got.aliases[n] = modelAlias{modelRoute{a.Version, a.Additional, a.Weight, a.Previous}, modelRoute{s.Version, s.Additional, s.Weight, before}}
			if moving := a.Moving != nil; moving != (a.Route != s) {
				t.Fatalf("%s moves from %+v to %+v: %t", n, s, a.Route, moving)
			}
		}
		maps.Copy(got.tags, v.Tags)
		for q, p := range v.Provisioned {
			got.provisioned[q] = p.N
		}
		for q, p := range v.Policies {
			for _, s := range p.Statements {
				got.statements[q] = append(got.statements[q], s.ID)
			}
		}
		if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", m); g != w {
			t.Fatalf("%s\n is %s\nnot %s", v.Name, g, w)
		}
		if len(v.VersionNumbers()) != len(m.versions) {
			t.Fatalf("numbers %v", v.VersionNumbers())
		}
		bytes += int64(1+len(m.versions)) * 1000
		if reserved += max(0, m.reserved); m.reserved == NoReservation {
			provisioned += m.guaranteed()
		}
		if m.busy() {
			pending++
		}
	}
	if u := c.Usage(acct); u != (Usage{FunctionCount: len(model), CodeBytes: bytes, Reserved: reserved, Provisioned: provisioned}) {
		t.Fatalf("usage %+v; want %d bytes, %d reserved", u, bytes, reserved)
	}
	for _, k := range c.Pending() {
		if k.Account == acct {
			pending--
		}
	}
	if pending != 0 {
		t.Fatalf("%d functions too few are pending", pending)
	}
}
