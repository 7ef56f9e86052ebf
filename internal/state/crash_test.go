package state_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hearthd/hearth/internal/state"
)

// crashDir is the variable that makes this binary a process that writes to a
// state until it is killed.
const crashDir = "HEARTH_STATE_CRASH_DIR"

const (
	crashWriters = 6 // each with keys of its own, so that each knows what is there
	crashKeys    = 20
)

// crashChild tells what it is about to do and, when it was acknowledged, that
// it is done:
//
//	begin <key> <value>      value "-" deletes
//	done <key> <value>
func crashChild(dir string) {
	ctx := context.Background()
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s, err := state.Open(ctx, state.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		fail(err)
	}
	b, err := s.Bucket(ctx, "test")
	if err != nil {
		fail(err)
	}
	objects, err := s.Objects(ctx, "test")
	if err != nil {
		fail(err)
	}
	var mu sync.Mutex
	tell := func(what, key, value string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, key, value) // one write, not buffered
	}
	var wg sync.WaitGroup
	for w := range crashWriters {
		wg.Go(func() {
			for {
				key := fmt.Sprintf("k.%d.%d", w, rand.IntN(crashKeys))
				value := strconv.FormatUint(rand.Uint64(), 36)
				if rand.IntN(4) == 0 {
					value = "-"
				}
				tell("begin", key, value)
				if err := crashWrite(ctx, b, key, value); err != nil {
					fail(err)
				}
				tell("done", key, value)
			}
		})
	}
	wg.Go(func() {
		for {
			key := fmt.Sprintf("o.%d", rand.IntN(3))
			value := strconv.FormatUint(rand.Uint64(), 36)
			tell("begin", key, value)
			if err := objects.Put(ctx, key, crashObject(value)); err != nil {
				fail(err)
			}
			tell("done", key, value)
		}
	})
	wg.Wait()
}

// crashWrite makes, changes or deletes a key. The length of what is stored
// differs, so that records are cut at all places.
func crashWrite(ctx context.Context, b *state.Bucket, key, value string) error {
	length := rand.IntN(5000)
	if rand.IntN(5) == 0 {
		length = rand.IntN(256 << 10)
	}
	stored := []byte(value + " " + strings.Repeat("x", length))
	e, err := b.Get(ctx, key)
	missing := errors.Is(err, state.ErrNotFound)
	switch {
	case err != nil && !missing:
		return err
	case missing && value == "-":
		return nil
	case missing:
		_, err = b.Create(ctx, key, stored)
	case value == "-":
		err = b.Delete(ctx, key, e.Revision)
	default:
		_, err = b.Update(ctx, key, stored, e.Revision)
	}
	return err
}

// crashObject has three chunks.
func crashObject(value string) io.Reader {
	return strings.NewReader(value + " " + strings.Repeat(value, (1<<20)/len(value)+1))
}

// A node that is killed at any moment loses nothing that it acknowledged, and
// what it was doing was done or not done.
func TestKill(t *testing.T) {
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	dir := t.TempDir()
	known := map[string][]string{} // what a key may have; "-" is nothing
	for round := range rounds {
		after := 50 + rand.IntN(1000)
		killed(t, dir, after, known)
		s := open(t, state.Options{Dir: dir})
		checkKilled(t, s, known)
		if t.Failed() {
			t.Fatalf("in round %d, killed after %d writes", round, after)
		}
		closeStore(t, s)
	}
}

