package e2e

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// A bad release is taken back by one command, and the history says who did what.
func TestRollbackAndHistory(t *testing.T) {
	t.Parallel()
	u := newTenant(t)
	f := u.versions(t, "taken-back")
	f.alias(t, "live", "1")
	if _, err := u.lambda.UpdateAlias(t.Context(), &lambda.UpdateAliasInput{FunctionName: &f.name, Name: aws.String("live"), FunctionVersion: aws.String("2")}); err != nil {
		t.Fatal(err)
	}
	hearth := func(args ...string) string {
		t.Helper()
		out, err := u.node.Hearth(t.Context(), u.key, args...)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	expect := func(qualifier, want string) {
		t.Helper()
		var got []string
		f.answer(t, map[string]any{}, &got, at(qualifier))
		if got[0] != want {
			t.Errorf("%s is answered by %s, want %s", qualifier, got[0], want)
		}
	}
	expect("live", "two")
	if out := hearth("versions", f.name); !strings.Contains(out, "\tlive\t") || strings.Count(out, "\n") != 4 {
		t.Errorf("versions:\n%s", out)
	}
	// The alias.
	hearth("rollback", f.name, "--alias", "live")
	u.eventually(t, "the alias has moved", func() bool { return !strings.Contains(hearth("versions", f.name, "--json"), "movingFrom") })
	expect("live", "one")
	// $LATEST, back and forth, and to a version.
	expect("$LATEST", "two")
	hearth("rollback", f.name)
	expect("$LATEST", "one")
	hearth("rollback", f.name)
	expect("$LATEST", "two")
	hearth("rollback", f.name, "--to", "1")
	expect("$LATEST", "one")

	var changes []struct {
		AccessKeyID, Operation string
		Items                  []struct{ Of, Old, New string }
	}
	decode(t, []byte(hearth("history", f.name, "--json")), &changes)
	var rollbacks []string
	for _, ch := range changes {
		if ch.Operation == "" || ch.Operation != "CompleteUpdate" && ch.Operation != "CompleteMove" && ch.AccessKeyID != u.key.AccessKeyID {
			t.Errorf("an entry by nobody: %+v", ch)
		}
		if ch.Operation == "Rollback" {
			rollbacks = append(rollbacks, ch.Items[0].Of)
		}
	}
	if got := strings.Join(rollbacks, " "); got != "alias live code code code" {
		t.Errorf("rollbacks of %s; the history is %+v", got, changes)
	}
	if _, err := u.node.Hearth(t.Context(), u.key, "rollback", f.name, "--to", "9"); err == nil || !strings.Contains(err.Error(), "Function not found") {
		t.Errorf("back to what is not there: %v", err)
	}
}
