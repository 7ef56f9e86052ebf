package telemetry

import (
	"strings"

	"github.com/hearthd/hearth/internal/function"
)

const (
	logsStream  = "LOGS"
	logsSubject = "logs"
)

// subject is where the batches of a function's log are published.
func subject(k function.Key) string {
	return logsSubject + "." + token(string(k.Account)) + "." + token(k.Name)
}

// token makes one token of a NATS subject of any string, different ones of
// different strings. Names that Lambda allows stay as they are.
func token(s string) string {
	const hex = "0123456789abcdef"
	if s == "" {
		return "="
	}
	plain := true
	for i := range len(s) {
		plain = plain && inToken(s[i])
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; inToken(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'=', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func inToken(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
