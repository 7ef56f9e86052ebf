package node

import (
	"fmt"
	"time"
)

// The options of `hearth serve` that benchmarks need.

// PoolOf keeps exactly that many environments of each runtime ready.
func PoolOf(n int) []string {
	return []string{fmt.Sprintf("--pool-floor=%d", n), fmt.Sprintf("--pool-ceiling=%d", n)}
}

// Overcommitted lets functions reserve more memory than the machine has.
func Overcommitted() []string { return []string{"--overcommit=8"} }

// FreezeAfter freezes environments that are idle for so long.
func FreezeAfter(d time.Duration) []string { return []string{"--freeze-after=" + d.String()} }
