package telemetry

import (
	"testing"
	"time"
)

const id = "9b2c1a3e-4d5f-4678-9abc-def012345678"

func TestReportIsLambdasLine(t *testing.T) {
	for name, test := range map[string]struct {
		report Report
		want   string
	}{
		"warm": {
			Report{RequestID: id, Duration: 1234567 * time.Nanosecond, MemoryMB: 128, MaxMemoryBytes: 35 << 20},
			"Duration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 35 MB\t",
		},
		"cold": {
			Report{RequestID: id, Duration: 3 * time.Millisecond, MemoryMB: 1024, MaxMemoryBytes: 35<<20 + 1, Init: 12344 * time.Microsecond},
			"Duration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: 1024 MB\tMax Memory Used: 36 MB\tInit Duration: 12.34 ms\t",
		},
		"timed out": {
			Report{RequestID: id, Duration: 3 * time.Second, MemoryMB: 128, MaxMemoryBytes: 30 << 20, Status: StatusTimeout},
			"Duration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 30 MB\tStatus: timeout",
		},
		"ended at its first invocation": {
			Report{RequestID: id, Duration: 59995 * time.Microsecond, MemoryMB: 128, Init: 94020 * time.Microsecond, Status: StatusError, ErrorType: "Runtime.ExitError"},
			"Duration: 60.00 ms\tBilled Duration: 60 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB\tInit Duration: 94.02 ms\tStatus: error\tError Type: Runtime.ExitError",
		},
		"took nothing": {
			Report{RequestID: id, MemoryMB: 128},
			"Duration: 0.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB\t",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(test.report.append(nil)); got != "REPORT RequestId: "+id+"\t"+test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}
