package lambdaapi

import (
	"strings"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
)

// reference is a function as requests name it:
//
//	name, name:qualifier
//	account:function:name, account:name, region:account:function:name, …
//	arn:aws:lambda:region:account:function:name, with or without :qualifier
//
// Everything but the name may be left out, from the left.
type reference struct {
	region    string
	account   account.ID
	name      string
	qualifier string
}

// parseReference reads what the API's pattern for a FunctionName lets pass,
// taking each part for the first thing it can be, as the pattern does.
func parseReference(s string) reference {
	var ref reference
	if rest, ok := strings.CutPrefix(s, "arn:"); ok {
		_, rest, _ = strings.Cut(rest, ":") // the partition
		s = strings.TrimPrefix(rest, "lambda:")
	}
	if first, rest, ok := cutPart(s); ok && isRegion(first) {
		ref.region, s = first, rest
	}
	if first, rest, ok := cutPart(s); ok && isAccount(first) {
		ref.account, s = account.ID(first), rest
	}
	if first, rest, ok := cutPart(s); ok && first == "function" {
		s = rest
	}
	ref.name, ref.qualifier, _ = strings.Cut(s, ":")
	return ref
}

// cutPart takes off the first part, if a name can follow: $LATEST is none.
func cutPart(s string) (first, rest string, ok bool) {
	first, rest, ok = strings.Cut(s, ":")
	return first, rest, ok && !strings.HasPrefix(rest, "$")
}

// isRegion is the pattern [a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}.
func isRegion(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) == 4 {
		if p := parts[1]; p != "gov" && p != "iso" && (len(p) != 4 || !strings.HasPrefix(p, "iso") || !lower(p)) {
			return false
		}
		parts = append(parts[:1], parts[2:]...)
	}
	return len(parts) == 3 && len(parts[0]) == 2 && lower(parts[0]) && parts[1] != "" && lower(parts[1]) &&
		len(parts[2]) == 1 && digits(parts[2])
}

func isAccount(s string) bool { return len(s) == 12 && digits(s) }

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func lower(s string) bool { return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == "" }

// target is what a call is about: a function, and a qualifier or "".
type target struct {
	function.Key
	qualifier string
}

// target finds out what FunctionName and Qualifier name, and refuses it unless
// the caller may do to it what the call is for.
func (c *call) target(name, qualifier *string) (target, error) {
	return c.resolve(value(name), value(qualifier), c.caller, "lambda:"+c.op.Name)
}

// whole is target for operations on a function as a whole, which take no
// qualifier.
func (c *call) whole(name *string) (target, error) {
	t, err := c.target(name, nil)
	if err == nil && t.qualifier != "" {
		return t, refuse(invalidParameter, "%s takes a function, not one of its versions or aliases: leave out ':%s'.", c.op.Name, t.qualifier)
	}
	return t, err
}

// resolve finds the function that a caller names for an action.
func (a *API) resolve(name, qualifier string, caller account.ID, action string) (target, error) {
	ref := parseReference(name)
	if ref.region != "" && ref.region != a.opts.Region {
		return target{}, refuse(resourceNotFound, "Functions from '%s' are not reachable in this region ('%s')", ref.region, a.opts.Region)
	}
	switch {
	case qualifier == "":
		qualifier = ref.qualifier
	case ref.qualifier != "" && ref.qualifier != qualifier:
		return target{}, refuse(invalidParameter, "The derived qualifier from the function name does not match the specified qualifier.")
	}
	if ref.account == "" {
		ref.account = caller
	}
	t := target{Key: function.Key{Account: ref.account, Name: ref.name}, qualifier: qualifier}
	if ref.account != caller {
		return t, a.authorize(caller, t, action)
	}
	return t, nil
}
