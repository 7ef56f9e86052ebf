package main

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// execution is what an answer and its REPORT line say.
type execution struct {
	duration, init  time.Duration
	amount, maximum int // MB
	// failed is how it failed, "" if it did not.
	failed string
	// memory says that it failed for want of memory.
	memory bool
}

// gbSeconds is what it took: its amount for its duration.
func (x execution) gbSeconds() float64 { return float64(x.amount) / 1024 * x.duration.Seconds() }

// reportLine is Lambda's, see internal/telemetry.
var reportLine = regexp.MustCompile(`REPORT RequestId: \S+\tDuration: ([\d.]+) ms\tBilled Duration: \d+ ms\tMemory Size: (\d+) MB\tMax Memory Used: (\d+) MB\t(?:Init Duration: ([\d.]+) ms)?`)

// parseReport reads the header that holds the log's tail.
func parseReport(logResult string) (x execution, err error) {
	tail, err := base64.StdEncoding.DecodeString(logResult)
	if err != nil {
		return x, err
	}
	m := reportLine.FindSubmatch(tail)
	if m == nil {
		return x, fmt.Errorf("no REPORT line in the log: %.500q", tail)
	}
	x.duration, x.init = milliseconds(m[1]), milliseconds(m[4])
	x.amount, _ = strconv.Atoi(string(m[2]))
	x.maximum, _ = strconv.Atoi(string(m[3]))
	return x, nil
}

// milliseconds reads a decimal number of them; the expression has checked it.
func milliseconds(b []byte) time.Duration {
	f, _ := strconv.ParseFloat(string(b), 64)
	return time.Duration(f * float64(time.Millisecond))
}

// wantOfMemory are the ways in which a function says that it had too little:
// the platform's, Python's, and V8's last words before it aborts.
var wantOfMemory = []string{"Runtime.OutOfMemory", "MemoryError", "heap out of memory", "signal: killed", "signal: aborted", "Array buffer allocation failed"}

// fail notes how an execution failed.
func (x *execution) fail(how string) {
	x.failed = how
	for _, w := range wantOfMemory {
		x.memory = x.memory || strings.Contains(how, w)
	}
}
