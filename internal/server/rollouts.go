package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/lambdaapi"
	"github.com/hearthd/hearth/internal/rollout"
)

// openRollouts opens the room of roll-outs and has it drive them. It is closed
// after the workers are: a hook under way ends with its environment.
func (n *node) openRollouts(ctx, life context.Context) (err error) {
	n.rollouts, err = rollout.Open(ctx, rollout.Options{
		State: n.store, Catalog: n.catalog, Invoker: n.invoker, Node: n.holder(), Log: n.opts.Log,
	})
	if err == nil {
		n.run(life, n.rollouts.Run)
	}
	return err
}

func (n *node) closeRollouts() error {
	if n.rollouts == nil {
		return nil
	}
	return n.rollouts.Close()
}

func (n *node) routeRollouts(mux *routes) {
	mux.Handle("GET /hearth/v1/rollouts", n.answer(n.listRollouts))
	mux.Handle("POST /hearth/v1/rollouts", n.answer(n.startRollout))
	mux.Handle("GET /hearth/v1/rollouts/{id}", n.answer(func(r *http.Request, caller account.ID) (any, error) {
		return n.rollouts.Get(r.Context(), caller, r.PathValue("id"))
	}))
	mux.HandleFunc("GET /hearth/v1/rollouts/{id}/watch", n.watchRollout)
	mux.Handle("POST /hearth/v1/rollouts/{id}/pause", n.answer(func(r *http.Request, caller account.ID) (any, error) {
		return n.rollouts.Pause(r.Context(), caller, r.PathValue("id"))
	}))
	mux.Handle("POST /hearth/v1/rollouts/{id}/resume", n.answer(func(r *http.Request, caller account.ID) (any, error) {
		return n.rollouts.Resume(r.Context(), caller, r.PathValue("id"))
	}))
	mux.Handle("POST /hearth/v1/rollouts/{id}/abort", n.answer(func(r *http.Request, caller account.ID) (any, error) {
		return n.rollouts.Abort(r.Context(), caller, r.PathValue("id"))
	}))
}

func (n *node) listRollouts(r *http.Request, caller account.ID) (any, error) {
	q := r.URL.Query()
	return map[string]any{"rollouts": n.rollouts.List(caller, q.Get("function"), q.Get("alias"))}, nil
}

func (n *node) startRollout(r *http.Request, caller account.ID) (any, error) {
	var spec rollout.Spec
	if err := decode(r, &spec); err != nil {
		return nil, err
	}
	return n.rollouts.Start(r.Context(), caller, spec)
}

// watchRollout answers with the roll-out as it is, a line of JSON, and with
// another line whenever it has changed, until it has ended.
func (n *node) watchRollout(w http.ResponseWriter, r *http.Request) {
	caller, _ := lambdaapi.AccountFrom(r.Context())
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(n.stopping, cancel)()
	flusher, out, begun := http.NewResponseController(w), json.NewEncoder(w), false
	err := n.rollouts.Watch(ctx, caller, r.PathValue("id"), func(now *rollout.Rollout) error {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		if err := out.Encode(now); err != nil {
			return err
		}
		return flusher.Flush()
	})
	switch {
	case err == nil:
	case !begun:
		writeError(w, err)
	default:
		panic(http.ErrAbortHandler) // the client must not take this for the roll-out's end
	}
}
