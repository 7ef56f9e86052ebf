package runtimeapi_test

import (
	"fmt"
	"net"
	"runtime"
	"testing"

	"github.com/hearthd/hearth/internal/runtimeapi"
)

// TestIdleMemory holds what an idle environment costs the node in heap and
// stacks, after it has served an invocation, against the limit the design sets.
func TestIdleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has its own memory")
	}
	const n, limit = 200, 40 << 10
	used := func() uint64 {
		runtime.GC()
		runtime.GC() // the first one only moves pools aside
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := used()
	var endpoints []*runtimeapi.Endpoint
	var peers []net.Conn
	for range n {
		l := listen(t)
		e := runtimeapi.Serve(l, runtimeapi.Options{})
		defer e.Close()
		nc := dial(t, l)
		fmt.Fprintf(nc, "GET %s HTTP/1.1\r\n\r\n", next)
		call := invoke(t, e, &runtimeapi.Invocation{RequestID: "a", Payload: make([]byte, 1<<10)})
		readUntil(t, nc, "\r\n\r\n")
		readUntil(t, nc, string(make([]byte, 1<<10)))
		fmt.Fprintf(nc, "POST %s HTTP/1.1\r\nContent-Length: 1024\r\n\r\n%s", path("a", "response"), make([]byte, 1<<10))
		readUntil(t, nc, "OK\"}\n")
		call.result(t)
		fmt.Fprintf(nc, "GET %s HTTP/1.1\r\n\r\n", next)
		until(e.Idle)
		endpoints, peers = append(endpoints, e), append(peers, nc)
	}
	each := int64(used()-before) / n
	t.Logf("%d bytes for each idle environment, the test's own end included", each)
	if each > limit {
		t.Errorf("an idle environment costs %d bytes, at most %d are allowed", each, limit)
	}
	runtime.KeepAlive(endpoints)
	runtime.KeepAlive(peers)
}
