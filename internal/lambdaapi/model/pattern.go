package model

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// The patterns of the API are of the Java dialect and must match the whole
// string. Go's RE2 has no look-around, so the few patterns that have it are
// written here as what must match and what must not.
var rewritten = map[string]struct{ match, except string }{
	// An alias's name: not digits only.
	`(?!^[0-9]+$)([a-zA-Z0-9-_]+)`:              {match: `[a-zA-Z0-9-_]+`, except: `[0-9]+`},
	`((?!^\d+$)^[0-9a-zA-Z-_]+$)`:               {match: `[0-9a-zA-Z-_]+`, except: `[0-9]+`},
	`[0-9A-Za-z\.\-_]*(?<!\.)`:                  {match: `[0-9A-Za-z\.\-_]*`, except: `[0-9A-Za-z\.\-_]*\.`},
	`(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)`: {match: `[_a-zA-Z0-9][^$]*`, except: `system\x2e[\s\S]*`},
}

// matcher returns a function that tells whether a string matches pattern. The
// expression is compiled at the first use: most never are used.
func matcher(pattern string) func(string) bool {
	compiled := sync.OnceValue(func() func(string) bool {
		m, err := compile(pattern)
		if err != nil {
			panic(err) // model.json is part of the program, and a test compiles every pattern
		}
		return m
	})
	return func(s string) bool { return compiled()(s) }
}

func compile(pattern string) (func(string) bool, error) {
	parts := rewritten[pattern]
	if parts.match == "" {
		parts.match = pattern
	}
	match, err := whole(parts.match)
	if err != nil || parts.except == "" {
		return match.MatchString, err
	}
	except, err := whole(parts.except)
	return func(s string) bool { return match.MatchString(s) && !except.MatchString(s) }, err
}

// whole compiles a pattern of the Java dialect that must match all of a
// string. Two things mean more in Java than in RE2: \s includes the vertical
// tab, and a dot stops at every line terminator.
func whole(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`\A(?:`)
	inClass := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			switch {
			case pattern[i] == 's' && inClass:
				b.WriteString(`\s\x0b`)
			case pattern[i] == 's':
				b.WriteString(`[\s\x0b]`)
			default:
				b.WriteByte(c)
				b.WriteByte(pattern[i])
			}
		case c == '.' && !inClass:
			b.WriteString(`[^\n\r\x{85}\x{2028}\x{2029}]`)
		default:
			inClass = c == '[' || inClass && c != ']'
			b.WriteByte(c)
		}
	}
	b.WriteString(`)\z`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", pattern, err)
	}
	return re, nil
}
