package function

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProvisionedConcurrency(t *testing.T) {
	c := newCatalog(t)
	v := active(t, c, "hello")
	for _, code := range []string{"b", "c"} {
		u := must(c.UpdateCode(t.Context(), v.Key, UpdateCodeInput{Package: pkg(code), Publish: true}))
		must(c.CompleteUpdate(t.Context(), v.Key, u.Wanted.ID))
	}
	must(second(c.CreateAlias(t.Context(), v.Key, AliasInput{Name: "live", Version: "1"})))
	set := func(qualifier string, n int) error {
		_, err := c.SetProvisioned(t.Context(), v.Key, qualifier, n)
		return err
	}
	refused(t, set(Latest, 1), InvalidParameter, "cannot be applied to unpublished function versions")
	refused(t, set("9", 1), NotFound, "Function not found")
	refused(t, set("live", 901), InvalidParameter, "below its minimum value of [100]")
	refused(t, set("live", 1001), InvalidParameter, "greater than account's unreserved concurrency [1000]")
	if err := set("live", 5); err != nil {
		t.Fatal(err)
	}
	refused(t, set("1", 1), Conflict, "Version is pointed by a Provisioned Concurrency alias")
	if err := set("2", 3); err != nil {
		t.Fatal(err)
	}
	_, _, err := c.UpdateAlias(t.Context(), v.Key, "live", AliasChange{Version: new("2")})
	refused(t, err, Conflict, "already Provisioned version")
	_, err = c.SetReserved(t.Context(), v.Key, 7)
	refused(t, err, InvalidParameter, "below its provisioned concurrency of [8]")
	must(c.SetReserved(t.Context(), v.Key, 8))
	refused(t, set("live", 6), InvalidParameter, "greater than the reservedConcurrentExecution")

	// What provisioned concurrency holds, nobody else can reserve.
	must(c.ClearReserved(t.Context(), v.Key))
	active(t, c, "other")
	_, err = c.SetReserved(t.Context(), key("other"), 893)
	refused(t, err, InvalidParameter, "below its minimum value")
	must(c.SetReserved(t.Context(), key("other"), 892))
	if u := c.Usage(acct); u.Reserved != 892 || u.Provisioned != 8 {
		t.Errorf("usage %+v", u)
	}

	// It goes with what it is of.
	must(c.DeleteProvisioned(t.Context(), v.Key, "2"))
	must(c.DeleteProvisioned(t.Context(), v.Key, "2"))
	gone := must(c.DeleteAlias(t.Context(), v.Key, "live"))
	if len(gone.Provisioned) > 0 {
		t.Errorf("left: %v", gone.Provisioned)
	}
}

// Each version of a route gets what its share comes to, and nobody less.
func TestProvisionedOnARoute(t *testing.T) {
	for _, test := range []struct {
		n      int
		weight float64
		want   map[string]int
	}{
		{10, 0.1, map[string]int{"1": 9, "2": 1}}, {10, 0.25, map[string]int{"1": 8, "2": 3}},
		{1, 0.5, map[string]int{"1": 1, "2": 1}}, {10, 0, map[string]int{"1": 10}}, {10, 1, map[string]int{"2": 10}},
		{100, 0.07, map[string]int{"1": 93, "2": 7}},
	} {
		if diff := cmp.Diff(test.want, Provisioned{N: test.n}.Kept(Route{Version: "1", Additional: "2", Weight: test.weight})); diff != "" {
			t.Errorf("%d with %v (-want +got):\n%s", test.n, test.weight, diff)
		}
	}
	if diff := cmp.Diff(map[string]int{"1": 4}, Provisioned{N: 4}.Kept(Route{Version: "1"})); diff != "" {
		t.Error(diff)
	}
}

// What is provisioned is there after a restart.
func TestProvisionedSurvives(t *testing.T) {
	st := openState(t, t.TempDir())
	c := openCatalog(t, st, Options{})
	v := active(t, c, "hello")
	must(second(c.PublishVersion(t.Context(), v.Key, PublishInput{})))
	before := must(c.SetProvisioned(t.Context(), v.Key, "1", 7))
	after := must(openCatalog(t, st, Options{}).Get(v.Key))
	if diff := cmp.Diff(fmt.Sprint(before.Provisioned), fmt.Sprint(after.Provisioned)); diff != "" {
		t.Error(diff)
	}
	if u := c.Usage(acct); u.Provisioned != 7 {
		t.Errorf("usage %+v", u)
	}
}
