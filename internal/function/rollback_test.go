package function

import "testing"

func TestRollback(t *testing.T) {
	c := newCatalog(t)
	v := active(t, c, "hello")
	back := func(in RollbackInput) (*View, error) { return c.Rollback(t.Context(), v.Key, in) }
	_, err := back(RollbackInput{})
	refused(t, err, Conflict, "nothing before")
	update := func(code string) *View {
		return must(c.UpdateCode(t.Context(), v.Key, UpdateCodeInput{Package: pkg(code)}))
	}
	is := func(v *View, wanted, serving string, status UpdateStatus) {
		t.Helper()
		if v.Wanted.CodeSHA256 != "sha-of-"+wanted || v.Serving.CodeSHA256 != "sha-of-"+serving || v.Status.Update != status {
			t.Fatalf("wants %s, serves %s, %+v", v.Wanted.CodeSHA256, v.Serving.CodeSHA256, v.Status)
		}
	}
	// An update that is under way is called off; nothing has to be prepared.
	update("b")
	is(must(back(RollbackInput{})), "a", "a", Successful)
	// So is one that failed.
	must(c.FailUpdate(t.Context(), v.Key, update("b").Wanted.ID, "FunctionError", "why"))
	is(must(back(RollbackInput{})), "a", "a", Successful)
	// One that succeeded is undone as by an update.
	must(c.CompleteUpdate(t.Context(), v.Key, update("b").Wanted.ID))
	undone := must(back(RollbackInput{}))
	is(undone, "a", "b", InProgress)
	is(must(c.CompleteUpdate(t.Context(), v.Key, undone.Wanted.ID)), "a", "a", Successful)
	if _, kept := c.Packages()["sha-of-b"]; !kept {
		t.Error("the package that the next rollback needs would be removed")
	}
	// And that is undone by another one.
	again := must(back(RollbackInput{}))
	is(again, "b", "a", InProgress)
	must(c.CompleteUpdate(t.Context(), v.Key, again.Wanted.ID))
	// To a version, by its number.
	must(second(c.PublishVersion(t.Context(), v.Key, PublishInput{})))
	must(c.CompleteUpdate(t.Context(), v.Key, update("c").Wanted.ID))
	is(must(back(RollbackInput{To: "1"})), "b", "c", InProgress)
	_, err = back(RollbackInput{To: "9"})
	refused(t, err, NotFound, "Function not found")
	_, err = back(RollbackInput{To: Latest})
	refused(t, err, InvalidParameter, "can't go back to itself")
}

func TestRollbackOfAnAlias(t *testing.T) {
	c := newCatalog(t)
	v := active(t, c, "hello")
	for _, code := range []string{"b", "c", "d"} {
		u := must(c.UpdateCode(t.Context(), v.Key, UpdateCodeInput{Package: pkg(code), Publish: true}))
		must(c.CompleteUpdate(t.Context(), v.Key, u.Wanted.ID))
	}
	back := func(to, want string) {
		t.Helper()
		if got := must(c.Rollback(t.Context(), v.Key, RollbackInput{Alias: "live", To: to})).Aliases["live"].Text(); got != want {
			t.Errorf("back to %s, want %s", got, want)
		}
	}
	move := func(to string, weights map[string]float64) {
		must(second(c.UpdateAlias(t.Context(), v.Key, "live", AliasChange{Version: &to, Weights: weights})))
	}
	must(second(c.CreateAlias(t.Context(), v.Key, AliasInput{Name: "live", Version: "1"})))
	_, err := c.Rollback(t.Context(), v.Key, RollbackInput{Alias: "live"})
	refused(t, err, Conflict, "pointed at no other version before")
	move("2", nil)
	back("", "1")
	back("", "2")
	move("2", map[string]float64{"3": 0.25})
	back("", "2") // all to the first of the two
	back("", "1")
	back("3", "3")
	back("", "1")
	move("2", nil)
	refused(t, c.Delete(t.Context(), v.Key, "1"), Conflict, "reference it: [live]") // it serves still
	must(c.CompleteMove(t.Context(), v.Key, "live", must(c.Get(v.Key)).Aliases["live"].RevisionID))
	if err := c.Delete(t.Context(), v.Key, "1"); err != nil {
		t.Fatal(err)
	}
	_, err = c.Rollback(t.Context(), v.Key, RollbackInput{Alias: "live"})
	refused(t, err, Conflict, "Version 1, which alias live pointed at before, was deleted")
	_, err = c.Rollback(t.Context(), v.Key, RollbackInput{Alias: "none"})
	refused(t, err, NotFound, "Cannot find alias")
}
