package sizing

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/hearthd/hearth/internal/function"
)

var functionTarget = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}(:[a-zA-Z0-9$_-]{1,128})?$`)

// isURL tells a webhook from a function's name.
func isURL(target string) bool { return strings.Contains(target, "://") }

// validTarget reports whether events can be sent there: to a URL, or to a
// function by its name, with a qualifier or without.
func validTarget(target string) bool {
	if !isURL(target) {
		return functionTarget.MatchString(target)
	}
	return ValidURL(target)
}

// ValidURL reports whether it is a URL that events can be sent to.
func ValidURL(target string) bool {
	u, err := url.Parse(target)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// refuse is a rule that a request broke.
func refuse(format string, args ...any) error {
	return &function.Error{Kind: function.InvalidParameter, Message: fmt.Sprintf(format, args...)}
}
