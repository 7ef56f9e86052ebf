package state_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/hearthd/hearth/internal/state"
)

// TestMain lets this binary be the processes that the tests start and kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir)
	}
	os.Exit(m.Run())
}

// open opens a state that is closed with the test. Without a directory or URL
// it has a directory of its own.
func open(t testing.TB, o state.Options) *state.Store {
	t.Helper()
	if o.Dir == "" && o.URL == "" {
		o.Dir = t.TempDir()
	}
	o.Log = slog.New(slog.DiscardHandler)
	s, err := state.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *state.Store) {
	t.Helper()
	if err := s.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func bucket(t testing.TB, s *state.Store) *state.Bucket {
	t.Helper()
	b, err := s.Bucket(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// both runs a test on the embedded server and on one elsewhere.
func both(t *testing.T, f func(t *testing.T, s *state.Store)) {
	t.Run("embedded", func(t *testing.T) { f(t, open(t, state.Options{})) })
	t.Run("elsewhere", func(t *testing.T) { f(t, open(t, state.Options{URL: natsServer(t)})) })
}

// natsServer is a NATS server as somebody else may run it.
func natsServer(t *testing.T) (url string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, JetStream: true, StoreDir: t.TempDir(), MaxPayload: 9 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(startTimeout) {
		t.Fatal("no server")
	}
	return s.ClientURL()
}

// What was written is there when the state is opened again.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, state.Options{Dir: dir})
	revision, err := bucket(t, s).Create(t.Context(), "a", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	e, err := bucket(t, open(t, state.Options{Dir: dir})).Get(t.Context(), "a")
	if err != nil || string(e.Value) != "1" || e.Revision != revision {
		t.Fatalf("Get = %+v, %v", e, err)
	}
}

// One process has a directory, and whoever else wants it is told which one.
func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	s := open(t, state.Options{Dir: dir})
	if _, err := state.Open(t.Context(), state.Options{Dir: dir}); !errors.Is(err, state.ErrInUse) {
		t.Errorf("a second time in this process: %v", err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is a node running on "+dir+" already?") || !strings.Contains(string(out), "(process ") {
		t.Errorf("another process: %v, %s", err, out)
	}
	closeStore(t, s)
	open(t, state.Options{Dir: dir})
}

// A directory that can't be used is an error that says so, not a hang.
func TestOpenFails(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Open(t.Context(), state.Options{Dir: file + "/state"}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in the way: %v", err)
	}
	if _, err := state.Open(t.Context(), state.Options{URL: "nats://127.0.0.1:1"}); err == nil {
		t.Error("no server there: no error")
	}
}

// After Close nothing is written, nothing is told, and nothing hangs.
func TestClosed(t *testing.T) {
	s := open(t, state.Options{})
	b := bucket(t, s)
	told := 0
	if err := b.Watch(t.Context(), func(state.Entry) { told++ }); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	before := told // the race detector knows whether this may be read
	if _, err := b.Put(t.Context(), "a", nil); err == nil {
		t.Error("Put after Close: no error")
	}
	if err := b.Watch(t.Context(), func(state.Entry) {}); err == nil {
		t.Error("Watch after Close: no error")
	}
	if told != before || told > 1 {
		t.Errorf("told %d times, %d before Close", told, before)
	}
}

// A context that has ended ends a call.
func TestContext(t *testing.T) {
	s := open(t, state.Options{})
	b := bucket(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if err := b.Watch(ctx, func(state.Entry) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
	if _, err := s.Bucket(ctx, "other"); !errors.Is(err, context.Canceled) {
		t.Errorf("Bucket: %v", err)
	}
}
