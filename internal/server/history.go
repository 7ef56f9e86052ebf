package server

import (
	"net/http"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/worker"
)

// A function's past, and the way back to it: what changed it, which versions and
// aliases there are and which environments run them, and the rollback.

func keyOf(r *http.Request, caller account.ID) function.Key {
	return function.Key{Account: caller, Name: r.PathValue("function")}
}

func (n *node) history(r *http.Request, caller account.ID) (any, error) {
	changes, err := n.catalog.History(r.Context(), keyOf(r, caller))
	if err != nil {
		return nil, err
	}
	return map[string]any{"changes": changes}, nil
}

// versionsView is the answer of GET /hearth/v1/functions/{function}/versions.
type versionsView struct {
	Function string        `json:"function"`
	ARN      string        `json:"arn"`
	Versions []versionView `json:"versions"` // $LATEST first, then the newest
	Aliases  []aliasView   `json:"aliases"`
}

type versionView struct {
	Version      string    `json:"version"`
	Description  string    `json:"description,omitempty"`
	Revision     string    `json:"revision"`
	CodeSHA256   string    `json:"codeSha256"`
	CodeBytes    int64     `json:"codeBytes"`
	MemoryMB     int       `json:"memoryMB"`
	LastModified time.Time `json:"lastModified"`
	State        string    `json:"state"`
	UpdateStatus string    `json:"lastUpdateStatus,omitempty"`
	// Aliases are those that send it requests now, and the share they send.
	Aliases      map[string]float64       `json:"aliases,omitempty"`
	Provisioned  *provisionedView         `json:"provisioned,omitempty"`
	Environments []worker.EnvironmentView `json:"environments"`
}

type aliasView struct {
	Name string `json:"name"`
	function.Route
	// MovingFrom is what still answers, while that is something else.
	MovingFrom  *function.Route  `json:"movingFrom,omitempty"`
	Previous    string           `json:"previous,omitempty"`
	Description string           `json:"description,omitempty"`
	Provisioned *provisionedView `json:"provisioned,omitempty"`
}

type provisionedView struct {
	Requested int    `json:"requested"`
	Allocated int    `json:"allocated"`
	Available int    `json:"available"`
	Failure   string `json:"failure,omitempty"`
}

func (n *node) versions(r *http.Request, caller account.ID) (any, error) {
	view, err := n.catalog.Get(keyOf(r, caller))
	if err != nil {
		return nil, err
	}
	environments := map[string][]worker.EnvironmentView{}
	for _, i := range n.workers.View() {
		for _, e := range i.Environments {
			if i.Account == string(caller) && e.Function == view.Name {
				environments[e.Version] = append(environments[e.Version], e)
			}
		}
	}
	out := versionsView{Function: view.Name, ARN: view.ARN, Aliases: []aliasView{}}
	shares := map[string]map[string]float64{} // by version, then alias
	for _, name := range view.AliasNames() {
		a := view.Aliases[name]
		for version, share := range a.Serving().Shares() {
			if shares[version] == nil {
				shares[version] = map[string]float64{}
			}
			shares[version][name] = share
		}
		shown := aliasView{Name: name, Route: a.Route, Previous: a.Previous, Description: a.Description, Provisioned: n.provisioned(view, name)}
		if a.Moving != nil {
			shown.MovingFrom = &a.Moving.From
		}
		out.Aliases = append(out.Aliases, shown)
	}
	add := func(version string) error {
		d, err := view.Describe(version)
		if err != nil {
			return err
		}
		rev := d.Revision
		out.Versions = append(out.Versions, versionView{
			Version: rev.Version, Description: rev.Config.Description, Revision: rev.ID, CodeSHA256: rev.CodeSHA256, CodeBytes: rev.CodeSize,
			MemoryMB: int(rev.Config.Memory), LastModified: d.LastModified, State: string(d.Status.State), UpdateStatus: string(d.Status.Update),
			Aliases: shares[rev.Version], Provisioned: n.provisioned(view, rev.Version),
			Environments: append([]worker.EnvironmentView{}, environments[rev.Version]...),
		})
		return nil
	}
	if err := add(function.Latest); err != nil {
		return nil, err
	}
	for _, version := range view.VersionNames() {
		if err := add(version); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (n *node) provisioned(view *function.View, qualifier string) *provisionedView {
	p, ok := view.Provisioned[qualifier]
	if !ok {
		return nil
	}
	a := n.deploy.Allocation(view, qualifier)
	return &provisionedView{Requested: p.N, Allocated: a.Allocated, Available: a.Available, Failure: a.Failure}
}

// rollback answers what the alias leads to, or what $LATEST is to be; an update
// of $LATEST goes on behind it, as in Lambda.
func (n *node) rollback(r *http.Request, caller account.ID) (any, error) {
	var in struct {
		Alias string `json:"alias"`
		To    string `json:"to"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	key := keyOf(r, caller)
	view, err := n.catalog.Rollback(function.WithOperation(r.Context(), "Rollback"), key, function.RollbackInput{Alias: in.Alias, To: in.To})
	if err != nil {
		return nil, err
	}
	out := rollbackView{Function: view.Name, Alias: in.Alias, Version: function.Latest}
	if in.Alias == "" {
		out.Revision, out.CodeSHA256, out.UpdateStatus = view.Wanted.ID, view.Wanted.CodeSHA256, string(view.Status.Update)
		return out, nil
	}
	a := view.Aliases[in.Alias]
	if err := n.deploy.AwaitMove(r.Context(), key, in.Alias, a.RevisionID); err != nil {
		return nil, err
	}
	out.Version = a.Version
	if rev, err := view.Revision(a.Version); err == nil {
		out.Revision, out.CodeSHA256 = rev.ID, rev.CodeSHA256
	}
	return out, nil
}

type rollbackView struct {
	Function     string `json:"function"`
	Alias        string `json:"alias,omitempty"`
	Version      string `json:"version"`
	Revision     string `json:"revision"`
	CodeSHA256   string `json:"codeSha256"`
	UpdateStatus string `json:"lastUpdateStatus,omitempty"` // of $LATEST
}

// statusOf is the status of an answer for a rule of the catalog.
func statusOf(k function.Kind) int {
	switch k {
	case function.NotFound:
		return http.StatusNotFound
	case function.AlreadyExists, function.Conflict, function.NotReady:
		return http.StatusConflict
	case function.PreconditionFailed:
		return http.StatusPreconditionFailed
	default:
		return http.StatusBadRequest
	}
}
