package server

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/runtimes"
	"github.com/hearthd/hearth/internal/worker"
)

// readyView is the answer of POST /hearth/v1/functions/{function}/ready.
type readyView struct {
	Environments int            `json:"environments"`
	InitError    *initErrorView `json:"initError,omitempty"`
}

// initErrorView says why code did not initialise.
type initErrorView struct {
	Type    string   `json:"errorType"`
	Message string   `json:"errorMessage"`
	Trace   []string `json:"stackTrace,omitempty"`
}

// ready boots an environment of a function that has none. That the function's
// code does not initialise is an answer, not a failure of the request.
func (n *node) ready(r *http.Request, caller account.ID) (any, error) {
	key := function.Key{Account: caller, Name: r.PathValue("function")}
	view, ok := n.catalog.Lookup(key)
	if !ok {
		return nil, &apiError{http.StatusNotFound, "no such function: " + key.Name}
	}
	if view.Serving == nil {
		return nil, &apiError{http.StatusConflict, "the function is not active yet: its state is " + string(view.Status.State)}
	}
	environments, err := n.deploy.Ready(r.Context(), view.Serving)
	var failure *worker.InitFailure
	var entrypoint *runtimes.EntrypointError
	switch {
	case errors.As(err, &failure):
		return readyView{InitError: viewInitFailure(failure)}, nil
	case errors.As(err, &entrypoint):
		return readyView{InitError: &initErrorView{Type: entrypoint.Type, Message: entrypoint.Message}}, nil
	case errors.Is(err, worker.ErrNoCapacity), errors.Is(err, worker.ErrClosed):
		return nil, &apiError{http.StatusServiceUnavailable, err.Error()}
	}
	return readyView{Environments: environments}, err
}

func viewInitFailure(f *worker.InitFailure) *initErrorView {
	v := initErrorView{Message: f.Error()}
	if f.Posted == nil {
		return &v
	}
	v.Type = f.Posted.ErrorType
	var said initErrorView
	if json.Unmarshal(f.Posted.Payload, &said) == nil && said.Message != "" { // the runtime's word, whatever it is
		v.Message, v.Trace = said.Message, said.Trace
	}
	return &v
}
