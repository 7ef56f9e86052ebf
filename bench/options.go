package main

import (
	"fmt"
	"time"
)

// The options of `hearth serve` that scenarios need.

// poolOf keeps exactly that many environments of each runtime ready.
func poolOf(n int) []string {
	return []string{fmt.Sprintf("--pool-floor=%d", n), fmt.Sprintf("--pool-ceiling=%d", n)}
}

// overcommitted lets functions reserve more memory than the machine has.
func overcommitted() []string { return []string{"--overcommit=8"} }

func freezeAfter(d time.Duration) []string { return []string{"--freeze-after=" + d.String()} }
