package load_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/hearthd/hearth/bench/load"
)

var key = load.Key{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Region: "eu-central-1"}

// TestSignature compares with AWS's own signer.
func TestSignature(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 30, 45, 0, time.UTC)
	for _, r := range []load.Request{
		{Method: "POST", Path: "/2015-03-31/functions/echo/invocations", Host: "127.0.0.1:9400", Body: []byte(`{"a":1}`)},
		{Method: "GET", Path: "/2015-03-31/functions/arn:aws:lambda:x:1:function:f/configuration?Qualifier=live", Host: "localhost"},
		{Method: "POST", Path: "/2015-03-31/functions/echo/invocations", Host: "h", Headers: map[string]string{"x-amz-log-type": "Tail", "a": "b"}},
	} {
		sum := sha256.Sum256(r.Body)
		req, err := http.NewRequestWithContext(t.Context(), r.Method, "http://"+r.Host+r.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range r.Headers {
			req.Header.Set(name, value)
		}
		err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret},
			req, hex.EncodeToString(sum[:]), "lambda", key.Region, now)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(key.Sign(r, now)), "\r\nAuthorization: "+req.Header.Get("Authorization")+"\r\n"; !strings.Contains(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

func TestReadKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[default]\naws_access_key_id = A\naws_secret_access_key=B=\nregion = r\n")
	if k, err := load.ReadKey(path); err != nil || k != (load.Key{ID: "A", Secret: "B=", Region: "r"}) {
		t.Errorf("got %+v, %v", k, err)
	}
	write("[default]\n")
	if _, err := load.ReadKey(path); err == nil {
		t.Error("a file without a key is accepted")
	}
}

func TestClosedLoop(t *testing.T) {
	var conns, requests atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if string(b) != "payload" || !strings.Contains(r.Header.Get("Authorization"), "Signature=") {
			w.WriteHeader(http.StatusTeapot)
		}
		switch requests.Add(1) % 3 {
		case 0: // chunked
			fmt.Fprint(w, "one")
			w.(http.Flusher).Flush()
			fmt.Fprint(w, strings.Repeat("x", 100_000))
		case 1: // empty
		default:
			w.Write(b)
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	res, err := load.Run(t.Context(), load.Options{Key: key, Addr: s.Listener.Addr().String(), Clients: 4, For: 50 * time.Millisecond,
		Request: load.Request{Method: "POST", Path: "/x", Host: "h", Body: []byte("payload")}})
	if err == nil {
		err = res.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(res.Latencies)) != requests.Load() || !slices.IsSorted(res.Latencies) {
		t.Errorf("%d latencies of %d requests", len(res.Latencies), requests.Load())
	}
	if conns.Load() != 4 {
		t.Errorf("%d connections for 4 clients", conns.Load())
	}
}

func TestListIsSentOnce(t *testing.T) {
	seen := make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL.Path
		switch r.URL.Path {
		case "/7":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/8":
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
		}
	}))
	defer s.Close()
	var list []load.Request
	for i := range 50 {
		list = append(list, load.Request{Method: "POST", Path: fmt.Sprintf("/%d", i), Host: "h"})
	}
	res, err := load.Run(t.Context(), load.Options{Key: key, Addr: s.Listener.Addr().String(), Clients: 8, Requests: list})
	if err != nil {
		t.Fatal(err)
	}
	if res.Failed != 2 || len(res.Latencies) != 48 || res.Check() == nil || len(seen) != 50 {
		t.Errorf("failed %d, good %d, seen %d", res.Failed, len(res.Latencies), len(seen))
	}
}

// TestOpenLoopChargesAStall is why there is an open loop: a server that stops
// for a moment is charged for every request that was due meanwhile.
func TestOpenLoopChargesAStall(t *testing.T) {
	const stall = 500 * time.Millisecond
	var served atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Name", "value of "+r.URL.Path)
		switch served.Add(1) {
		case 20:
			time.Sleep(stall)
		case 30:
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer s.Close()
	var wrong atomic.Int64
	stream, err := load.Begin(t.Context(), load.Open{
		Key: key, Addr: s.Listener.Addr().String(), Clients: 1,
		Requests: []load.Request{{Method: "POST", Path: "/a", Host: "h"}, {Method: "POST", Path: "/b", Host: "h"}},
		Due: func(i int64) (time.Duration, int, bool) {
			return time.Duration(i) * 5 * time.Millisecond, int(i % 2), i < 100
		},
		Keep: []string{"x-name"},
		Judge: func(c *load.Conn, status int, _ time.Time) (uint64, error) {
			if !strings.HasPrefix(c.Kept(0), "value of /") {
				wrong.Add(1)
			}
			if status != 200 {
				return 7, errors.New("refused")
			}
			return 1, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := stream.Wait()
	if err == nil || err.Error() != "refused" {
		t.Errorf("the failed answer is told as %v", err)
	}
	if len(answers) != 100 || served.Load() != 100 || wrong.Load() > 0 {
		t.Fatalf("%d answers of %d requests, %d without their header", len(answers), served.Load(), wrong.Load())
	}
	failed, charged := 0, 0
	for i, a := range answers {
		if a.Due != time.Duration(i)*5*time.Millisecond || a.Request != i%2 || a.Took < a.Late || a.Late < 0 {
			t.Errorf("answer %d is %+v", i, a)
		}
		if a.Failed {
			failed++
		}
		if a.Due >= 19*5*time.Millisecond && a.Took >= stall/2 {
			charged++
		}
	}
	if failed != 1 || charged < 40 {
		t.Errorf("%d failed, %d charged with the stall", failed, charged)
	}
}

// TestOpenLoopEnds at once when it is told to, and mends a broken connection.
func TestOpenLoopEnds(t *testing.T) {
	seen := make(chan struct{}, 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		seen <- struct{}{}
		if len(seen) == 2 {
			w.Header().Set("Connection", "close")
		}
	}))
	defer s.Close()
	stream, err := load.Begin(t.Context(), load.Open{
		Key: key, Addr: s.Listener.Addr().String(), Clients: 2,
		Requests: []load.Request{{Method: "POST", Path: "/", Host: "h"}}, Due: load.Steady(1000, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	for len(seen) < 50 {
		runtime.Gosched()
	}
	answers, err := stream.End()
	failed := 0
	for _, a := range answers {
		if a.Failed {
			failed++
		}
	}
	if len(answers) < 50 || failed > 1 || (failed > 0) != (err != nil) {
		t.Errorf("%d answers, %d failed, error %v", len(answers), failed, err)
	}
}

func TestPercentileAndMedian(t *testing.T) {
	var d []time.Duration
	for i := range 100 {
		d = append(d, time.Duration(i+1))
	}
	for p, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.99: 99, 1: 100, 0.001: 1, 0.995: 100} {
		if got := load.Percentile(d, p); got != want {
			t.Errorf("p%v is %d, want %d", p*100, got, want)
		}
	}
	if got := load.Percentile(nil, 0.5); got != 0 {
		t.Errorf("percentile of nothing is %d", got)
	}
	if got := load.Median([]float64{5, 1, 3}); got != 3 {
		t.Errorf("median is %v", got)
	}
	if got := load.Median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median is %v", got)
	}
}