// killed runs a child on the directory, kills it after so many acknowledged
// writes, and notes what every key may have.
func killed(t *testing.T, dir string, after int, known map[string][]string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	var stderr bytes.Buffer
	child.Stderr = &stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	done := 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) != 3 {
			continue // the last line, cut short: of something that was only begun
		}
		switch f[0] {
		case "begin":
			if known[f[1]] == nil {
				known[f[1]] = []string{"-"}
			}
			known[f[1]] = append(known[f[1]], f[2])
		case "done":
			known[f[1]] = f[2:]
			if done++; done == after {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	err = child.Wait()
	if done < after {
		t.Fatalf("the child ended by itself: %v\n%s", err, &stderr)
	}
}

func checkKilled(t *testing.T, s *state.Store, known map[string][]string) {
	t.Helper()
	v := watch(t.Context(), t, bucket(t, s))
	values := v.snapshot()
	objects, err := s.Objects(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	for key, may := range known {
		has := "-"
		if stored, ok := values[key]; ok {
			has, _, _ = strings.Cut(stored, " ")
		}
		if strings.HasPrefix(key, "o.") {
			has = readObject(t, objects, key)
		}
		if !slices.Contains(may, has) {
			t.Errorf("%s has %q, should have one of %q", key, has, may)
		}
		known[key] = []string{has}
	}
	for key := range values {
		if _, ok := known[key]; !ok {
			t.Errorf("%s was never written", key)
		}
	}
	// What half an upload left is gone.
	objects.Swept()
	stored, err := objects.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if chunks := countChunks(t, s); chunks != 3*len(stored) {
		t.Errorf("%d chunks for %d objects", chunks, len(stored))
	}
}

// readObject returns the value of a crashObject that is as it should be.
func readObject(t *testing.T, objects *state.Objects, key string) string {
	t.Helper()
	r, err := objects.Get(t.Context(), key)
	if errors.Is(err, state.ErrNotFound) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	value, _, _ := strings.Cut(string(content), " ")
	if want, _ := io.ReadAll(crashObject(value)); !bytes.Equal(content, want) {
		t.Errorf("%s has %d bytes that were not written like that", key, len(content))
	}
	return value
}

// countChunks looks behind the curtain.
func countChunks(t *testing.T, s *state.Store) int {
	t.Helper()
	stream, err := s.JetStream().Stream(t.Context(), "OBJECTS_test")
	if err != nil {
		t.Fatal(err)
	}
	return int(stream.CachedInfo().State.Msgs)
}

// Files as a crash of the machine leaves them don't keep a node from starting,
// and cost no more than what was damaged.
func TestDamagedFiles(t *testing.T) {
	const keys = 500
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, stream string)
		lost   int // at most
	}{
		{"the last record is cut", func(t *testing.T, stream string) {
			blocks, _ := filepath.Glob(stream + "/msgs/*.blk")
			size(t, blocks[len(blocks)-1], -7)
		}, 1},
		{"zeros after the last record", func(t *testing.T, stream string) {
			blocks, _ := filepath.Glob(stream + "/msgs/*.blk")
			size(t, blocks[len(blocks)-1], 4096)
		}, 0},
		{"no index", func(t *testing.T, stream string) {
			if err := os.Remove(stream + "/msgs/index.db"); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"index cut", func(t *testing.T, stream string) { size(t, stream+"/msgs/index.db", -10) }, 0},
		{"index empty", func(t *testing.T, stream string) {
			if err := os.Truncate(stream+"/msgs/index.db", 0); err != nil {
				t.Fatal(err)
			}
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, state.Options{Dir: dir})
			b := bucket(t, s)
			for i := range keys {
				if _, err := b.Create(t.Context(), fmt.Sprintf("k.%d", i), bytes.Repeat([]byte("x"), 100)); err != nil {
					t.Fatal(err)
				}
			}
			closeStore(t, s)
			streams, err := filepath.Glob(dir + "/jetstream/*/streams/KV_test")
			if err != nil || len(streams) != 1 {
				t.Fatal(streams, err)
			}
			c.damage(t, streams[0])

			b = bucket(t, open(t, state.Options{Dir: dir}))
			v := watch(t.Context(), t, b)
			if n := len(v.snapshot()); n < keys-c.lost {
				t.Errorf("%d of %d keys are left", n, keys)
			}
			if _, err := b.Create(t.Context(), "more", nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// size makes a file longer, by zeros, or shorter.
func size(t *testing.T, file string, by int64) {
	t.Helper()
	info, err := os.Stat(file)
	if err == nil {
		err = os.Truncate(file, info.Size()+by)
	}
	if err != nil {
		t.Fatal(err)
	}
}
