package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

var hello = function.Key{Account: "123456789012", Name: "hello"}

const envID = "00112233445566778899aabbccddeeff"

func openLogs(t testing.TB, dir string) *Logs {
	t.Helper()
	store, err := state.Open(t.Context(), state.Options{Dir: dir, Log: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := OpenLogs(t.Context(), store, LogOptions{Log: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// messages reads a function's whole log.
func messages(t testing.TB, l *Logs, fn function.Key) []string {
	t.Helper()
	got := []string{}
	err := l.Read(t.Context(), fn, ReadOptions{}, func(e Event) error {
		got = append(got, e.Message)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAnInvocationsLines(t *testing.T) {
	l := openLogs(t, t.TempDir())
	s := l.Stream(hello, function.Latest, envID)
	defer s.Close()
	s.Write([]byte("imported\n"))
	s.BeginTail()
	s.Start(id, function.Latest)
	s.Write([]byte("hello\nwor"))
	s.Write([]byte("ld\n\nno newline"))
	s.End(id)
	s.Report(Report{RequestID: id, Duration: 1500 * time.Microsecond, MemoryMB: 128, MaxMemoryBytes: 9 << 20})

	want := []string{
		"START RequestId: " + id + " Version: $LATEST",
		"hello",
		"world",
		"",
		"no newline",
		"END RequestId: " + id,
		"REPORT RequestId: " + id + "\tDuration: 1.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 9 MB\t",
	}
	if diff := cmp.Diff(strings.Join(want, "\n")+"\n", string(s.Tail())); diff != "" {
		t.Errorf("tail (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(append([]string{"imported"}, want...), messages(t, l, hello)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if s.Group() != "/aws/lambda/hello" || s.Name() != time.Now().UTC().Format("2006/01/02/")+"[$LATEST]"+envID {
		t.Errorf("group %q, stream %q", s.Group(), s.Name())
	}
}

// Output may come in any pieces: what is logged is the same.
func TestPiecesMakeNoDifference(t *testing.T) {
	l := openLogs(t, t.TempDir())
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		fn := function.Key{Account: hello.Account, Name: fmt.Sprintf("pieces-%d", n)}
		s := l.Stream(fn, "1", envID)
		var all []byte
		for range rapid.IntRange(0, 10).Draw(t, "writes") {
			piece := []byte(rapid.StringMatching(`[ab\n]{0,40}`).Draw(t, "piece"))
			if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
				piece = append(piece, strings.Repeat("x", rapid.IntRange(1, 2*MaxEvent).Draw(t, "length"))...)
			}
			all = append(all, piece...)
			s.Write(piece)
		}
		s.Close()
		want := []string{}
		for line := range strings.Lines(string(all)) {
			line = strings.TrimSuffix(line, "\n")
			for len(line) > MaxEvent {
				want, line = append(want, line[:MaxEvent]), line[MaxEvent:]
			}
			want = append(want, line)
		}
		got := []string{}
		err := l.Read(context.Background(), fn, ReadOptions{}, func(e Event) error {
			got = append(got, e.Message)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestTailIsTheLast4KB(t *testing.T) {
	l := openLogs(t, t.TempDir())
	s := l.Stream(hello, "1", envID)
	defer s.Close()
	var all strings.Builder
	for i := range 3000 {
		line := fmt.Sprintf("line %d\n", i)
		s.Write([]byte(line))
		all.WriteString(line)
		if i%500 == 0 {
			s.Note("a note")
			all.WriteString("a note\n")
		}
		if want := all.String()[max(0, all.Len()-maxTail):]; string(s.Tail()) != want {
			t.Fatalf("after %d lines the tail is\n%q\nwant\n%q", i+1, s.Tail(), want)
		}
	}
	s.Write([]byte(strings.Repeat("y", 10_000) + "\n"))
	if want := strings.Repeat("y", maxTail-1) + "\n"; string(s.Tail()) != want {
		t.Errorf("the tail of a long line has %d bytes, want its last %d and the newline", len(s.Tail()), maxTail-1)
	}
	s.BeginTail()
	if got := s.Tail(); len(got) != 0 {
		t.Errorf("after BeginTail the tail is %q", got)
	}
}

func TestEndlessOutputIsBoundedAndSaysSo(t *testing.T) {
	l := openLogs(t, t.TempDir())
	s := l.Stream(hello, "1", envID)
	line := []byte(strings.Repeat("spam ", 800) + "\n")
	written := 0
	for ; written*len(line) < 4*LineBurst; written++ {
		s.Write(line)
		if held := l.held.Load(); held > maxInFlight+2*LineBurst {
			t.Fatalf("%d bytes are held", held)
		}
	}
	s.End(id)
	s.Close()
	kept, dropped := 0, 0
	for _, m := range messages(t, l, hello) {
		var n int
		if _, err := fmt.Sscanf(m, "[hearth] %d line", &n); err == nil {
			dropped += n
		} else if strings.HasPrefix(m, "spam") {
			kept++
		}
	}
	if dropped == 0 || kept+dropped != written {
		t.Errorf("of %d lines %d were kept and %d reported as dropped", written, kept, dropped)
	}
}

// All streams together hold no more than MaxPending, however much is held by
// lines without an end.
func TestUnfinishedLinesAreBounded(t *testing.T) {
	l := openLogs(t, t.TempDir())
	piece := []byte(strings.Repeat("z", 200<<10))
	var streams []*LogStream
	for range MaxPending/len(piece) + 100 {
		s := l.Stream(hello, "1", envID)
		streams = append(streams, s)
		s.Write(piece)
		if held := l.held.Load(); held > MaxPending {
			t.Fatalf("%d bytes are held", held)
		}
	}
	for _, s := range streams {
		s.Close()
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held := l.held.Load(); held != 0 {
		t.Errorf("%d bytes are held when everything is stored", held)
	}
}

func TestReadIsInOrderOfTimeAcrossStreams(t *testing.T) {
	l := openLogs(t, t.TempDir())
	var wg sync.WaitGroup
	const streams, lines = 8, 400
	for i := range streams {
		s := l.Stream(hello, "1", fmt.Sprintf("%032x", i))
		wg.Go(func() {
			defer s.Close()
			for n := range lines {
				s.Write(fmt.Appendf(nil, "%d\n", n))
			}
		})
	}
	wg.Wait()
	var last time.Time
	next := map[string]int{}
	err := l.Read(t.Context(), hello, ReadOptions{}, func(e Event) error {
		if e.Time.Before(last) {
			return fmt.Errorf("%s after %s", e.Time, last)
		}
		last = e.Time
		if e.Message != fmt.Sprint(next[e.Stream]) {
			return fmt.Errorf("%s in %s, want %d", e.Message, e.Stream, next[e.Stream])
		}
		next[e.Stream]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(next) != streams {
		t.Fatalf("%d streams, want %d", len(next), streams)
	}
	for stream, n := range next {
		if n != lines {
			t.Errorf("%s has %d lines, want %d", stream, n, lines)
		}
	}
}

func TestReadOptions(t *testing.T) {
	l := openLogs(t, t.TempDir())
	s := l.Stream(hello, "1", envID)
	defer s.Close()
	other := l.Stream(function.Key{Account: "210987654321", Name: "hello"}, "1", envID)
	defer other.Close()
	other.Write([]byte("of somebody else\n"))
	var times []time.Time
	for i := range 5 {
		s.Write(fmt.Appendf(nil, "%d\n", i))
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Events carry milliseconds: wait for the next one to begin.
		for begin := time.Now().UnixMilli(); time.Now().UnixMilli() == begin; {
			time.Sleep(100 * time.Microsecond)
		}
		times = append(times, time.Now())
	}
	for name, test := range map[string]struct {
		options ReadOptions
		want    []string
	}{
		"all":             {ReadOptions{}, []string{"0", "1", "2", "3", "4"}},
		"the newest":      {ReadOptions{Limit: 2}, []string{"3", "4"}},
		"since":           {ReadOptions{Since: times[1]}, []string{"2", "3", "4"}},
		"since and limit": {ReadOptions{Since: times[1], Limit: 10}, []string{"2", "3", "4"}},
		"since the end":   {ReadOptions{Since: times[4]}, nil},
		"since tomorrow":  {ReadOptions{Since: times[4].Add(24 * time.Hour)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			err := l.Read(t.Context(), hello, test.options, func(e Event) error {
				got = append(got, e.Message)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a function that never ran", func(t *testing.T) {
		if got := messages(t, l, function.Key{Account: "1", Name: "never"}); len(got) != 0 {
			t.Errorf("got %q", got)
		}
	})
	t.Run("stopped by its caller", func(t *testing.T) {
		enough := errors.New("enough")
		if err := l.Read(t.Context(), hello, ReadOptions{}, func(Event) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFollow(t *testing.T) {
	l := openLogs(t, t.TempDir())
	s := l.Stream(hello, "1", envID)
	defer s.Close()
	s.Write([]byte("before\n"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan string, 10)
	result := make(chan error, 1)
	go func() {
		result <- l.Read(ctx, hello, ReadOptions{Follow: true}, func(e Event) error {
			got <- e.Message
			return nil
		})
	}()
	for _, want := range []string{"before", "one", "two"} {
		if want != "before" {
			s.Write([]byte(want + "\n"))
		}
		if m := <-got; m != want {
			t.Fatalf("got %q, want %q", m, want)
		}
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCloseStoresEverything(t *testing.T) {
	dir := t.TempDir()
	t.Run("write", func(t *testing.T) {
		s := openLogs(t, dir).Stream(hello, "1", envID)
		s.Write([]byte("last words"))
		s.Close()
	})
	if diff := cmp.Diff([]string{"last words"}, messages(t, openLogs(t, dir), hello)); diff != "" {
		t.Error(diff)
	}
}

// TestKilledNodeKeepsWhatWasFlushed kills a process that writes and flushes
// lines: every line that it had seen flushed is there afterwards.
func TestKilledNodeKeepsWhatWasFlushed(t *testing.T) {
	const flushed = "flushed"
	if dir := os.Getenv("TELEMETRY_TEST_DIR"); dir != "" {
		l := openLogs(t, dir)
		s := l.Stream(hello, "1", envID)
		for i := 0; ; i++ {
			s.Write(fmt.Appendf(nil, "%d\n", i))
			if err := l.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			fmt.Println(flushed, i)
		}
	}
	dir := filepath.Join(t.TempDir(), "state")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledNodeKeepsWhatWasFlushed$")
	child.Env = append(os.Environ(), "TELEMETRY_TEST_DIR="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	for last < 50 {
		var word string
		if _, err := fmt.Fscan(out, &word, &last); err != nil || word != flushed {
			t.Fatalf("the child said %q: %v", word, err)
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for { // what it had said before it was killed
		var word string
		if _, err := fmt.Fscan(out, &word, &last); err != nil {
			break
		}
	}
	_ = child.Wait()
	got := messages(t, openLogs(t, dir), hello)
	if len(got) <= last {
		t.Fatalf("%d lines were flushed and %d are there", last+1, len(got))
	}
	for i, m := range got {
		if m != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, m)
		}
	}
}
