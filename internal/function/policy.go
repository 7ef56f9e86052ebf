package function

import (
	"bytes"
	"context"
	"slices"

	"github.com/google/uuid"
)

// MaxPolicyBytes is the largest resource-based policy document.
const MaxPolicyBytes = 20480

// policyKey is where the policy of a qualifier is kept.
func policyKey(qualifier string) string {
	if qualifier == Latest {
		return ""
	}
	return qualifier
}

// AddPermission adds a statement, kept as given, to the policy of qualifier:
// the function's own (""), a version's or an alias's. revisionID is the
// optional precondition on the policy or, before there is one, on what it
// belongs to.
func (c *Catalog) AddPermission(ctx context.Context, key Key, qualifier string, st Statement, revisionID string) (*View, error) {
	if qualifier == Latest {
		return nil, fail(InvalidParameter, "We currently do not support adding policies for $LATEST.")
	}
	return c.mutate(ctx, key, func(d *draft) error {
		return d.setPolicy(qualifier, revisionID, func(statements []Statement) ([]Statement, error) {
			if slices.ContainsFunc(statements, func(s Statement) bool { return s.ID == st.ID }) {
				return nil, fail(AlreadyExists, "The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", st.ID)
			}
			statements = append(statements, st)
			if n := len((&Policy{Statements: statements}).Document()); n > MaxPolicyBytes {
				return nil, fail(PolicyLengthExceeded, "The final policy size (%d) is bigger than the limit (%d).", n, MaxPolicyBytes)
			}
			return statements, nil
		})
	})
}

// RemovePermission removes a statement from the policy of qualifier, and the
// policy with its last statement.
func (c *Catalog) RemovePermission(ctx context.Context, key Key, qualifier, statementID, revisionID string) (*View, error) {
	return c.mutate(ctx, key, func(d *draft) error {
		return d.setPolicy(qualifier, revisionID, func(statements []Statement) ([]Statement, error) {
			if len(statements) == 0 {
				return nil, fail(NotFound, "No policy is associated with the given resource.")
			}
			at := slices.IndexFunc(statements, func(s Statement) bool { return s.ID == statementID })
			if at < 0 {
				return nil, fail(NotFound, "Statement %s is not found in resource policy.", statementID)
			}
			return slices.Delete(statements, at, at+1), nil
		})
	})
}

// setPolicy replaces the statements of a policy. As in Lambda, that gives the
// function or the alias a new RevisionId too.
func (d *draft) setPolicy(qualifier, revisionID string, change func([]Statement) ([]Statement, error)) error {
	described, err := d.view.Describe(qualifier)
	if err != nil {
		return err
	}
	have := described.RevisionID
	if described.Alias != nil {
		have = described.Alias.RevisionID
	}
	at := policyKey(qualifier)
	if p := d.view.Policies[at]; p != nil {
		have = p.RevisionID
	}
	if err := expect(revisionID, have); err != nil {
		return err
	}
	statements, err := change(d.Policies[at].Statements)
	if err != nil {
		return err
	}
	next := uuid.NewString()
	if len(statements) == 0 {
		delete(d.Policies, at)
	} else {
		d.Policies[at] = policyRecord{RevisionID: next, Statements: statements}
	}
	switch {
	case at == "":
		d.RevisionID = next
	case described.Alias != nil:
		a := *described.Alias
		a.RevisionID = next
		d.Aliases[a.Name] = &a
	}
	return nil
}

// Document is the policy as JSON, as GetPolicy returns it.
func (p *Policy) Document() string {
	var b bytes.Buffer
	b.WriteString(`{"Version":"2012-10-17","Id":"default","Statement":[`)
	for i, s := range p.Statements {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(s.Body)
	}
	b.WriteString("]}")
	return b.String()
}
