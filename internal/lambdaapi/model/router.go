package model

import (
	"fmt"
	"net/url"
	"strings"
)

// maxParams is how many parameters a path has at most.
const maxParams = 3

// router finds the operation of a request. It is a tree of path segments.
type router struct {
	root node
}

type node struct {
	static map[string]*node
	param  *node // any segment
	ops    []*Operation
}

// Match is an operation with the parameters of its path.
type Match struct {
	Operation *Operation
	raw       [maxParams]string // as they stand in the path, with escapes
}

// Miss says why nothing matched.
type Miss int

// The kinds of Miss.
const (
	Found Miss = iota
	NoPath
	NoMethod // there is something at the path, for another method
)

func (r *router) add(op *Operation) error {
	n := &r.root
	for segment := range strings.SplitSeq(strings.TrimPrefix(op.Path, "/"), "/") {
		if !strings.HasPrefix(segment, "{") {
			if n.static == nil {
				n.static = map[string]*node{}
			}
			if n.static[segment] == nil {
				n.static[segment] = &node{}
			}
			n = n.static[segment]
			continue
		}
		member, err := op.pathMember(strings.Trim(segment, "{}"))
		if err != nil {
			return err
		}
		op.uri = append(op.uri, member)
		if n.param == nil {
			n.param = &node{}
		}
		n = n.param
	}
	if len(op.uri) > maxParams {
		return fmt.Errorf("%s has more than %d parameters", op.Path, maxParams)
	}
	// The one with a query is the more special one: it is asked first.
	if op.Query != "" {
		n.ops = append([]*Operation{op}, n.ops...)
	} else {
		n.ops = append(n.ops, op)
	}
	return nil
}

func (o *Operation) pathMember(label string) (Member, error) {
	for _, m := range o.Input.Members {
		if m.In == InPath && m.As == label {
			return m, nil
		}
	}
	return Member{}, fmt.Errorf("no member for {%s}", label)
}

// Match finds the operation of a request. escapedPath is the path as it came:
// an ARN in it may have its colons and slashes escaped. A slash at the end, which
// some SDKs send, means nothing. A parameter may be empty, for Validate to say so.
// Match allocates nothing.
func (m *Model) Match(method, escapedPath, rawQuery string) (Match, Miss) {
	var match Match
	rest, ok := strings.CutPrefix(escapedPath, "/")
	if !ok {
		return match, NoPath
	}
	rest = strings.TrimSuffix(rest, "/")
	n, params := &m.router.root, 0
	for more := true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if next := n.static[segment]; next != nil {
			n = next
			continue
		}
		if n.param == nil || params == maxParams {
			return match, NoPath
		}
		n = n.param
		match.raw[params] = segment
		params++
	}
	if len(n.ops) == 0 {
		return match, NoPath
	}
	for _, op := range n.ops {
		if op.Method == method && (op.Query == "" || hasQuery(rawQuery, op.Query)) {
			match.Operation = op
			return match, Found
		}
	}
	return match, NoMethod
}

// hasQuery tells whether a query has the parameter, as in List=ALL.
func hasQuery(rawQuery, param string) bool {
	for rawQuery != "" {
		var one string
		one, rawQuery, _ = strings.Cut(rawQuery, "&")
		if one == param {
			return true
		}
	}
	return false
}

// Param returns the i-th parameter of the path, unescaped; false when its
// escapes are malformed.
func (m *Match) Param(i int) (string, bool) {
	raw := m.raw[i]
	if strings.IndexByte(raw, '%') < 0 {
		return raw, true
	}
	s, err := url.PathUnescape(raw)
	return s, err == nil
}
