// Package clienttest is a node for tests of what speaks to one: it checks
// signatures as a real one does, keeps functions and accounts in memory, and
// runs nothing.
//
// Functions answer with the event they were given, and with a function error
// when that is the string "fail". A function takes one more look until a change
// of it is settled.
package clienttest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/lambdaapi/sigv4"
)

// The key that the node knows, of its root account.
const (
	AccessKeyID = "AKIAAAAAAAAAAAAAAAAA"
	Secret      = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	Account     = "123456789012"
)

// Node is the double.
type Node struct {
	URL string

	verifier *sigv4.Verifier

	mu        sync.Mutex
	functions map[string]*function
	accounts  []map[string]any
	calls     []string // operations that change something
	refuse    string   // what settling functions fail with
	rollouts  rollouts
}

type function struct {
	config  map[string]any
	pending int // looks until a change is settled
	version int
	failed  string
}

// Start starts a node that ends with the test.
func Start(t testing.TB) *Node {
	n := &Node{
		functions: map[string]*function{},
		accounts:  []map[string]any{{"id": Account, "name": "root", "root": true, "concurrency": 1000, "created": "2026-01-02T03:04:05Z"}},
		verifier:  &sigv4.Verifier{Lookup: func(id string) (string, account.ID, bool) { return Secret, Account, id == AccessKeyID }},
	}
	mux := http.NewServeMux()
	const functions = "/2015-03-31/functions"
	mux.HandleFunc("GET "+functions, n.list)
	mux.HandleFunc("POST "+functions, n.create)
	mux.HandleFunc("GET "+functions+"/{name}/configuration", n.get)
	mux.HandleFunc("PUT "+functions+"/{name}/configuration", n.updateConfiguration)
	mux.HandleFunc("PUT "+functions+"/{name}/code", n.updateCode)
	mux.HandleFunc("POST "+functions+"/{name}/versions", n.publish)
	mux.HandleFunc("POST "+functions+"/{name}/invocations", n.invoke)
	mux.HandleFunc("GET /hearth/v1/ps", fixed(`{"node": "n1", "memoryMB": {"capacity": 4096, "allocated": 192, "used": 11}, "instances": [
		{"id": "i-1", "account": "123456789012", "pool": "active", "capacityMB": 1024, "allocatedMB": 128, "environments": [
			{"id": "00112233445566778899aabbccddeeff", "runtime": "python3.12", "function": "hello", "version": "$LATEST", "revision": "abc", "state": "idle", "memoryMB": 128, "usedBytes": 6291456, "ageSeconds": 90, "invocations": 1234}]},
		{"id": "i-2", "pool": "warming", "capacityMB": 1024, "allocatedMB": 0, "environments": []}]}`))
	mux.HandleFunc("GET /hearth/v1/runtimes", fixed(`{"runtimes": [{"name": "python3.12", "family": "python", "version": "3.12.1", "path": "/usr/bin/python3"}],
		"identifiers": {"python3.12": {"servedBy": "python3.12", "exact": true}, "python3.13": {"servedBy": "python3.12", "exact": false}}}`))
	mux.HandleFunc("GET /hearth/v1/version", fixed(`{"version": "v1", "commit": "abc", "go": "go1.26"}`))
	mux.HandleFunc("GET /hearth/v1/logs/{name}", n.logs)
	mux.HandleFunc("GET /hearth/v1/functions/{name}/history", n.known(fixed(`{"changes": [
		{"time": "2026-01-02T03:04:05Z", "account": "123456789012", "accessKeyId": "`+AccessKeyID+`", "operation": "UpdateFunctionCode", "items": [
			{"of": "code", "old": "0123456789abcdef", "new": "fedcba9876543210"}, {"of": "version 2", "new": "Pending"}]},
		{"time": "2026-01-02T03:04:06Z", "operation": "CompleteUpdate", "items": [{"of": "status", "old": "Active, InProgress", "new": "Active, Successful"}]},
		{"time": "2026-01-02T03:04:07Z", "account": "123456789012", "operation": "DeleteAlias", "items": [{"of": "alias old", "old": "1"}]}]}`)))
	mux.HandleFunc("GET /hearth/v1/functions/{name}/versions", n.known(fixed(`{"function": "hello", "arn": "arn", "versions": [
		{"version": "$LATEST", "revision": "r3", "codeSha256": "0123456789abcdef", "codeBytes": 2048, "memoryMB": 128, "lastModified": "2026-01-02T03:04:05Z", "state": "Active", "lastUpdateStatus": "InProgress",
			"environments": [{"id": "e1", "state": "idle", "revision": "r2"}]},
		{"version": "2", "description": "release", "revision": "r2", "codeSha256": "fedcba9876543210", "codeBytes": 1024, "memoryMB": 256, "lastModified": "2026-01-02T03:04:04Z", "state": "Active",
			"aliases": {"live": 0.9, "all": 1}, "environments": [{"id": "e2", "state": "busy", "revision": "r2"}, {"id": "e3", "state": "idle", "revision": "r2"}, {"id": "e4", "state": "idle", "revision": "r2"}]}],
		"aliases": [{"name": "all", "version": "2", "provisioned": {"requested": 2, "allocated": 2, "available": 1}}, {"name": "live", "version": "2", "additional": "1", "weight": 0.1}]}`)))
	mux.HandleFunc("POST /hearth/v1/functions/{name}/rollback", n.known(func(w http.ResponseWriter, r *http.Request) {
		in := decode(r)
		n.called(fmt.Sprintf("roll back %s %v %v", r.PathValue("name"), in["alias"], in["to"]))
		reply(w, http.StatusOK, map[string]any{
			"function": r.PathValue("name"), "alias": cmp.Or(in["alias"], any("")), "version": cmp.Or(in["to"], any("1")), "revision": "r1", "codeSha256": "0123456789abcdef",
		})
	}))
	n.routeRollouts(mux)
	const sizing = `{"function": "hello", "version": "$LATEST", "mode": "recommend", "goal": "balanced", "askedMB": 1024, "minMB": 128, "maxMB": 2048, "effectiveMB": 1024, "effectiveCpuMB": 1024, "recommendedMB": 168, "executions": 1234, "use": {"p99MB": 150, "highestMB": 155}, "saving": {"gbSecondsPer1000": 1.5, "percent": 83}, "verb": "lower", "cause": "too-much", "reason": "Executions use up to 155 MB; less than 1024 MB will do.", "confidence": 0.9, "patterns": [{"shape": "steady", "detail": "150 MB, and never more than 155 MB"}], "history": [{"at": "2026-01-02T03:04:05Z", "fromMB": 1024, "toMB": 512, "cause": "too-much", "reason": "Because."}]}`
	mux.HandleFunc("GET /hearth/v1/sizing", fixed(`{"functions": [`+sizing+`]}`))
	mux.HandleFunc("GET /hearth/v1/functions/hello/sizing", fixed(sizing))
	mux.HandleFunc("GET /hearth/v1/functions/hello/sizing/curve", fixed(`{"report": `+sizing+`, "note": "CPU comes in proportion to memory.", "model": {"cpuMs": 10, "waitMs": 5, "cpusAtOnce": 1},
		"points": [{"memoryMB": 168, "cpuMB": 168, "meanMs": 20, "p95Ms": 30, "gbSecondsPer1000": 3.28}]}`))
	mux.HandleFunc("POST /hearth/v1/functions/hello/sizing/apply", func(w http.ResponseWriter, _ *http.Request) {
		n.called("apply sizing of hello")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /hearth/v1/functions/hello/sizing", func(w http.ResponseWriter, _ *http.Request) {
		n.called("reset sizing of hello")
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /hearth/v1/accounts", n.listAccounts)
	mux.HandleFunc("POST /hearth/v1/accounts", n.createAccount)
	mux.HandleFunc("PUT /hearth/v1/accounts/{id}/concurrency", n.setConcurrency)
	mux.HandleFunc("GET /hearth/v1/accounts/{id}/keys", fixed(`{"keys": [{"accessKeyId": "`+AccessKeyID+`", "active": true, "created": "2026-01-02T03:04:05Z"}]}`))
	mux.HandleFunc("POST /hearth/v1/accounts/{id}/keys", fixed(`{"accessKeyId": "AKIANEW", "secretAccessKey": "s3cret", "active": true, "created": "2026-01-02T03:04:05Z"}`))
	mux.HandleFunc("DELETE /hearth/v1/accounts/{id}/keys/{key}", func(w http.ResponseWriter, r *http.Request) {
		n.called("delete key " + r.PathValue("key"))
		w.WriteHeader(http.StatusNoContent)
	})
	server := httptest.NewServer(n.verified(mux))
	t.Cleanup(server.Close)
	n.URL = server.URL
	return n
}

// Use makes the environment of the test that of somebody who uses the node.
func (n *Node) Use(t *testing.T) {
	Isolate(t)
	t.Setenv("HEARTH_ENDPOINT", n.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", Secret)
}

// Isolate takes away what the environment says about nodes and credentials.
func Isolate(t *testing.T) {
	for _, name := range []string{
		"HEARTH_ENDPOINT", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
	} {
		t.Setenv(name, "")
	}
	none := t.TempDir() + "/none"
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
}

// Calls returns the operations that changed something, since it was last called.
func (n *Node) Calls() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	calls := n.calls
	n.calls = nil
	return calls
}

// Fail has changes of functions fail with a reason from now on, "" ends it.
func (n *Node) Fail(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = reason
}

func (n *Node) called(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls = append(n.calls, what)
}

// verified lets through what is signed with the key.
func (n *Node) verified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, err = n.verifier.Verify(r, body)
		var refused *sigv4.Error
		if errors.As(err, &refused) {
			fail(w, refused.Status, refused.Name, refused.Message)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// known lets requests about functions that are there pass.
func (n *Node) known(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		_, ok := n.functions[r.PathValue("name")]
		n.mu.Unlock()
		if !ok {
			fail(w, http.StatusNotFound, "", "no such function: "+r.PathValue("name"))
			return
		}
		next(w, r)
	}
}

func fixed(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func fail(w http.ResponseWriter, status int, exception, message string) {
	if exception != "" {
		w.Header().Set("X-Amzn-ErrorType", exception)
	}
	reply(w, status, map[string]string{"message": message})
}

// find returns a function, locked, or answers that there is none.
func (n *Node) find(w http.ResponseWriter, r *http.Request) *function {
	n.mu.Lock()
	f := n.functions[r.PathValue("name")]
	if f == nil {
		n.mu.Unlock()
		fail(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+r.PathValue("name"))
	}
	return f
}

func (n *Node) list(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := []string{}
	for name := range n.functions {
		names = append(names, name)
	}
	slices.Sort(names)
	// Two on a page: whoever lists must turn pages.
	from, _ := strconv.Atoi(r.URL.Query().Get("Marker"))
	page := []map[string]any{}
	for _, name := range names[from:min(from+2, len(names))] {
		page = append(page, n.functions[name].config)
	}
	answer := map[string]any{"Functions": page}
	if from+2 < len(names) {
		answer["NextMarker"] = strconv.Itoa(from + 2)
	}
	reply(w, http.StatusOK, answer)
}

func decode(r *http.Request) map[string]any {
	var in map[string]any
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		panic(err)
	}
	return in
}

func code(zip string) map[string]any {
	b, err := base64.StdEncoding.DecodeString(zip)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(b)
	return map[string]any{"CodeSha256": base64.StdEncoding.EncodeToString(sum[:]), "CodeSize": len(b)}
}

func (n *Node) create(w http.ResponseWriter, r *http.Request) {
	in := decode(r)
	name := in["FunctionName"].(string)
	n.called(fmt.Sprintf("create %s %s %s", name, in["Runtime"], in["Handler"]))
	f := &function{pending: 1, config: map[string]any{
		"FunctionName": name, "FunctionArn": "arn:aws:lambda:us-east-1:" + Account + ":function:" + name,
		"Runtime": in["Runtime"], "Handler": in["Handler"], "Version": "$LATEST", "LastModified": "2026-01-02T03:04:05.000+0000",
		"MemorySize": cmp.Or(in["MemorySize"], any(128.0)), "Timeout": cmp.Or(in["Timeout"], any(3.0)), "Environment": in["Environment"],
		"State": "Pending", "LastUpdateStatus": "Successful",
	}}
	for k, v := range code(in["Code"].(map[string]any)["ZipFile"].(string)) {
		f.config[k] = v
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	f.failed = n.refuse
	n.functions[name] = f
	reply(w, http.StatusCreated, f.config)
}

// get answers, and brings a change under way one step on.
func (n *Node) get(w http.ResponseWriter, r *http.Request) {
	f := n.find(w, r)
	if f == nil {
		return
	}
	defer n.mu.Unlock()
	reply(w, http.StatusOK, f.config)
	if f.pending == 0 {
		return
	}
	if f.pending--; f.pending > 0 {
		return
	}
	created := f.config["State"] == "Pending"
	f.config["State"], f.config["LastUpdateStatus"] = "Active", "Successful"
	switch {
	case f.failed != "" && created:
		f.config["State"], f.config["StateReason"] = "Failed", f.failed
	case f.failed != "":
		f.config["LastUpdateStatus"], f.config["LastUpdateStatusReason"] = "Failed", f.failed
	}
}

func (n *Node) change(w http.ResponseWriter, r *http.Request, what string, set map[string]any) {
	n.called(what + " " + r.PathValue("name"))
	f := n.find(w, r)
	if f == nil {
		return
	}
	defer n.mu.Unlock()
	if f.pending > 0 {
		fail(w, http.StatusConflict, "ResourceConflictException", "an update is in progress")
		return
	}
	for k, v := range set {
		f.config[k] = v
	}
	f.config["LastUpdateStatus"] = "InProgress"
	f.pending, f.failed = 1, n.refuse
	reply(w, http.StatusOK, f.config)
}

func (n *Node) updateConfiguration(w http.ResponseWriter, r *http.Request) {
	n.change(w, r, "configure", decode(r))
}

func (n *Node) updateCode(w http.ResponseWriter, r *http.Request) {
	n.change(w, r, "upload", code(decode(r)["ZipFile"].(string)))
}

func (n *Node) publish(w http.ResponseWriter, r *http.Request) {
	n.called("publish " + r.PathValue("name"))
	f := n.find(w, r)
	if f == nil {
		return
	}
	defer n.mu.Unlock()
	f.version++
	reply(w, http.StatusCreated, map[string]any{"FunctionName": r.PathValue("name"), "Version": strconv.Itoa(f.version)})
}

func (n *Node) invoke(w http.ResponseWriter, r *http.Request) {
	f := n.find(w, r)
	if f == nil {
		return
	}
	n.mu.Unlock()
	qualifier := cmp.Or(r.URL.Query().Get("Qualifier"), "$LATEST")
	if qualifier == "gone" {
		fail(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+r.PathValue("name")+":gone")
		return
	}
	w.Header().Set("X-Amz-Executed-Version", qualifier)
	if r.Header.Get("X-Amz-Log-Type") == "Tail" {
		w.Header().Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte("START\nEND\n")))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	if string(body) == `"fail"` {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		body = []byte(`{"errorType":"Failure"}`)
	}
	if _, err := w.Write(body); err != nil {
		panic(err)
	}
}

func (n *Node) logs(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	known := n.functions[r.PathValue("name")] != nil
	n.mu.Unlock()
	if !known {
		fail(w, http.StatusNotFound, "", "no such function: "+r.PathValue("name"))
		return
	}
	for i, m := range []string{"START", "a line\twith a tab", "END"} {
		if i < 3-limit(r) {
			continue
		}
		fmt.Fprintf(w, "{\"time\": %d, \"stream\": \"s\", \"message\": %q}\n", time.Date(2026, 1, 2, 3, 4, 5, i*1e6, time.UTC).UnixMilli(), m)
	}
	if r.URL.Query().Get("follow") == "1" {
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
		<-r.Context().Done()
	}
}

func limit(r *http.Request) int {
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil {
		return n
	}
	return 3
}

func (n *Node) listAccounts(w http.ResponseWriter, _ *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	reply(w, http.StatusOK, map[string]any{"accounts": n.accounts})
}

func (n *Node) createAccount(w http.ResponseWriter, r *http.Request) {
	in := decode(r)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.accounts {
		if a["name"] == in["name"] {
			fail(w, http.StatusConflict, "", "there is an account of that name")
			return
		}
	}
	a := map[string]any{"id": fmt.Sprintf("%012d", len(n.accounts)), "name": in["name"], "concurrency": 1000, "created": "2026-01-02T03:04:05Z"}
	n.accounts = append(n.accounts, a)
	reply(w, http.StatusOK, map[string]any{
		"id": a["id"], "name": a["name"], "concurrency": 1000, "created": a["created"],
		"key": map[string]any{"accessKeyId": "AKIANEW", "secretAccessKey": "s3cret", "active": true, "created": a["created"]},
	})
}

func (n *Node) setConcurrency(w http.ResponseWriter, r *http.Request) {
	in := decode(r)
	n.called(fmt.Sprintf("concurrency %s %v", r.PathValue("id"), in["concurrency"]))
	reply(w, http.StatusOK, map[string]any{})
}
