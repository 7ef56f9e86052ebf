package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/invoke"
	"github.com/hearthd/hearth/internal/sizing"
)

// sizingPage is how many functions are looked at in one go.
const sizingPage = 1000

func (n *node) sizingOptions() sizing.Options {
	return sizing.Options{
		Window: n.opts.SizingWindow, MBPerCPU: n.opts.MBPerCPU, Notify: n.opts.SizingNotify, PrivateWebhooks: n.opts.SizingPrivateWebhooks,
		Invoke: n.tell, Log: n.opts.Log,
	}
}

// tell calls a function with an event of sizing. It is at peace with errors of
// the function's own: it was called, and its log says what became of it.
func (n *node) tell(ctx context.Context, target function.Key, qualifier string, payload []byte) error {
	invoker := n.teller.Load()
	if invoker == nil {
		return errors.New("the node does not take invocations yet")
	}
	resp, err := invoker.Invoke(ctx, &invoke.Request{
		Account: target.Account, Name: target.Name, Qualifier: qualifier, RequestID: uuid.NewString(), Payload: payload,
	})
	if err != nil {
		return fmt.Errorf("call %s: %w", target.Name, err)
	}
	if resp.Finish != nil {
		resp.Finish()
	}
	return nil
}

// sized finds the revision that a request about sizing names.
func (n *node) sized(r *http.Request, caller account.ID) (*function.View, *function.Revision, error) {
	key := function.Key{Account: caller, Name: r.PathValue("function")}
	view, ok := n.catalog.Lookup(key)
	if !ok {
		return nil, nil, &apiError{http.StatusNotFound, "no such function: " + key.Name}
	}
	qualifier := r.URL.Query().Get("qualifier")
	if qualifier == "" || qualifier == function.Latest {
		if view.Serving == nil {
			return nil, nil, &apiError{http.StatusConflict, "the function is not active yet: its state is " + string(view.Status.State)}
		}
		return view, view.Serving, nil
	}
	d, err := view.Describe(qualifier)
	if err != nil {
		return nil, nil, &apiError{http.StatusNotFound, err.Error()}
	}
	return view, d.Revision, nil
}

// unknown answers for what was not called yet.
func unknown(err error, what string) error {
	if errors.Is(err, sizing.ErrUnknown) {
		return &apiError{http.StatusNotFound, what + ": " + err.Error()}
	}
	return err
}

func (n *node) readSizing(r *http.Request, caller account.ID) (any, error) {
	view, rev, err := n.sized(r, caller)
	if err != nil {
		return nil, err
	}
	report, err := n.sizing.Report(r.Context(), view, rev)
	return report, unknown(err, view.Name)
}

func (n *node) explainSizing(r *http.Request, caller account.ID) (any, error) {
	view, rev, err := n.sized(r, caller)
	if err != nil {
		return nil, err
	}
	curve, err := n.sizing.Explain(r.Context(), view, rev)
	return curve, unknown(err, view.Name)
}

func (n *node) resetSizing(r *http.Request, caller account.ID) (any, error) {
	view, rev, err := n.sized(r, caller)
	if err != nil {
		return nil, err
	}
	return nil, n.sizing.Reset(r.Context(), view, rev)
}

func (n *node) applySizing(r *http.Request, caller account.ID) (any, error) {
	key := function.Key{Account: caller, Name: r.PathValue("function")}
	_, err := n.catalog.Tag(r.Context(), key, map[string]string{sizing.TagMode: sizing.Apply.String()})
	if function.IsKind(err, function.NotFound) {
		return nil, &apiError{http.StatusNotFound, "no such function: " + key.Name}
	}
	return nil, err
}

// listSizing reports on $LATEST of every function that was called.
func (n *node) listSizing(r *http.Request, caller account.ID) (any, error) {
	reports, after := []sizing.Report{}, ""
	for {
		views, more := n.catalog.List(caller, after, sizingPage)
		for _, view := range views {
			if view.Serving == nil {
				continue
			}
			report, err := n.sizing.Report(r.Context(), view, view.Serving)
			switch {
			case errors.Is(err, sizing.ErrUnknown):
			case err != nil:
				return nil, err
			default:
				reports = append(reports, report)
			}
		}
		if !more || len(views) == 0 {
			return map[string]any{"functions": reports}, nil
		}
		after = views[len(views)-1].Name
	}
}
