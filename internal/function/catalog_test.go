package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/state"
)

const acct account.ID = "123456789012"

func openState(tb testing.TB, dir string) *state.Store {
	tb.Helper()
	st, err := state.Open(tb.Context(), state.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	return st
}

// failing is a log that fails the test: the catalog logs what should not be.
type failing struct{ tb testing.TB }

func (f failing) Write(p []byte) (int, error) {
	f.tb.Errorf("the catalog complains: %s", p)
	return len(p), nil
}

func openCatalog(tb testing.TB, st *state.Store, o Options) *Catalog {
	tb.Helper()
	o.Region = "eu-central-1"
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(failing{tb}, nil))
	}
	c, err := Open(tb.Context(), st, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func newCatalog(tb testing.TB) *Catalog {
	tb.Helper()
	return openCatalog(tb, openState(tb, tb.TempDir()), Options{})
}

func config() Configuration {
	return Configuration{Runtime: "python3.13", Handler: "index.handler", Role: "arn:aws:iam::123456789012:role/r"}
}

func pkg(name string) Package { return Package{SHA256: "sha-of-" + name, Size: 1000} }

func key(name string) Key { return Key{Account: acct, Name: name} }

func half() float64 { return 0.5 }

// must is for calls that can't fail unless the test is wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// second leaves out the first of three results.
func second[A, B any](_ A, b B, err error) (B, error) { return b, err }

// active creates a function and completes its creation.
func active(tb testing.TB, c *Catalog, name string) *View {
	tb.Helper()
	v := must(c.Create(tb.Context(), key(name), CreateInput{Config: config(), Package: pkg("a")}))
	return must(c.CompleteUpdate(tb.Context(), v.Key, v.Wanted.ID))
}

// refused checks that err is an Error of the kind that says says.
func refused(tb testing.TB, err error, k Kind, says string) {
	tb.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != k || !strings.Contains(e.Message, says) {
		tb.Fatalf("got %v; want kind %d saying %q", err, k, says)
	}
}

func TestLifeOfAFunction(t *testing.T) {
	ctx := t.Context()
	c := newCatalog(t)
	k := key("hello")
	if _, err := c.Get(k); true {
		refused(t, err, NotFound, "Function not found: arn:aws:lambda:eu-central-1:123456789012:function:hello")
	}

	// A new function is Pending until a node holds its code.
	v := must(c.Create(ctx, k, CreateInput{Config: config(), Package: pkg("a"), Tags: map[string]string{"team": "x"}}))
	if v.Status != (Status{State: Pending, StateReason: "The function is being created.", StateReasonCode: "Creating"}) || v.Serving != nil {
		t.Fatalf("created: %+v", v.Status)
	}
	if c := v.Wanted.Config; c.TimeoutSec != 3 || c.Memory != 128 || c.EphemeralMB != 512 || c.PackageType != "Zip" || c.TracingMode != "PassThrough" || !slices.Equal(c.Architectures, []string{"x86_64"}) {
		t.Fatalf("defaults: %+v", c)
	}
	_, _, err := v.Resolve("", half)
	refused(t, err, NotReady, "currently in the following state: Pending")
	_, err = c.Create(ctx, k, CreateInput{Config: config(), Package: pkg("a")})
	refused(t, err, AlreadyExists, "Function already exist: hello")
	if ks := c.Pending(); !slices.Equal(ks, []Key{k}) {
		t.Fatalf("pending: %v", ks)
	}
	_, err = c.UpdateCode(ctx, k, UpdateCodeInput{Package: pkg("b")})
	refused(t, err, Conflict, "following state: Pending")

	created := v.RevisionID
	v = must(c.CompleteUpdate(ctx, k, v.Wanted.ID))
	if v.Status != (Status{State: Active, Update: Successful}) || v.Serving != v.Wanted || v.RevisionID == created || len(c.Pending()) != 0 {
		t.Fatalf("active: %+v", v)
	}

	// An update leaves the old revision serving until it is completed.
	old := v.Serving
	v = must(c.UpdateCode(ctx, k, UpdateCodeInput{Package: pkg("b"), RevisionID: v.RevisionID}))
	if v.Status.Update != InProgress || v.Serving.ID != old.ID || v.Serving.CodeSHA256 != "sha-of-a" || v.Wanted.CodeSHA256 != "sha-of-b" {
		t.Fatalf("updating: %+v", v)
	}
	_, _, err = c.PublishVersion(ctx, k, PublishInput{})
	refused(t, err, Conflict, "An update is in progress for resource: arn:aws:lambda:eu-central-1:123456789012:function:hello")

	// Another overtakes it; what was wanted in between never serves.
	overtaken := v
	v = must(c.UpdateCode(ctx, k, UpdateCodeInput{Package: pkg("c")}))
	if v.Serving.ID != old.ID || !v.Since.Equal(overtaken.Since) || v.Since.IsZero() {
		t.Fatalf("overtaking: %+v", v)
	}
	v = must(c.CompleteUpdate(ctx, k, overtaken.Wanted.ID))
	if v.Status.Update != InProgress || v.Serving.ID != old.ID {
		t.Fatalf("completed what nobody wants any more: %+v", v)
	}

	// It fails: the old one goes on, and the next update may come.
	v = must(c.FailUpdate(ctx, k, v.Wanted.ID, "InvalidZipFileException", "bad zip"))
	if v.Status != (Status{State: Active, Update: Failed, UpdateReason: "bad zip", UpdateReasonCode: "InvalidZipFileException"}) || v.Serving.ID != old.ID {
		t.Fatalf("failed: %+v", v)
	}
	v = must(c.UpdateConfig(ctx, k, "", func(c *Configuration) error { c.Memory = 512; return nil }))
	if v.Serving.ID != old.ID || v.Wanted.Config.Memory != 512 || v.Wanted.CodeSHA256 != "sha-of-c" {
		t.Fatalf("updating again: %+v", v)
	}
	// Somebody who is late has nothing to say.
	if late := must(c.CompleteUpdate(ctx, k, old.ID)); late != v {
		t.Fatal("a revision that is not wanted any more was completed")
	}
	v = must(c.CompleteUpdate(ctx, k, v.Wanted.ID))
	if rev, version, err := v.Resolve(Latest, half); err != nil || rev != v.Wanted || version != Latest {
		t.Fatalf("serving: %+v %s %v", rev, version, err)
	}

	_, err = c.UpdateCode(ctx, k, UpdateCodeInput{Package: pkg("c"), RevisionID: created})
	refused(t, err, PreconditionFailed, "The Revision Id provided does not match the latest Revision Id.")

	if err := c.Delete(ctx, k, ""); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Lookup(k); ok {
		t.Fatal("deleted, and yet there")
	}
	refused(t, c.Delete(ctx, k, ""), NotFound, "Function not found")
	again := must(c.Create(ctx, k, CreateInput{Config: config(), Package: pkg("a")}))
	if again.FunctionID == v.FunctionID || again.Wanted.ID == old.ID {
		t.Fatal("a new function of the same name is taken for the old one")
	}
}

func TestFailedCreationCanBeMendedByAnUpdate(t *testing.T) {
	ctx := t.Context()
	c := newCatalog(t)
	k := key("f")
	v := must(c.Create(ctx, k, CreateInput{Config: config(), Package: pkg("a"), Publish: true}))
	v = must(c.FailUpdate(ctx, k, v.Wanted.ID, "InvalidZipFileException", "bad"))
	if v.Status.State != Failed || v.Status.StateReasonCode != "InvalidZipFileException" || v.Versions["1"].Status.State != Failed {
		t.Fatalf("%+v", v)
	}
	_, _, err := v.Resolve("", half)
	refused(t, err, NotReady, "state: Failed")
	v = must(c.UpdateCode(ctx, k, UpdateCodeInput{Package: pkg("b")}))
	v = must(c.CompleteUpdate(ctx, k, v.Wanted.ID))
	if v.Status != settled() {
		t.Fatalf("%+v", v.Status)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	c := newCatalog(t)
	v := active(t, c, "f")
	would := must(c.UpdateCode(t.Context(), v.Key, UpdateCodeInput{Package: pkg("b"), Publish: true, DryRun: true}))
	if would.Wanted.CodeSHA256 != "sha-of-b" {
		t.Fatalf("would be %+v", would.Wanted)
	}
	if now, _ := c.Lookup(v.Key); now != v {
		t.Fatal("a dry run changed the function")
	}
	_, err := c.UpdateCode(t.Context(), v.Key, UpdateCodeInput{RevisionID: "other", DryRun: true})
	refused(t, err, PreconditionFailed, "")
}

func TestVersions(t *testing.T) {
	ctx := t.Context()
	c := newCatalog(t)
	v := active(t, c, "f")
	k := v.Key
	publish := func(in PublishInput) *Version {
		t.Helper()
		return must(second(c.PublishVersion(ctx, k, in)))
	}
	update := func(code string) {
		t.Helper()
		v := must(c.UpdateCode(ctx, k, UpdateCodeInput{Package: pkg(code)}))
		must(c.CompleteUpdate(ctx, k, v.Wanted.ID))
	}
	one := publish(PublishInput{Description: "first"})
	if one.Number != 1 || one.Version != "1" || one.Config.Description != "first" || one.CodeSHA256 != "sha-of-a" || one.Status != settled() {
		t.Fatalf("%+v", one)
	}
	// The description of the version is none of $LATEST's, whose RevisionId is new all the same.
	now, _ := c.Lookup(k)
	if now.Wanted.Config.Description != "" || now.RevisionID == v.RevisionID {
		t.Fatalf("%+v", now)
	}
	if again := publish(PublishInput{Description: "second"}); again.Number != 1 || again.RevisionID != one.RevisionID || again.Config.Description != "first" {
		t.Fatalf("published again without a change: %+v", again)
	}
	_, _, err := c.PublishVersion(ctx, k, PublishInput{CodeSHA256: "other"})
	refused(t, err, InvalidParameter, "is different from current CodeSHA256 in $LATEST")
	_, _, err = c.PublishVersion(ctx, k, PublishInput{RevisionID: "other"})
	refused(t, err, PreconditionFailed, "")

	update("b")
	if two := publish(PublishInput{}); two.Number != 2 || two.ID == one.ID {
		t.Fatalf("%+v", two)
	}
	// Published along with an update, a version is Pending as long as that.
	v = must(c.UpdateCode(ctx, k, UpdateCodeInput{Package: pkg("c"), Publish: true}))
	if ver := v.Versions["3"]; ver.Status.State != Pending {
		t.Fatalf("%+v", ver)
	}
	three := v.Versions["3"].RevisionID
	v = must(c.CompleteUpdate(ctx, k, v.Wanted.ID))
	if ver := v.Versions["3"]; ver.Status != settled() || ver.RevisionID != three {
		t.Fatalf("%+v", ver)
	}
	if u := c.Usage(acct); u.CodeBytes != 4000 || u.FunctionCount != 1 {
		t.Fatalf("%+v", u)
	}

	refused(t, c.Delete(ctx, k, Latest), InvalidParameter, "$LATEST version cannot be deleted without deleting the function")
	refused(t, c.Delete(ctx, k, "9"), NotFound, "function:f:9")
	must(second(c.CreateAlias(ctx, k, AliasInput{Name: "live", Version: "2", Weights: map[string]float64{"1": 0.1}})))
	for _, n := range []string{"1", "2"} {
		refused(t, c.Delete(ctx, k, n), Conflict, "Unable to delete version because the following aliases reference it: [live]")
	}
	refused(t, c.Delete(ctx, k, "live"), InvalidParameter, "aliases")
	if err := c.Delete(ctx, k, "3"); err != nil {
		t.Fatal(err)
	}
	v, _ = c.Lookup(k)
	if _, _, err := v.Resolve("3", half); true {
		refused(t, err, NotFound, "Function not found: arn:aws:lambda:eu-central-1:123456789012:function:f:3")
	}
	if ns := v.VersionNumbers(); !slices.Equal(ns, []int{1, 2}) {
		t.Fatalf("%v", ns)
	}
	// A number is never given twice.
	if four := publish(PublishInput{}); four.Number != 4 {
		t.Fatalf("%+v", four)
	}
	if got := c.Packages(); !maps.Equal(got, map[string]struct{}{"sha-of-a": {}, "sha-of-b": {}, "sha-of-c": {}}) {
		t.Fatalf("%v", got)
	}
}

func TestAliases(t *testing.T) {
	ctx := t.Context()
	c := newCatalog(t)
	k := active(t, c, "f").Key
	for _, code := range []string{"a", "b"} {
		v := must(c.UpdateCode(ctx, k, UpdateCodeInput{Package: pkg(code), Publish: true}))
		must(c.CompleteUpdate(ctx, k, v.Wanted.ID))
	}
	before, _ := c.Lookup(k)
	v, a, err := c.CreateAlias(ctx, k, AliasInput{Name: "live", Version: "1", Description: "d", Weights: map[string]float64{"2": 0.25}})
	if err != nil || a.Additional != "2" || a.Weight != 0.25 || a.RevisionID == "" {
		t.Fatalf("%+v, %v", a, err)
	}
	if v.RevisionID != before.RevisionID {
		t.Fatal("an alias gave $LATEST another RevisionId")
	}
	for draw, want := range map[float64]string{0: "2", 0.2499: "2", 0.25: "1", 0.99: "1"} {
		if rev, version, err := v.Resolve("live", func() float64 { return draw }); err != nil || version != want || rev.Version != want {
			t.Errorf("at %v: %s, %v; want %s", draw, version, err, want)
		}
	}
	for _, in := range []struct {
		AliasInput
		kind Kind
		says string
	}{
		{AliasInput{Name: "live", Version: "1"}, AlreadyExists, "Alias already exists: arn:aws:lambda:eu-central-1:123456789012:function:f:live"},
		{AliasInput{Name: "12", Version: "1"}, InvalidParameter, "regular expression"},
		{AliasInput{Name: "a.b", Version: "1"}, InvalidParameter, "regular expression"},
		{AliasInput{Name: "x", Version: "9"}, NotFound, "function:f:9"},
		{AliasInput{Name: "x", Version: ""}, InvalidParameter, "version"},
		{AliasInput{Name: "x", Version: "live"}, NotFound, "function:f:live"},
		{AliasInput{Name: "x", Version: "1", Weights: map[string]float64{"9": 0.5}}, NotFound, "function:f:9"},
		{AliasInput{Name: "x", Version: "1", Weights: map[string]float64{"1": 0.5}}, InvalidParameter, "already included"},
		{AliasInput{Name: "x", Version: "1", Weights: map[string]float64{"2": 1.5}}, InvalidParameter, "between 0 and 1"},
		{AliasInput{Name: "x", Version: "1", Weights: map[string]float64{"2": 0.5, "3": 0.1}}, InvalidParameter, "greater than 1"},
		{AliasInput{Name: "x", Version: Latest, Weights: map[string]float64{"2": 0.5}}, InvalidParameter, "$LATEST is not supported"},
		{AliasInput{Name: "x", Version: "1", Weights: map[string]float64{Latest: 0.5}}, InvalidParameter, "$LATEST is not supported"},
	} {
		_, _, err := c.CreateAlias(ctx, k, in.AliasInput)
		refused(t, err, in.kind, in.says)
	}
	two, text := "2", "other"
	_, _, err = c.UpdateAlias(ctx, k, "live", AliasChange{Version: &two})
	refused(t, err, InvalidParameter, "already included")
	_, _, err = c.UpdateAlias(ctx, k, "live", AliasChange{RevisionID: "other"})
	refused(t, err, PreconditionFailed, "")
	_, _, err = c.UpdateAlias(ctx, k, "none", AliasChange{})
	refused(t, err, NotFound, "Cannot find alias arn: arn:aws:lambda:eu-central-1:123456789012:function:f:none")
	_, b, err := c.UpdateAlias(ctx, k, "live", AliasChange{Description: &text, RevisionID: a.RevisionID})
	if err != nil || b.Description != "other" || b.Version != "1" || b.Additional != "2" || b.RevisionID == a.RevisionID {
		t.Fatalf("%+v, %v", b, err)
	}
	_, b, err = c.UpdateAlias(ctx, k, "live", AliasChange{Version: &two, Weights: map[string]float64{}})
	if err != nil || b.Version != "2" || b.Additional != "" {
		t.Fatalf("%+v, %v", b, err)
	}
	v, _, err = c.CreateAlias(ctx, k, AliasInput{Name: "head", Version: Latest})
	if err != nil {
		t.Fatal(err)
	}
	if rev, version, err := v.Resolve("head", half); err != nil || rev != v.Serving || version != Latest {
		t.Fatalf("%v %v %v", rev, version, err)
	}
	if d, err := v.Describe("live"); err != nil || d.Revision.Version != "2" || d.Alias.Name != "live" {
		t.Fatalf("%+v, %v", d, err)
	}
	for range 2 {
		v = must(c.DeleteAlias(ctx, k, "live"))
	}
	_, err = v.Alias("live")
	refused(t, err, NotFound, "Cannot find alias")
	if ns := v.AliasNames(); !slices.Equal(ns, []string{"head"}) {
		t.Fatal(ns)
	}
}

func TestConfigurationRules(t *testing.T) {
	c := newCatalog(t)
	many := make(map[string]string)
	for i := range 51 {
		many[fmt.Sprint("k", i)] = "v"
	}
	secret := "hunter2-" + strings.Repeat("x", 5000)
	for name, tc := range map[string]struct {
		edit func(*CreateInput)
		says string
	}{
		"handler": {func(in *CreateInput) { in.Config.Handler = "" }, "Runtime and Handler are mandatory"},
		"runtime": {func(in *CreateInput) { in.Config.Runtime = "" }, "Runtime and Handler are mandatory"},
		"layers":  {func(in *CreateInput) { in.Config.Layers = make([]string, 6) }, "more than 5 layers"},
		"reserved keys": {func(in *CreateInput) {
			in.Config.Environment = map[string]string{"AWS_REGION": "x", "_HANDLER": "y", "OK": "z"}
		}, "Reserved keys used in this request: AWS_REGION, _HANDLER"},
		"environment": {func(in *CreateInput) { in.Config.Environment = map[string]string{"S": secret} }, "exceeded the 4KB limit. String measured: 5016 bytes"},
		"NUL":         {func(in *CreateInput) { in.Config.Environment = map[string]string{"S": "hunter2\x00"} }, "NUL"},
		"tags":        {func(in *CreateInput) { in.Tags = many }, "Number of tags exceeds"},
		"tag key":     {func(in *CreateInput) { in.Tags = map[string]string{strings.Repeat("ü", 129): ""} }, "128"},
		"tag value":   {func(in *CreateInput) { in.Tags = map[string]string{"k": strings.Repeat("ü", 257)} }, "256"},
		"aws tags":    {func(in *CreateInput) { in.Tags = map[string]string{"AWS:x": ""} }, "aws: prefixed"},
	} {
		t.Run(name, func(t *testing.T) {
			in := CreateInput{Config: config(), Package: pkg("a")}
			tc.edit(&in)
			_, err := c.Create(t.Context(), key("f"), in)
			refused(t, err, InvalidParameter, tc.says)
			if strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("tells a secret: %v", err)
			}
		})
	}
	for _, name := range []string{"", "a.b", "a*", "a>", "a b", strings.Repeat("n", 65)} {
		_, err := c.Create(t.Context(), key(name), CreateInput{Config: config()})
		refused(t, err, InvalidParameter, "functionName")
	}
	fits := config()
	fits.Environment = map[string]string{"S": strings.Repeat("x", 4088)} // {"S":"..."} is 4096
	must(c.Create(t.Context(), key("f"), CreateInput{Config: fits, Package: pkg("a")}))
}

func TestTags(t *testing.T) {
	ctx := t.Context()
	c := newCatalog(t)
	v := active(t, c, "f")
	v = must(c.Tag(ctx, v.Key, map[string]string{"a": "1", "b": "2"}))
	v = must(c.Tag(ctx, v.Key, map[string]string{"a": "3"}))
	if !maps.Equal(v.Tags, map[string]string{"a": "3", "b": "2"}) {
		t.Fatal(v.Tags)
	}
	v = must(c.Untag(ctx, v.Key, []string{"a", "none"}))
	if !maps.Equal(v.Tags, map[string]string{"b": "2"}) {
		t.Fatal(v.Tags)
	}
	more := make(map[string]string)
	for i := range 50 {
		more[fmt.Sprint("t", i)] = ""
	}
	_, err := c.Tag(ctx, v.Key, more)
	refused(t, err, InvalidParameter, "Number of tags exceeds")
}

func TestPolicies(t *testing.T) {
	ctx := t.Context()
	c := newCatalog(t)
	v := active(t, c, "f")
	k := v.Key
	st := func(id string) Statement {
		return Statement{ID: id, Body: json.RawMessage(`{"Sid":"` + id + `","Effect":"Allow"}`)}
	}
	_, err := v.Policy("")
	refused(t, err, NotFound, "The resource you requested does not exist.")
	_, err = c.AddPermission(ctx, k, Latest, st("s"), "")
	refused(t, err, InvalidParameter, "do not support adding policies for $LATEST")
	_, err = c.AddPermission(ctx, k, "nope", st("s"), "")
	refused(t, err, NotFound, "function:f:nope")
	_, err = c.AddPermission(ctx, k, "", st("s"), "wrong")
	refused(t, err, PreconditionFailed, "")

	before := v.RevisionID
	v = must(c.AddPermission(ctx, k, "", st("s"), before))
	p := must(v.Policy(""))
	if p.RevisionID != v.RevisionID || v.RevisionID == before {
		t.Fatalf("policy %s, function %s, before %s", p.RevisionID, v.RevisionID, before)
	}
	if d := p.Document(); d != `{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s","Effect":"Allow"}]}` {
		t.Fatal(d)
	}
	_, err = c.AddPermission(ctx, k, "", st("s"), "")
	refused(t, err, AlreadyExists, "The statement id (s) provided already exists")
	v = must(c.AddPermission(ctx, k, "", st("t"), p.RevisionID))
	if n := len(v.Policies[""].Statements); n != 2 {
		t.Fatal(n)
	}
	_, err = c.AddPermission(ctx, k, "", Statement{ID: "big", Body: json.RawMessage(`"` + strings.Repeat("x", MaxPolicyBytes) + `"`)}, "")
	refused(t, err, PolicyLengthExceeded, "is bigger than the limit (20480)")

	// Versions and aliases have policies of their own; they go with them.
	must(second(c.PublishVersion(ctx, k, PublishInput{})))
	a := must(second(c.CreateAlias(ctx, k, AliasInput{Name: "live", Version: "1"})))
	v = must(c.AddPermission(ctx, k, "live", st("s"), a.RevisionID))
	if p := v.Policies["live"]; p.RevisionID != v.Aliases["live"].RevisionID || p.RevisionID == a.RevisionID {
		t.Fatalf("%+v", p)
	}
	v = must(c.AddPermission(ctx, k, "1", st("s"), v.Versions["1"].RevisionID))
	p1 := v.Policies["1"].RevisionID
	must(c.AddPermission(ctx, k, "1", st("t"), p1))
	must(c.DeleteAlias(ctx, k, "live"))
	if err := c.Delete(ctx, k, "1"); err != nil {
		t.Fatal(err)
	}
	v, _ = c.Lookup(k)
	if len(v.Policies) != 1 {
		t.Fatalf("%v", v.Policies)
	}

	_, err = c.RemovePermission(ctx, k, "", "none", "")
	refused(t, err, NotFound, "Statement none is not found in resource policy.")
	must(c.RemovePermission(ctx, k, Latest, "s", ""))
	v = must(c.RemovePermission(ctx, k, "", "t", ""))
	if len(v.Policies) != 0 {
		t.Fatalf("%v", v.Policies)
	}
	_, err = c.RemovePermission(ctx, k, "", "t", "")
	refused(t, err, NotFound, "No policy is associated with the given resource.")
}

func TestReservedConcurrency(t *testing.T) {
	ctx := t.Context()
	st := openState(t, t.TempDir())
	c, other := openCatalog(t, st, Options{}), openCatalog(t, st, Options{})
	a, b := active(t, c, "a").Key, active(t, c, "b").Key
	if v := must(c.SetReserved(ctx, a, 600)); v.Reserved != 600 {
		t.Fatal(v.Reserved)
	}
	_, err := c.SetReserved(ctx, b, 301)
	refused(t, err, InvalidParameter, "decreases account's UnreservedConcurrentExecution below its minimum value of [100].")
	must(c.SetReserved(ctx, b, 300))
	must(c.SetReserved(ctx, a, 0)) // zero stops the function
	if u := c.Usage(acct); u.Reserved != 300 {
		t.Fatal(u)
	}
	must(c.SetReserved(ctx, a, 600))
	_, err = c.SetReserved(ctx, a, -1)
	refused(t, err, InvalidParameter, "negative")
	// The reservation goes with the function, not to another of its name.
	if err := c.Delete(ctx, a, ""); err != nil {
		t.Fatal(err)
	}
	if v := active(t, c, "a"); v.Reserved != NoReservation {
		t.Fatal(v.Reserved)
	}
	if v := must(c.SetReserved(ctx, b, 900)); v.Reserved != 900 {
		t.Fatal(v.Reserved)
	}
	follow(t, other, c)
	if v, _ := other.Lookup(b); v.Reserved != 900 {
		t.Fatal(v.Reserved)
	}
	reopened := openCatalog(t, st, Options{})
	if v, _ := reopened.Lookup(b); v.Reserved != 900 {
		t.Fatal(v.Reserved)
	}
	for range 2 {
		if v := must(c.ClearReserved(ctx, b)); v.Reserved != NoReservation {
			t.Fatal(v.Reserved)
		}
	}
}

// tester is what tests and properties have in common.
type tester interface {
	Helper()
	Context() context.Context
	Fatal(...any)
}

// follow waits until c shows what leader shows.
func follow(tb tester, c, leader *Catalog) {
	tb.Helper()
	leader.mu.RLock()
	want := leader.applied
	leader.mu.RUnlock()
	if err := c.until(tb.Context(), func() bool { return c.applied >= want }); err != nil {
		tb.Fatal(err)
	}
}

// Nodes that reserve at the same time can't exceed the account together.
func TestReservationsOfManyNodesAddUp(t *testing.T) {
	st := openState(t, t.TempDir())
	nodes := []*Catalog{openCatalog(t, st, Options{}), openCatalog(t, st, Options{}), openCatalog(t, st, Options{})}
	const functions = 30
	for i := range functions {
		active(t, nodes[0], fmt.Sprint("f", i))
	}
	follow(t, nodes[1], nodes[0])
	follow(t, nodes[2], nodes[0])
	var wg sync.WaitGroup
	for i, c := range nodes {
		wg.Go(func() {
			for j := i; j < functions; j += len(nodes) {
				if _, err := c.SetReserved(context.Background(), key(fmt.Sprint("f", j)), 100); err != nil && !IsKind(err, InvalidParameter) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, c := range nodes {
		if u := c.Usage(acct); u.Reserved != 900 {
			// The last one to write has seen all the others.
			follow(t, c, nodes[0])
			follow(t, c, nodes[1])
			follow(t, c, nodes[2])
			if u := c.Usage(acct); u.Reserved != 900 {
				t.Fatal(u)
			}
		}
	}
}

func TestCodeStorageIsLimited(t *testing.T) {
	ctx := t.Context()
	st := openState(t, t.TempDir())
	c := openCatalog(t, st, Options{Quota: func(account.ID) Quota { return Quota{Concurrency: 1000, CodeStorageBytes: 2500} }})
	v := active(t, c, "a")
	must(second(c.PublishVersion(ctx, v.Key, PublishInput{})))
	_, err := c.Create(ctx, key("b"), CreateInput{Config: config(), Package: pkg("a")})
	refused(t, err, CodeStorageExceeded, "Code storage limit exceeded.")
	_, err = c.UpdateCode(ctx, v.Key, UpdateCodeInput{Package: Package{SHA256: "x", Size: 1600}})
	refused(t, err, CodeStorageExceeded, "")
	v = must(c.UpdateCode(ctx, v.Key, UpdateCodeInput{Package: Package{SHA256: "x", Size: 1500}}))
	must(c.CompleteUpdate(ctx, v.Key, v.Wanted.ID))
	if err := c.Delete(ctx, v.Key, "1"); err != nil {
		t.Fatal(err)
	}
	// Many at once: no more than fit.
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			_, err := c.Create(context.Background(), key(fmt.Sprint("c", i)), CreateInput{Config: config(), Package: Package{SHA256: "y", Size: 300}})
			if err != nil && !IsKind(err, CodeStorageExceeded) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if u := c.Usage(acct); u.CodeBytes != 2400 || u.FunctionCount != 4 {
		t.Fatal(u)
	}
}

func TestListIsOrderedAndPaged(t *testing.T) {
	c := newCatalog(t)
	want := []string{"A", "a", "a-b", "a_b", "b", "z"}
	for _, name := range []string{"z", "a_b", "A", "b", "a", "a-b"} {
		active(t, c, name)
	}
	must(c.Create(t.Context(), Key{Account: "000000000001", Name: "theirs"}, CreateInput{Config: config(), Package: pkg("a")}))
	var got []string
	for after, more := "", true; more; after = got[len(got)-1] {
		var vs []*View
		vs, more = c.List(acct, after, 2)
		for _, v := range vs {
			got = append(got, v.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatal(got)
	}
	if vs, more := c.List("999999999999", "", 10); vs != nil || more {
		t.Fatal(vs)
	}
	if vs, more := c.List(acct, "zz", 10); len(vs) != 0 || more {
		t.Fatal(vs)
	}
	n := 0
	for range c.All() {
		n++
	}
	if n != 7 {
		t.Fatal(n)
	}
}

// Everybody adds their own to one function through two nodes; nothing is lost.
func TestConcurrentMutationsAreAllKept(t *testing.T) {
	st := openState(t, t.TempDir())
	nodes := []*Catalog{openCatalog(t, st, Options{}), openCatalog(t, st, Options{})}
	k := active(t, nodes[0], "f").Key
	follow(t, nodes[1], nodes[0])
	var wg sync.WaitGroup
	for w := range 8 {
		c := nodes[w%2]
		wg.Go(func() {
			for i := range 5 {
				tag := fmt.Sprintf("w%d-%d", w, i)
				v, err := c.Tag(context.Background(), k, map[string]string{tag: "x"})
				if err != nil {
					t.Error(err)
					return
				}
				if v.Tags[tag] != "x" {
					t.Errorf("the answer lacks %s", tag)
				}
				if now, _ := c.Lookup(k); now.Tags[tag] != "x" {
					t.Errorf("the node that wrote %s does not show it", tag)
				}
			}
		})
	}
	wg.Wait()
	follow(t, nodes[0], nodes[1])
	if v, _ := nodes[0].Lookup(k); len(v.Tags) != 40 {
		t.Fatalf("%d tags", len(v.Tags))
	}
}

func TestMutationsOfAClosedCatalogFail(t *testing.T) {
	c := newCatalog(t)
	v := active(t, c, "f")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Tag(t.Context(), v.Key, map[string]string{"a": "b"}); !errors.Is(err, errClosed) {
		t.Fatal(err)
	}
	if got, ok := c.Lookup(v.Key); !ok || got != v {
		t.Fatal("lookups must go on")
	}
}
