package function

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What a function's owner reads after a day's work: who did what, and what of
// it the platform completed.
func TestHistory(t *testing.T) {
	c := openCatalog(t, openState(t, t.TempDir()), Options{Now: func() time.Time { return time.UnixMilli(1e12) }})
	k := key("hello")
	ada := func(operation string) (by Author) {
		return Author{Account: acct, AccessKeyID: "AKIAADA", Operation: operation}
	}
	as := t.Context()
	for _, step := range []struct {
		operation string
		do        func() error
	}{
		{"CreateFunction", func() error {
			_, err := c.Create(WithAuthor(as, ada("CreateFunction")), k, CreateInput{Config: config(), Package: pkg("a"), Publish: true})
			return err
		}},
		{"", func() error { _, err := c.CompleteUpdate(as, k, must(c.Get(k)).Wanted.ID); return err }},
		{"UpdateFunctionConfiguration", func() error {
			_, err := c.UpdateConfig(WithAuthor(as, ada("UpdateFunctionConfiguration")), k, "", func(c *Configuration) error {
				c.Memory, c.Environment = 512, map[string]string{"PASSWORD": "secret"}
				return nil
			})
			return err
		}},
		{"", func() error {
			_, err := c.FailUpdate(as, k, must(c.Get(k)).Wanted.ID, "FunctionError", "it does not start")
			return err
		}},
		{"CreateAlias", func() error {
			_, _, err := c.CreateAlias(WithAuthor(as, ada("CreateAlias")), k, AliasInput{Name: "live", Version: "1"})
			return err
		}},
		{"PublishVersion", func() error { _, _, err := c.PublishVersion(as, k, PublishInput{}); return err }},
		{"UpdateAlias", func() error {
			_, _, err := c.UpdateAlias(WithAuthor(as, ada("UpdateAlias")), k, "live", AliasChange{Weights: map[string]float64{"2": 0.1}})
			return err
		}},
		{"PutFunctionConcurrency", func() error {
			_, err := c.SetReserved(WithAuthor(as, ada("PutFunctionConcurrency")), k, 7)
			return err
		}},
		{"another function's", func() error { active(t, c, "other"); _, err := c.SetReserved(as, key("other"), 9); return err }},
		{"nothing to do", func() error { _, err := c.DeleteAlias(as, k, "none"); return err }},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.operation, err)
		}
	}
	var got []string
	for _, ch := range must(c.History(t.Context(), k)) {
		if !ch.Time.Equal(time.UnixMilli(1e12)) {
			t.Errorf("at %v", ch.Time)
		}
		line := ch.By() + " " + ch.Operation + ":"
		for _, i := range ch.Items {
			line += fmt.Sprintf(" %s %q→%q", i.Of, i.Old, i.New)
		}
		got = append(got, line)
	}
	want := []string{
		`AKIAADA CreateFunction: code ""→"sha-of-a" Runtime ""→"python3.13" Handler ""→"index.handler" Role ""→"arn:aws:iam::123456789012:role/r" Timeout ""→"3" MemorySize ""→"128" EphemeralStorage ""→"512" Architectures ""→"x86_64" TracingConfig ""→"PassThrough" version 1 ""→"Pending" status ""→"Pending"`,
		`hearth CompleteUpdate: version 1 "Pending"→"Active" status "Pending"→"Active, Successful"`,
		`AKIAADA UpdateFunctionConfiguration: MemorySize "128"→"512" Environment ""→"PASSWORD" status "Active, Successful"→"Active, InProgress"`,
		`hearth FailUpdate: status "Active, InProgress"→"Active, Failed: it does not start"`,
		`AKIAADA CreateAlias: alias live ""→"1"`,
		`hearth : version 2 ""→"Active"`,
		`AKIAADA UpdateAlias: alias live "1"→"1 90%, 2 10%, as soon as it is ready"`,
		`AKIAADA PutFunctionConcurrency: reserved ""→"7"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	stored := must(json.Marshal(must(c.History(t.Context(), k))))
	if strings.Contains(string(stored), "secret") {
		t.Errorf("a secret is in the history: %s", stored)
	}
	if _, err := c.History(t.Context(), key("absent")); !IsKind(err, NotFound) {
		t.Errorf("of a function that is not there: %v", err)
	}
}

// A history has the last changes, and a deleted function's is not its
// successor's.
func TestHistoryIsBounded(t *testing.T) {
	c := newCatalog(t)
	v := active(t, c, "hello")
	for i := range MaxHistory + 10 {
		must(c.Tag(t.Context(), v.Key, map[string]string{"n": fmt.Sprint(i)}))
	}
	history := must(c.History(t.Context(), v.Key))
	if last := history[len(history)-1].Items[0]; len(history) != MaxHistory || last.New != fmt.Sprint(MaxHistory+9) {
		t.Errorf("%d entries, the last %+v", len(history), last)
	}
	if err := c.Delete(t.Context(), v.Key, ""); err != nil {
		t.Fatal(err)
	}
	active(t, c, "hello")
	if history := must(c.History(t.Context(), v.Key)); len(history) != 2 {
		t.Errorf("the history of its successor: %+v", history)
	}
}

// checkHistory checks that each entry begins where the one before it ended, and
// the last one ends at what is there: that nothing was left out.
func checkHistory(t *rapid.T, c *Catalog, k Key) {
	t.Helper()
	history, err := c.History(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	if len(history) == MaxHistory {
		return // the beginning may be gone
	}
	is := map[string]string{}
	for n, ch := range history {
		for _, i := range ch.Items {
			if is[i.Of] != i.Old {
				t.Fatalf("entry %d of %s says that %s was %q; it was %q", n, k.Name, i.Of, i.Old, is[i.Of])
			}
			is[i.Of] = i.New
		}
	}
	v, _ := c.Lookup(k)
	want := &Change{}
	(&draft{record: v.record()}).tell(want, &record{})
	reserved := ""
	if v.Reserved != NoReservation {
		reserved = fmt.Sprint(v.Reserved)
	}
	differ(&want.Items, "reserved", "", reserved)
	for _, i := range want.Items {
		if is[i.Of] != i.New {
			t.Fatalf("by its history %s of %s is %q; it is %q", i.Of, k.Name, is[i.Of], i.New)
		}
		delete(is, i.Of)
	}
	for of, value := range is {
		if value != "" {
			t.Fatalf("by its history %s of %s is %q; it is not there", of, k.Name, value)
		}
	}
}
