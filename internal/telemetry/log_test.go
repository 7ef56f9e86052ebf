package telemetry

import (
	"log/slog"
	"testing"
)

// testLogger logs to the test, errors only.
func testLogger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
}
