package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hearthd/hearth/internal/state"
)

func openState(t testing.TB, dir string) *state.Store {
	t.Helper()
	s, err := state.Open(t.Context(), state.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it
	return s
}

// node is a registry, as each node on a state has one.
func node(t testing.TB, s *state.Store, keyFile string) *Registry {
	t.Helper()
	r, err := Open(t.Context(), s, Options{KeyFile: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func start(t testing.TB) *Registry {
	t.Helper()
	return node(t, openState(t, t.TempDir()), t.TempDir()+"/master.key")
}

// follows waits until a node has seen all that another one has.
func follows(t testing.TB, r, other *Registry) {
	t.Helper()
	if err := r.await(t.Context(), other.view.Load().revision); err != nil {
		t.Fatal(err)
	}
}

// The first start makes a root account and a key; the next ones find them.
func TestRoot(t *testing.T) {
	dir, keyFile := t.TempDir(), t.TempDir()+"/master.key"
	s := openState(t, dir)
	r := node(t, s, keyFile)
	root, key, created, err := r.EnsureRoot(t.Context())
	if err != nil || !created {
		t.Fatalf("created %t, %v", created, err)
	}
	if !root.Root || root.Name != "root" || root.Concurrency != DefaultConcurrency || !regexp.MustCompile(`^[1-9][0-9]{11}$`).MatchString(string(root.ID)) {
		t.Errorf("root account %+v", root)
	}
	if !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(key.AccessKeyID) || len(key.Secret) != 40 || key.Account != root.ID {
		t.Errorf("key %s of %s, a secret of %d characters", key.AccessKeyID, key.Account, len(key.Secret))
	}
	if got, ok := r.Lookup(key.AccessKeyID); !ok || got != key {
		t.Errorf("Lookup = %+v, %t", got, ok)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	r = node(t, openState(t, dir), keyFile)
	again, sameKey, created, err := r.EnsureRoot(t.Context())
	if err != nil || created || again != root || sameKey != key {
		t.Errorf("at the next start: %+v, %+v, created %t, %v", again, sameKey, created, err)
	}
}

// A node that is killed at any step of its first start is helped by the next.
func TestRootHalfMade(t *testing.T) {
	for _, c := range []struct {
		name string
		done func(r *Registry) error
	}{
		{"name reserved", func(r *Registry) error { _, err := r.reserve(context.Background(), rootName); return err }},
		{"marked", func(r *Registry) error { _, err := r.markRoot(context.Background()); return err }},
		{"account made", func(r *Registry) error {
			if _, err := r.markRoot(context.Background()); err != nil {
				return err
			}
			_, err := r.ensureRootAccount(context.Background(), r.view.Load().root)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t)
			if err := c.done(r); err != nil {
				t.Fatal(err)
			}
			root, key, _, err := r.EnsureRoot(t.Context())
			if err != nil || !root.Root || root.ID == "" {
				t.Fatalf("%+v, %v", root, err)
			}
			if got, ok := r.Lookup(key.AccessKeyID); !ok || got.Account != root.ID {
				t.Errorf("its key: %+v, %t", got, ok)
			}
		})
	}
}

// Nodes that start at once on an empty state agree on the root account.
func TestRootOfSeveralNodes(t *testing.T) {
	s, keyFile := openState(t, t.TempDir()), t.TempDir()+"/master.key"
	var nodes []*Registry
	for range 4 {
		nodes = append(nodes, node(t, s, keyFile))
	}
	var created atomic.Int32
	roots := make([]Account, len(nodes))
	var wg sync.WaitGroup
	for i, r := range nodes {
		wg.Go(func() {
			root, _, first, err := r.EnsureRoot(t.Context())
			if err != nil {
				t.Error(err)
			}
			if first {
				created.Add(1)
			}
			roots[i] = root
		})
	}
	wg.Wait()
	if created.Load() != 1 {
		t.Errorf("%d of them say that they created it", created.Load())
	}
	for _, root := range roots {
		if root != roots[0] || !root.Root {
			t.Errorf("%+v and %+v", root, roots[0])
		}
	}
}

func TestCreate(t *testing.T) {
	r := start(t)
	if _, _, _, err := r.EnsureRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want error
	}{
		{"team", nil},
		{"Team 2 (no)", ErrInvalid},
		{"Team 2", nil},
		{"a.b_c@d-e", nil},
		{strings.Repeat("x", 64), nil},
		{strings.Repeat("x", 65), ErrInvalid},
		{"", ErrInvalid},
		{" x", ErrInvalid},
		{"x\n", ErrInvalid},
		{"é", ErrInvalid},
		{"team", ErrExists},
		{"root", ErrExists},
	} {
		a, k, err := r.Create(t.Context(), c.name)
		if !errors.Is(err, c.want) {
			t.Errorf("%q: %v, want %v", c.name, err, c.want)
		}
		if c.want != nil {
			continue
		}
		if a.Name != c.name || a.Root || a.Concurrency != DefaultConcurrency || a.CodeStorageBytes != DefaultCodeStorage {
			t.Errorf("%q: %+v", c.name, a)
		}
		if got, ok := r.Account(a.ID); !ok || got != a {
			t.Errorf("%q: Account = %+v, %t", c.name, got, ok)
		}
		if got, ok := r.Lookup(k.AccessKeyID); !ok || got.Account != a.ID {
			t.Errorf("%q: its key %+v, %t", c.name, got, ok)
		}
	}
	if n := len(r.Accounts()); n != 5 {
		t.Errorf("%d accounts, want 5", n)
	}
}

// A name is one account's, whoever else wants it at the same moment; and one
// that was only reserved is nobody's.
func TestNamesAreUnique(t *testing.T) {
	s, keyFile := openState(t, t.TempDir()), t.TempDir()+"/master.key"
	nodes := []*Registry{node(t, s, keyFile), node(t, s, keyFile)}
	if _, err := nodes[0].reserve(t.Context(), "team"); err != nil {
		t.Fatal(err)
	}
	var made atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			_, _, err := nodes[i%2].Create(t.Context(), "team")
			switch {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, ErrExists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("%d accounts of one name", made.Load())
	}
}

// What one node changes, the others know.
func TestNodesFollow(t *testing.T) {
	s, keyFile := openState(t, t.TempDir()), t.TempDir()+"/master.key"
	here, there := node(t, s, keyFile), node(t, s, keyFile)
	a, first, err := here.Create(t.Context(), "team")
	if err != nil {
		t.Fatal(err)
	}
	follows(t, there, here)
	if got, ok := there.Lookup(first.AccessKeyID); !ok || got != first {
		t.Errorf("Lookup = %+v, %t", got, ok)
	}
	if err := there.SetConcurrency(t.Context(), a.ID, 7); err != nil {
		t.Fatal(err)
	}
	follows(t, here, there)
	if got, _ := here.Account(a.ID); got.Concurrency != 7 {
		t.Errorf("concurrency %d", got.Concurrency)
	}
	if err := there.DeleteKey(t.Context(), first.AccessKeyID); err != nil {
		t.Fatal(err)
	}
	follows(t, here, there)
	if got, ok := here.Lookup(first.AccessKeyID); ok {
		t.Errorf("a deleted key is %+v", got)
	}
}

func TestKeys(t *testing.T) {
	r := start(t)
	a, first, err := r.Create(t.Context(), "team")
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.CreateKey(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	keys := r.Keys(a.ID)
	if len(keys) != 2 {
		t.Fatalf("%d keys", len(keys))
	}
	for _, k := range keys {
		if k.Secret != "" || !k.Active || k.Account != a.ID {
			t.Errorf("%+v, want no secret", k)
		}
	}
	for _, k := range []Key{first, second} { // the last one as well: it is not the root's
		if err := r.DeleteKey(t.Context(), k.AccessKeyID); err != nil {
			t.Error(err)
		}
		if _, ok := r.Lookup(k.AccessKeyID); ok {
			t.Error("a deleted key is there")
		}
		if err := r.DeleteKey(t.Context(), k.AccessKeyID); !errors.Is(err, ErrNotFound) {
			t.Errorf("again: %v", err)
		}
	}
	if _, err := r.CreateKey(t.Context(), "000000000000"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a key for nobody: %v", err)
	}
}

// The root account keeps a key, even when all are deleted at once.
func TestLastKeyOfRoot(t *testing.T) {
	r := start(t)
	root, first, _, err := r.EnsureRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteKey(t.Context(), first.AccessKeyID); !errors.Is(err, ErrLastKey) {
		t.Errorf("the only key: %v", err)
	}
	for range 3 {
		if _, err := r.CreateKey(t.Context(), root.ID); err != nil {
			t.Fatal(err)
		}
	}
	var kept atomic.Int32
	var wg sync.WaitGroup
	for _, k := range r.Keys(root.ID) {
		wg.Go(func() {
			switch err := r.DeleteKey(t.Context(), k.AccessKeyID); {
			case errors.Is(err, ErrLastKey):
				kept.Add(1)
			case err != nil:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if kept.Load() != 1 || len(r.Keys(root.ID)) != 1 {
		t.Errorf("%d kept, %d there", kept.Load(), len(r.Keys(root.ID)))
	}
}

func TestSetConcurrency(t *testing.T) {
	s, keyFile := openState(t, t.TempDir()), t.TempDir()+"/master.key"
	nodes := []*Registry{node(t, s, keyFile), node(t, s, keyFile)}
	a, _, err := nodes[0].Create(t.Context(), "team")
	if err != nil {
		t.Fatal(err)
	}
	follows(t, nodes[1], nodes[0])
	if err := nodes[0].SetConcurrency(t.Context(), a.ID, 0); !errors.Is(err, ErrInvalid) {
		t.Errorf("0: %v", err)
	}
	if err := nodes[0].SetConcurrency(t.Context(), "000000000000", 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
	// From two nodes at once: each change counts, the last stays, and nothing
	// else of the account is lost.
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := nodes[i%2].SetConcurrency(t.Context(), a.ID, 1+i); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	follows(t, nodes[0], nodes[1])
	follows(t, nodes[1], nodes[0])
	got, _ := nodes[0].Account(a.ID)
	other, _ := nodes[1].Account(a.ID)
	if got != other || got.Name != "team" || got.Concurrency == DefaultConcurrency {
		t.Errorf("%+v and %+v", got, other)
	}
}

// No secret stands in the state's files, and the master key is its owner's.
func TestSecretsAreSealed(t *testing.T) {
	dir, keyFile := t.TempDir(), t.TempDir()+"/master.key"
	s := openState(t, dir)
	_, k, _, err := node(t, s, keyFile).EnsureRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(keyFile)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("master key: %v, %v", info, err)
	}
	id := 0
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(k.Secret)) {
			t.Errorf("the secret is in %s", path)
		}
		id += bytes.Count(content, []byte(k.AccessKeyID))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if id == 0 {
		t.Error("the key is not in the state at all: this test is blind")
	}
}

// A node without the right master key says so, and makes no other one in its
// place.
func TestMasterKeyLost(t *testing.T) {
	s, keyFile := openState(t, t.TempDir()), t.TempDir()+"/master.key"
	if _, _, _, err := node(t, s, keyFile).EnsureRoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		content []byte // nil: no file
	}{{"missing", nil}, {"another", bytes.Repeat([]byte("x"), 32)}, {"cut short", []byte("x")}, {"empty", []byte{}}} {
		t.Run(c.name, func(t *testing.T) {
			file := t.TempDir() + "/other.key"
			if c.content != nil {
				if err := os.WriteFile(file, c.content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Open(t.Context(), s, Options{KeyFile: file}); !errors.Is(err, ErrMasterKey) {
				t.Errorf("Open: %v", err)
			}
			if _, err := os.Stat(file); c.content == nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("there is a file now: %v", err)
			}
		})
	}
}

// Lookup is on the way of every request.
func TestLookupAllocatesNothing(t *testing.T) {
	r := start(t)
	_, k, _, err := r.EnsureRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := r.Lookup(k.AccessKeyID); !ok {
			t.Error("not there")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookup(b *testing.B) {
	r := start(b)
	var ids []string
	for i := range 100 {
		_, k, err := r.Create(b.Context(), fmt.Sprintf("team %d", i))
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, k.AccessKeyID)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, ok := r.Lookup(ids[i%len(ids)]); !ok {
				b.Error("not there")
			}
		}
	})
}
