package sizing

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

// BenchmarkOpen prints how long sizing takes to start with a decision for each
// of HEARTH_FUNCTIONS functions:
//
//	HEARTH_FUNCTIONS=100000 go test ./internal/sizing -run - -bench Open -benchtime 3x
func BenchmarkOpen(b *testing.B) {
	n := 1000
	if s := os.Getenv("HEARTH_FUNCTIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	store, err := state.Open(b.Context(), state.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	catalog, err := function.Open(b.Context(), store, function.Options{Region: "us-east-1"})
	if err != nil {
		b.Fatal(err)
	}
	defer catalog.Close()
	bucket, err := store.Bucket(b.Context(), decisionsBucket)
	if err != nil {
		b.Fatal(err)
	}
	g, ctx := errgroup.WithContext(b.Context())
	g.SetLimit(64)
	for i := range n {
		g.Go(func() error { return seed(ctx, catalog, bucket, i) })
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(b.Context(), Rooms{store, catalog}, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if len(s.functions) != n {
			b.Fatalf("%d of %d", len(s.functions), n)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(n), "functions")
}

// seed makes a function with a decision and two adjustments.
func seed(ctx context.Context, catalog *function.Catalog, bucket *state.Bucket, i int) error {
	key := function.Key{Account: hello.Account, Name: fmt.Sprintf("orders-%06d", i)}
	v, err := catalog.Create(ctx, key, function.CreateInput{
		Config:  function.Configuration{Runtime: "python3.13", Handler: "f.handler", Memory: 1024},
		Package: function.Package{SHA256: "one", Size: 1}, Tags: applied,
	})
	if err != nil {
		return err
	}
	d := Decision{Verb: Lower, Cause: TooMuch, Amount: Amount{512, 512}, Recommended: Amount{168, 168}, Reason: "Executions use up to 150 MB; less than 1024 MB will do."}
	r := record{
		Function: key, Version: function.Latest, Asked: 1024, Standing: Standing{Amount: d.Amount}, Recommended: d.Recommended, Reason: d.Reason, At: monday,
		History: []Adjustment{{At: monday, FromMB: 1024, ToMB: 512, Reason: d.Reason}, {At: monday, FromMB: 512, ToMB: 256, Reason: d.Reason}},
	}
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = bucket.Create(ctx, recordKey(v.FunctionID, function.Latest), value)
	return err
}
