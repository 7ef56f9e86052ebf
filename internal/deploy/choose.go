package deploy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// waitFor bounds how long a request waits for a deployment; what serves then
// answers, since no request fails because of a deployment. It is more than an
// initialisation may take that times out and is tried again.
const waitFor = time.Minute

// Request asks which revision answers an invocation.
type Request struct {
	// View is the function at the moment the request came.
	View      *function.View
	Qualifier string
	// Policy is the request's own update policy, "" for the function's.
	Policy string
	// CodeSHA256 asks for code of exactly this sha, in base64; "" for any.
	CodeSHA256 string
}

// Choice is the revision that answers a request.
type Choice struct {
	// View is what the choice was made from: the request's, or a later one
	// when it had to wait.
	View     *function.View
	Revision *function.Revision
	// Version is the revision's, as X-Amz-Executed-Version has it.
	Version string
	// Wanted is what the owner wants to answer such a request; it is Revision
	// unless Stale.
	Wanted *function.Revision
	Stale  bool
}

// Choose says which revision answers a request. It returns at once, except
// for requests whose policy is to wait for a deployment under way, and for
// functions that are just being created. The error is an [*function.Error] of
// kind NotFound, NotReady or InvalidParameter, or the context's.
func (m *Manager) Choose(ctx context.Context, req Request) (Choice, error) {
	if req.CodeSHA256 != "" {
		rev, err := exactly(req.View, req.Qualifier, req.CodeSHA256)
		if err != nil {
			return Choice{}, err
		}
		return Choice{View: req.View, Revision: rev, Version: rev.Version, Wanted: rev}, nil
	}
	var own *function.UpdatePolicy
	if req.Policy != "" {
		p, err := function.ParseUpdatePolicy(req.Policy)
		if err != nil {
			return Choice{}, err
		}
		own = &p
	}
	o := outlookOf(req.View, req.Qualifier, rand.Float64)
	if !o.changing {
		return o.choice(req.View)
	}
	return m.chooseAmidst(ctx, req, own, o)
}

// chooseAmidst chooses while a deployment is under way.
func (m *Manager) chooseAmidst(ctx context.Context, req Request, own *function.UpdatePolicy, o outlook) (Choice, error) {
	limit := time.NewTimer(waitFor)
	defer limit.Stop()
	view := req.View
	for {
		changed := m.news.of(view.Key) // before the look, so that nothing is missed
		next, err := m.rooms.Catalog.Get(view.Key)
		if err != nil {
			return Choice{}, err
		}
		view = next
		o = outlookOf(view, req.Qualifier, func() float64 { return o.draw })
		if !o.changing {
			return o.choice(view)
		}
		m.asked(view, req.Qualifier)
		if o.serving != nil && !o.overdue(view, req.Qualifier, own) {
			return o.choice(view)
		}
		select {
		case <-changed:
		case <-limit.C:
			return o.choice(view)
		case <-ctx.Done():
			return Choice{}, ctx.Err()
		}
	}
}

// outlook is what answers a request now, and what is to answer it once the
// deployments under way have ended.
type outlook struct {
	serving, wanted *function.Revision
	err             error // why nothing serves
	changing        bool  // a deployment is under way that changes what serves
	since           time.Time
	draw            float64 // the request's place in an alias's weights
}

// outlookOf looks at what qualifier stands for. rnd is called at most once,
// and only for an alias with weights; both routes of a moving alias get the
// same draw, so that a request is behind only if the move matters to it.
func outlookOf(view *function.View, qualifier string, rnd func() float64) outlook {
	o := outlook{}
	from, to := qualifier, qualifier
	if a := view.Aliases[qualifier]; a != nil {
		route := a.Serving()
		if route.Additional != "" || a.Additional != "" {
			o.draw = rnd()
		}
		from, to = route.Pick(o.draw), a.Pick(o.draw)
		if a.Moving != nil {
			o.changing, o.since = true, time.UnixMilli(a.Moving.Since)
		}
	}
	o.serving, o.err = view.Revision(from)
	o.wanted = o.serving
	switch {
	case isLatest(to):
		o.wanted = view.Wanted
	case to != from:
		o.wanted, _ = view.Revision(to) // an alias points at nothing that isn't there
	}
	if updating := view.Status.State == function.Pending || view.Status.Update == function.InProgress; updating && (isLatest(from) || isLatest(to)) {
		if !o.changing || view.Since.Before(o.since) {
			o.since = view.Since
		}
		o.changing = true
	}
	return o
}

func isLatest(version string) bool { return version == "" || version == function.Latest }

// overdue tells whether what serves is behind for longer than the policy lets
// it be.
func (o *outlook) overdue(view *function.View, qualifier string, own *function.UpdatePolicy) bool {
	if o.serving.ID == o.wanted.ID {
		return false
	}
	var policy function.UpdatePolicy
	switch alias := view.Aliases[qualifier]; {
	case own != nil:
		policy = *own
	case alias != nil:
		policy = view.UpdatePolicy(alias.Name)
	default:
		policy = view.UpdatePolicy("")
	}
	return time.Since(o.since) >= policy.MaxStaleness
}

func (o *outlook) choice(view *function.View) (Choice, error) {
	if o.err != nil {
		return Choice{}, o.err
	}
	return Choice{
		View: view, Revision: o.serving, Version: o.serving.Version,
		Wanted: o.wanted, Stale: o.serving.ID != o.wanted.ID,
	}, nil
}

// exactly finds the revision with that code: what the qualifier stands for, or
// else, unless it names a version, what any of the function's revisions is.
func exactly(view *function.View, qualifier, sha string) (*function.Revision, error) {
	var candidates []*function.Revision
	add := func(version string) {
		if isLatest(version) && view.Serving != nil {
			candidates = append(candidates, view.Serving)
		}
		if isLatest(version) {
			candidates = append(candidates, view.Wanted)
		} else if ver := view.Versions[version]; ver != nil {
			candidates = append(candidates, &ver.Revision)
		}
	}
	alias := view.Aliases[qualifier]
	switch {
	case alias != nil:
		serving := alias.Serving()
		for _, version := range []string{serving.Version, serving.Additional, alias.Version, alias.Additional} {
			if version != "" {
				add(version)
			}
		}
	case !isLatest(qualifier) && view.Versions[qualifier] == nil:
		_, err := view.Revision(qualifier)
		return nil, err
	default:
		add(qualifier)
	}
	if alias != nil || isLatest(qualifier) {
		add(function.Latest)
		numbers := view.VersionNumbers()
		for i := len(numbers) - 1; i >= 0; i-- {
			candidates = append(candidates, &view.Versions[strconv.Itoa(numbers[i])].Revision)
		}
	}
	for _, rev := range candidates {
		if rev.CodeSHA256 == sha {
			return rev, nil
		}
	}
	return nil, &function.Error{Kind: function.InvalidParameter, Message: fmt.Sprintf(
		"No revision of %s has the code sha256 %.100q. GetFunctionConfiguration and ListVersionsByFunction show which there are.", view.QualifiedARN(qualifier), sha)}
}
