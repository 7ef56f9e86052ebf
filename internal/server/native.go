package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/lambdaapi"
	"github.com/hearthd/hearth/internal/rollout"
	"github.com/hearthd/hearth/internal/telemetry"
	"github.com/hearthd/hearth/internal/worker"
)

// native is Hearth's own small API, for what has no place in Lambda's. Requests
// come with their account verified. openapi.yaml describes all of it.
func (n *node) native() *routes {
	mux := &routes{}
	mux.HandleFunc("GET /hearth/healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, "ok") // the node listens only once it takes invocations
	})
	mux.HandleFunc("GET /hearth/v1/openapi.yaml", describe)
	mux.Handle("GET /hearth/v1/ps", n.answer(n.ps))
	mux.Handle("GET /hearth/v1/runtimes", n.answer(n.listRuntimes))
	mux.Handle("GET /hearth/v1/version", n.answer(func(*http.Request, account.ID) (any, error) { return n.opts.Version, nil }))
	mux.HandleFunc("GET /hearth/v1/logs/{function}", n.readLogs)
	mux.HandleFunc("GET /hearth/v1/usage", n.readUsage)
	mux.Handle("POST /hearth/v1/functions/{function}/ready", n.answer(n.ready))
	mux.Handle("GET /hearth/v1/functions/{function}/history", n.answer(n.history))
	mux.Handle("GET /hearth/v1/functions/{function}/versions", n.answer(n.versions))
	mux.Handle("POST /hearth/v1/functions/{function}/rollback", n.answer(n.rollback))
	n.routeRollouts(mux)
	mux.Handle("GET /hearth/v1/sizing", n.answer(n.listSizing))
	mux.Handle("GET /hearth/v1/functions/{function}/sizing", n.answer(n.readSizing))
	mux.Handle("DELETE /hearth/v1/functions/{function}/sizing", n.answer(n.resetSizing))
	mux.Handle("POST /hearth/v1/functions/{function}/sizing/apply", n.answer(n.applySizing))
	mux.Handle("GET /hearth/v1/functions/{function}/sizing/curve", n.answer(n.explainSizing))
	mux.Handle("GET /hearth/v1/accounts", n.rootOnly(n.listAccounts))
	mux.Handle("POST /hearth/v1/accounts", n.rootOnly(n.createAccount))
	mux.Handle("PUT /hearth/v1/accounts/{id}/concurrency", n.rootOnly(n.setConcurrency))
	mux.Handle("GET /hearth/v1/accounts/{id}/keys", n.rootOnly(n.listKeys))
	mux.Handle("POST /hearth/v1/accounts/{id}/keys", n.rootOnly(n.createKey))
	mux.Handle("DELETE /hearth/v1/accounts/{id}/keys/{key}", n.rootOnly(n.deleteKey))
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if !n.isRoot(r) {
			writeError(w, errForbidden)
			return
		}
		n.metrics.Handler().ServeHTTP(w, r)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &apiError{http.StatusNotFound, "no such resource: " + r.Method + " " + r.URL.Path})
	})
	return mux
}

// apiError is an error with the status it is answered with.
type apiError struct {
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

var errForbidden = &apiError{http.StatusForbidden, "only the root account may do that; its key is in the data directory's credentials file"}

// operation is one operation of the native API; what it returns is answered as
// JSON, or with status 204 when it is nil.
type operation func(r *http.Request, caller account.ID) (any, error)

func (n *node) answer(f operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := lambdaapi.AccountFrom(r.Context())
		v, err := f(r, caller)
		if err != nil {
			writeError(w, err)
			return
		}
		if v == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // fails only when the client is gone
	})
}

func (n *node) isRoot(r *http.Request) bool {
	caller, _ := lambdaapi.AccountFrom(r.Context())
	a, ok := n.accounts.Account(caller)
	return ok && a.Root
}

func (n *node) rootOnly(f operation) http.Handler {
	return n.answer(func(r *http.Request, caller account.ID) (any, error) {
		if !n.isRoot(r) {
			return nil, errForbidden
		}
		return f(r, caller)
	})
}

// writeError is the one place where errors become answers.
func writeError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var e *apiError
	var rule *function.Error
	var refused *rollout.Error
	switch {
	case errors.As(err, &e):
		status = e.status
	case errors.As(err, &rule):
		status = statusOf(rule.Kind)
	case errors.As(err, &refused):
		status = map[rollout.Kind]int{
			rollout.Invalid: http.StatusBadRequest, rollout.NotFound: http.StatusNotFound, rollout.Conflict: http.StatusConflict,
		}[refused.Kind]
	case errors.Is(err, account.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, account.ErrExists), errors.Is(err, account.ErrLastKey):
		status = http.StatusConflict
	case errors.Is(err, account.ErrInvalid):
		status = http.StatusBadRequest
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": err.Error()})
}

// psView is the answer of GET /hearth/v1/ps.
type psView struct {
	Node      string                `json:"node"`
	Memory    memoryView            `json:"memoryMB"`
	Instances []worker.InstanceView `json:"instances"`
}

// memoryView is in MiB.
type memoryView struct {
	Capacity  int `json:"capacity"`
	Allocated int `json:"allocated"`
	Used      int `json:"used"`
}

func (n *node) ps(r *http.Request, caller account.ID) (any, error) {
	view := psView{Node: n.id, Instances: []worker.InstanceView{}}
	root, used := n.isRoot(r), int64(0)
	for _, i := range n.workers.View() {
		if !root && i.Account != string(caller) {
			continue
		}
		view.Instances = append(view.Instances, i)
		view.Memory.Allocated += i.AllocatedMB
		for _, e := range i.Environments {
			used += e.UsedBytes
		}
	}
	view.Memory.Capacity, view.Memory.Used = n.budget.Limit(), int(used>>20)
	return view, nil
}

