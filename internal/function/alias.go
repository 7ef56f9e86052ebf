package function

import (
	"context"
	"regexp"

	"github.com/google/uuid"
)

// AliasInput is what an alias is to be.
type AliasInput struct {
	Name        string
	Version     string
	Description string
	// Weights is Lambda's AdditionalVersionWeights: at most one other version
	// and its share of the requests, 0 to 1.
	Weights map[string]float64
}

// AliasChange is what UpdateAlias changes; nil leaves a member as it is.
type AliasChange struct {
	Version     *string
	Description *string
	// Weights replaces the weights; an empty map removes them.
	Weights map[string]float64
	// RevisionID is the optional precondition on the alias.
	RevisionID string
}

var (
	aliasName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	allDigits = regexp.MustCompile(`^[0-9]+$`)
)

// CreateAlias adds an alias.
func (c *Catalog) CreateAlias(ctx context.Context, key Key, in AliasInput) (*View, *Alias, error) {
	if !aliasName.MatchString(in.Name) || allDigits.MatchString(in.Name) {
		return nil, nil, fail(InvalidParameter, "1 validation error detected: Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)", in.Name)
	}
	return c.setAlias(ctx, key, in.Name, func(d *draft) (*Alias, error) {
		if d.Aliases[in.Name] != nil {
			return nil, fail(AlreadyExists, "Alias already exists: %s", d.view.QualifiedARN(in.Name))
		}
		a := &Alias{Name: in.Name, Route: Route{Version: in.Version}, Description: in.Description}
		return a, d.weigh(a, in.Weights)
	})
}

// UpdateAlias changes an alias. What it served before serves on until
// [Catalog.CompleteMove].
func (c *Catalog) UpdateAlias(ctx context.Context, key Key, name string, ch AliasChange) (*View, *Alias, error) {
	return c.setAlias(ctx, key, name, func(d *draft) (*Alias, error) {
		old, err := d.view.Alias(name)
		if err != nil {
			return nil, err
		}
		if err := expect(ch.RevisionID, old.RevisionID); err != nil {
			return nil, err
		}
		a := *old
		a.Refused = nil
		if ch.Version != nil {
			a.pointAt(*ch.Version)
		}
		if ch.Description != nil {
			a.Description = *ch.Description
		}
		weights := ch.Weights
		if weights == nil {
			weights = old.Weights()
		}
		if err := d.weigh(&a, weights); err != nil {
			return nil, err
		}
		a.move(old, c.opts.Now())
		return &a, nil
	})
}

func (c *Catalog) setAlias(ctx context.Context, key Key, name string, next func(*draft) (*Alias, error)) (*View, *Alias, error) {
	view, err := c.mutate(ctx, key, func(d *draft) error {
		a, err := next(d)
		if err != nil {
			return err
		}
		a.RevisionID = uuid.NewString()
		d.Aliases[name] = a
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return view, view.Aliases[name], nil
}

// DeleteAlias removes an alias and its policy. One that is not there is no
// error, as in Lambda.
func (c *Catalog) DeleteAlias(ctx context.Context, key Key, name string) (*View, error) {
	return c.mutate(ctx, key, func(d *draft) error {
		if d.Aliases[name] == nil {
			return errUnchanged
		}
		delete(d.Aliases, name)
		delete(d.Policies, name)
		delete(d.Provisioned, name)
		return nil
	})
}

// pointAt makes a point at another version, and remembers the one before.
func (a *Alias) pointAt(version string) {
	if version != a.Version {
		a.Version, a.Previous = version, a.Version
	}
}

// Weights is the alias's AdditionalVersionWeights, nil when it has none.
func (a *Alias) Weights() map[string]float64 {
	if a.Additional == "" {
		return nil
	}
	return map[string]float64{a.Additional: a.Weight}
}

// weigh sets the weights of a and checks what a points at.
func (d *draft) weigh(a *Alias, weights map[string]float64) error {
	a.Additional, a.Weight = "", 0
	if a.Version == "" {
		return fail(InvalidParameter, "FunctionVersion is missing: an alias needs a version to point at.")
	}
	if len(weights) > 1 {
		return fail(InvalidParameter, "Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	for version, w := range weights {
		switch {
		case !(w >= 0 && w <= 1): // NaN too
			return fail(InvalidParameter, "The weight of version %s must be between 0 and 1.", version)
		case version == a.Version:
			return fail(InvalidParameter, "Invalid function version %s. Function version %s is already included in routing configuration.", version, version)
		case a.Version == Latest || version == Latest:
			return fail(InvalidParameter, "$LATEST is not supported for an alias pointing to more than 1 version")
		}
		a.Additional, a.Weight = version, w
	}
	for _, version := range []string{a.Version, a.Additional} {
		if version != "" && version != Latest && d.view.Versions[version] == nil {
			return errFunctionNotFound(d.view.QualifiedARN(version))
		}
	}
	if _, has := d.Provisioned[a.Name]; has {
		return d.mayShareProvision(a)
	}
	return nil
}
