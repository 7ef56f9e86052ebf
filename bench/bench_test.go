package main

import (
	"os"
	"testing"
	"time"

	"github.com/hearthd/hearth/bench/load"
	"github.com/hearthd/hearth/bench/node"
	"github.com/hearthd/hearth/bench/suite"
)

// TestTools runs what needs no node: the baselines, by the client that also
// drives Hearth.
func TestTools(t *testing.T) {
	t.Chdir("..")
	built, err := buildTools(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(built.echo) == 0 {
		t.Error("the echo function is empty")
	}

	t.Run("proxy", func(t *testing.T) {
		echo, err := startServer(t.Context(), built.baseline, "echo")
		if err != nil {
			t.Fatal(err)
		}
		defer stopped(t, echo.stop)
		proxy, err := startServer(t.Context(), built.baseline, "proxy", echo.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer stopped(t, proxy.stop)
		for _, clients := range []int{1, 16} {
			res, err := load.Run(t.Context(), load.Options{
				Key: load.Key{ID: "id", Secret: "secret", Region: "r"}, Addr: proxy.addr, Clients: clients,
				For: 500 * time.Millisecond, Request: node.Invocation("echo", payload),
			})
			if err == nil {
				err = res.Check()
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d clients: p50 %s, p99 %s, %.0f/s", clients, suite.MS(res.Percentile(.5)), suite.MS(res.Percentile(.99)), res.PerSecond())
		}
	})

	t.Run("bare container", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("containers need root")
		}
		bare, err := startBareContainers(t.Context(), built.bareContainer)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			took, err := bare.once()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("create and start: %s", suite.MS(took))
		}
		stopped(t, bare.stop)
	})
}

func stopped(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
}
