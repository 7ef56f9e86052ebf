package function

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/state"
)

// No value of an environment variable stands in the state's files, in whatever
// part of a function it was, and all of them are there after a restart.
func TestEnvironmentVariablesAreSealed(t *testing.T) {
	const secret, marker = "correct-horse-battery-staple", "a marker that is stored as it is"
	dir, keyFile := t.TempDir(), filepath.Join(t.TempDir(), "master.key")
	k := key("hello")
	with := func(c *Configuration) error {
		c.Description = marker
		c.Environment = map[string]string{"PASSWORD": secret}
		return nil
	}
	check := func(c *Catalog) {
		t.Helper()
		v := must(c.Get(k))
		for name, r := range map[string]*Revision{"wanted": v.Wanted, "serving": v.Serving, "version 1": &v.Versions["1"].Revision} {
			if r.Config.Environment["PASSWORD"] != secret {
				t.Errorf("%s has the environment %v", name, r.Config.Environment)
			}
		}
	}
	open := func() (*Catalog, func()) {
		st, err := state.Open(t.Context(), state.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		accounts := must(account.Open(t.Context(), st, account.Options{KeyFile: keyFile}))
		if _, _, _, err := accounts.EnsureRoot(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := must(Open(t.Context(), st, Options{Region: "eu-central-1", Seal: accounts, Log: slog.New(slog.NewTextHandler(failing{t}, nil))}))
		return c, func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}
	}

	c, closing := open()
	active(t, c, k.Name)
	v := must(c.UpdateConfig(t.Context(), k, "", with))
	must(c.CompleteUpdate(t.Context(), k, v.Wanted.ID))
	must(second(c.PublishVersion(t.Context(), k, PublishInput{})))
	must(c.UpdateCode(t.Context(), k, UpdateCodeInput{Package: pkg("b")})) // serving is not wanted now
	check(c)
	closing()

	found := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(secret)) {
			t.Errorf("the secret is in %s", path)
		}
		found += bytes.Count(content, []byte(marker))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("the function is not in the state at all: this test is blind")
	}

	c, closing = open()
	check(c)
	closing()
}

// What an earlier Hearth stored unsealed is read, and sealed by its next change.
func TestUnsealedEnvironmentIsRead(t *testing.T) {
	st := openState(t, t.TempDir())
	k := key("hello")
	before := openCatalog(t, st, Options{})
	active(t, before, k.Name)
	v := must(before.UpdateConfig(t.Context(), k, "", func(c *Configuration) error {
		c.Environment = map[string]string{"PASSWORD": "secret"}
		return nil
	}))
	must(before.CompleteUpdate(t.Context(), k, v.Wanted.ID))

	accounts := must(account.Open(t.Context(), st, account.Options{KeyFile: filepath.Join(t.TempDir(), "master.key")}))
	now := openCatalog(t, st, Options{Seal: accounts})
	if got := must(now.Get(k)).Serving.Config.Environment["PASSWORD"]; got != "secret" {
		t.Fatalf("%q", got)
	}
	b := must(st.BucketWithPast(t.Context(), bucketName))
	if e := must(b.Get(t.Context(), recordKey(k))); !bytes.Contains(e.Value, []byte(`"secret"`)) {
		t.Fatalf("this test is blind: %s", e.Value)
	}
	// The other catalog can't read what follows, and says so.
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	v = must(now.UpdateCode(t.Context(), k, UpdateCodeInput{Package: pkg("b")}))
	if v.Wanted.Config.Environment["PASSWORD"] != "secret" {
		t.Errorf("%v", v.Wanted.Config.Environment)
	}
	if e := must(b.Get(t.Context(), recordKey(k))); bytes.Contains(e.Value, []byte(`"secret"`)) {
		t.Errorf("%s", e.Value)
	}
}
