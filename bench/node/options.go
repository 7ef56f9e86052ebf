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

// Overcommit lets functions reserve that many times the memory that there is.
func Overcommit(times int) []string { return []string{fmt.Sprintf("--overcommit=%d", times)} }

// FreezeAfter freezes environments that are idle for so long.
func FreezeAfter(d time.Duration) []string { return []string{"--freeze-after=" + d.String()} }