func (n *node) listRuntimes(*http.Request, account.ID) (any, error) {
	type runtime struct {
		Name    string `json:"name"`
		Family  string `json:"family"`
		Version string `json:"version"`
		Path    string `json:"path"`
	}
	type served struct {
		ServedBy string `json:"servedBy"`
		Exact    bool   `json:"exact"`
	}
	list, identifiers := []runtime{}, map[string]served{}
	for _, rt := range n.runtimes.List() {
		list = append(list, runtime{rt.Name, string(rt.Family), rt.Version, rt.Path})
	}
	for _, s := range n.runtimes.Served() {
		identifiers[s.Identifier] = served{s.Runtime.Name, s.Exact}
	}
	return map[string]any{"runtimes": list, "identifiers": identifiers}, nil
}

// readLogs answers with one JSON event a line, and with follow=1 goes on.
func (n *node) readLogs(w http.ResponseWriter, r *http.Request) {
	caller, _ := lambdaapi.AccountFrom(r.Context())
	key := function.Key{Account: caller, Name: r.PathValue("function")}
	if _, ok := n.catalog.Lookup(key); !ok {
		writeError(w, &apiError{http.StatusNotFound, "no such function: " + key.Name})
		return
	}
	o := telemetry.ReadOptions{Follow: r.URL.Query().Get("follow") == "1"}
	if v := r.URL.Query().Get("since"); v != "" {
		ms, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			writeError(w, &apiError{http.StatusBadRequest, "since must be milliseconds since 1970"})
			return
		}
		o.Since = time.UnixMilli(ms)
	}
	if v := r.URL.Query().Get("limit"); v != "" {
		limit, err := strconv.Atoi(v)
		if err != nil || limit < 1 {
			writeError(w, &apiError{http.StatusBadRequest, "limit must be a positive number"})
			return
		}
		o.Limit = limit
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	flusher := http.NewResponseController(w)
	_ = flusher.Flush() // the client knows that it is connected
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(n.stopping, cancel)()
	out := json.NewEncoder(w)
	err := n.logs.Read(ctx, key, o, func(e telemetry.Event) error {
		if err := out.Encode(map[string]any{"time": e.Time.UnixMilli(), "stream": e.Stream, "message": e.Message}); err != nil {
			return err
		}
		if o.Follow {
			return flusher.Flush()
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		n.opts.Log.Warn("reading logs", "function", key.Name, "error", err)
		panic(http.ErrAbortHandler) // the client must not take this for the end
	}
}

type accountView struct {
	account.Account
	Key *keyView `json:"key,omitempty"`
}

type keyView struct {
	AccessKeyID     string    `json:"accessKeyId"`
	SecretAccessKey string    `json:"secretAccessKey,omitempty"`
	Active          bool      `json:"active"`
	Created         time.Time `json:"created"`
}

func viewKey(k account.Key) *keyView {
	return &keyView{AccessKeyID: k.AccessKeyID, SecretAccessKey: k.Secret, Active: k.Active, Created: k.Created}
}

func (n *node) listAccounts(*http.Request, account.ID) (any, error) {
	return map[string]any{"accounts": n.accounts.Accounts()}, nil
}

func (n *node) createAccount(r *http.Request, _ account.ID) (any, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	a, k, err := n.accounts.Create(r.Context(), in.Name)
	return accountView{a, viewKey(k)}, err
}

func (n *node) setConcurrency(r *http.Request, _ account.ID) (any, error) {
	var in struct {
		Concurrency int `json:"concurrency"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	id := account.ID(r.PathValue("id"))
	if err := n.accounts.SetConcurrency(r.Context(), id, in.Concurrency); err != nil {
		return nil, err
	}
	a, _ := n.accounts.Account(id)
	return a, nil
}

func (n *node) listKeys(r *http.Request, _ account.ID) (any, error) {
	keys := []*keyView{}
	for _, k := range n.accounts.Keys(account.ID(r.PathValue("id"))) {
		keys = append(keys, viewKey(k))
	}
	return map[string]any{"keys": keys}, nil
}

func (n *node) createKey(r *http.Request, _ account.ID) (any, error) {
	k, err := n.accounts.CreateKey(r.Context(), account.ID(r.PathValue("id")))
	return viewKey(k), err
}

func (n *node) deleteKey(r *http.Request, _ account.ID) (any, error) {
	for _, k := range n.accounts.Keys(account.ID(r.PathValue("id"))) {
		if k.AccessKeyID == r.PathValue("key") {
			return nil, n.accounts.DeleteKey(r.Context(), k.AccessKeyID)
		}
	}
	return nil, fmt.Errorf("%w: %s", account.ErrNotFound, r.PathValue("key"))
}

// decode reads a small JSON body strictly.
func decode(r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &apiError{http.StatusBadRequest, "the body is not what is expected: " + err.Error()}
	}
	return nil
}

// census is what the metrics show of the node.
func (n *node) census() telemetry.Census {
	c := telemetry.Census{
		Environments: map[string]int{}, Instances: map[string]int{},
		MemoryMB: n.budget.Limit(), ReservedMB: n.budget.Reserved(),
	}
	for _, i := range n.workers.View() {
		c.Instances[i.Pool]++
		for _, e := range i.Environments {
			c.Environments[e.State]++
		}
	}
	for range n.catalog.All() {
		c.Functions++
	}
	return c
}
