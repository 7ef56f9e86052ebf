package telemetry

import (
	"strconv"
	"time"
)

// The values of [Report.Status].
const (
	StatusTimeout = "timeout"
	StatusError   = "error"
)

// Report is what the REPORT line says about one invocation.
type Report struct {
	RequestID string
	Duration  time.Duration
	MemoryMB  int
	// MaxMemoryBytes is the high-water mark that the kernel measured.
	MaxMemoryBytes int64
	// Init is how long the initialisation took; 0 when it was not a cold start.
	Init time.Duration
	// Status is empty for an invocation that came to its end, be it with an
	// error of the handler's.
	Status string
	// ErrorType says more when Status is [StatusError].
	ErrorType string
}

// Billed is the duration rounded up to a whole millisecond, at least one.
func (r *Report) Billed() time.Duration {
	return max(1, (r.Duration+time.Millisecond-1)/time.Millisecond) * time.Millisecond
}

// append appends the line, byte for byte as Lambda writes it, without its
// newline.
func (r *Report) append(b []byte) []byte {
	b = append(append(b, "REPORT RequestId: "...), r.RequestID...)
	b = appendMilliseconds(append(b, "\tDuration: "...), r.Duration)
	b = append(b, " ms\tBilled Duration: "...)
	b = strconv.AppendInt(b, r.Billed().Milliseconds(), 10)
	b = append(b, " ms\tMemory Size: "...)
	b = strconv.AppendInt(b, int64(r.MemoryMB), 10)
	b = append(b, " MB\tMax Memory Used: "...)
	b = strconv.AppendInt(b, (r.MaxMemoryBytes+1<<20-1)>>20, 10)
	b = append(b, " MB\t"...)
	if r.Init > 0 {
		b = appendMilliseconds(append(b, "Init Duration: "...), r.Init)
		b = append(b, " ms\t"...)
	}
	if r.Status != "" {
		b = append(append(b, "Status: "...), r.Status...)
	}
	if r.ErrorType != "" {
		b = append(append(b, "\tError Type: "...), r.ErrorType...)
	}
	return b
}

// appendMilliseconds appends d in milliseconds with two decimals.
func appendMilliseconds(b []byte, d time.Duration) []byte {
	hundredths := (d + 5*time.Microsecond) / (10 * time.Microsecond)
	b = strconv.AppendInt(b, int64(hundredths/100), 10)
	rest := byte(hundredths % 100)
	return append(b, '.', '0'+rest/10, '0'+rest%10)
}
