package lambdaapi

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
)

// authorize says whether another account's function may be acted on: only if
// the policy of exactly what is named (the function, a version, an alias)
// allows it. Whether the function exists is not told to who may not know.
func (a *API) authorize(caller account.ID, t target, action string) error {
	if view, ok := a.opts.Catalog.Lookup(t.Key); ok && allows(view.Policies[t.qualifier], caller, action) {
		return nil
	}
	resource := a.opts.Catalog.ARN(t.Key)
	if t.qualifier != "" {
		resource += ":" + t.qualifier
	}
	return refuse(accessDenied, "User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %s action",
		rootARN(caller), action, resource, action)
}

// rootARN is the principal that an account's keys act as.
func rootARN(id account.ID) string { return "arn:aws:iam::" + string(id) + ":root" }

// allows evaluates a policy for an account that calls the API itself.
//
// A statement with a condition never allows that: all conditions that
// AddPermission makes are about services, organizations or function URLs, none
// of which a caller with an access key is.
func allows(p *function.Policy, caller account.ID, action string) bool {
	if p == nil {
		return false
	}
	for _, s := range p.Statements {
		var st statement
		if err := json.Unmarshal(s.Body, &st); err != nil {
			continue // it can't be read, so that it allows nothing
		}
		if st.Effect == "Allow" && len(st.Condition) == 0 && st.Principal.includes(caller) && coversAction(st.Action, action) {
			return true
		}
	}
	return false
}

func coversAction(allowed, action string) bool {
	return allowed == "*" || allowed == "lambda:*" || strings.EqualFold(allowed, action)
}

// statement is a permission, in the form of AWS's policy language.
type statement struct {
	Sid       string
	Effect    string
	Principal principal
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// principal is who a permission is for: everybody, or a kind of principal and
// its name.
type principal struct {
	everybody bool
	kind      string // AWS or Service
	name      string
}

func (p principal) includes(caller account.ID) bool {
	return p.everybody || p.kind == "AWS" && slices.Contains([]string{rootARN(caller), string(caller)}, p.name)
}

// parsePrincipal reads AddPermission's Principal.
func parsePrincipal(s string) (principal, bool) {
	switch {
	case s == "*":
		return principal{everybody: true}, true
	case isAccount(s):
		return principal{kind: "AWS", name: rootARN(account.ID(s))}, true
	case strings.HasPrefix(s, "arn:"):
		parts := strings.SplitN(s, ":", 6)
		return principal{kind: "AWS", name: s}, len(parts) == 6 && (parts[2] == "iam" || parts[2] == "sts") && isAccount(parts[4])
	case strings.HasSuffix(s, ".amazonaws.com"), strings.HasSuffix(s, ".amazon.com"), strings.HasSuffix(s, ".alexa.com"):
		return principal{kind: "Service", name: s}, true
	}
	return principal{}, false
}

// MarshalJSON writes "*" or {"AWS":"arn:…"}.
func (p principal) MarshalJSON() ([]byte, error) {
	if p.everybody {
		return []byte(`"*"`), nil
	}
	return json.Marshal(map[string]string{p.kind: p.name})
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (p *principal) UnmarshalJSON(b []byte) error {
	if string(b) == `"*"` {
		*p = principal{everybody: true}
		return nil
	}
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	for p.kind, p.name = range m {
	}
	return nil
}
