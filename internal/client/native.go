package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds an answer that is read whole.
const maxAnswer = 64 << 20

// call asks Hearth's own API and decodes the answer into into, if there is one.
func (c *Client) call(ctx context.Context, method, path string, ask, into any) error {
	var body []byte
	if ask != nil {
		var err error
		if body, err = json.Marshal(ask); err != nil {
			return err
		}
	}
	res, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("the node's answer to %s %s is not what this version of hearth knows: %w", method, path, err)
	}
	return nil
}

// send sends a signed request and returns the answer if it is a good one.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	key, err := c.creds.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, key, req, hex.EncodeToString(sum[:]), "lambda", c.region, time.Now()); err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &UnreachableError{Endpoint: c.Endpoint, Err: err}
	}
	if res.StatusCode >= 300 {
		defer res.Body.Close()
		return nil, c.explainAPI(decodeError(res))
	}
	return res, nil
}

// decodeError reads an error in Lambda's form.
func decodeError(res *http.Response) *APIError {
	e := &APIError{Status: res.StatusCode}
	e.Code, _, _ = strings.Cut(res.Header.Get("X-Amzn-ErrorType"), ":")
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	var body struct{ Message string } // or message
	if err == nil && json.Unmarshal(b, &body) == nil {
		e.Message = body.Message
	}
	if e.Message == "" {
		e.Message = strings.TrimSpace(string(b))
	}
	return e
}

// Processes are the pools of a node.
type Processes struct {
	Node     string `json:"node"`
	MemoryMB struct {
		Capacity  int `json:"capacity"`
		Allocated int `json:"allocated"`
		Used      int `json:"used"`
	} `json:"memoryMB"`
	Instances []Instance `json:"instances"`
}

// Instance is one instance and its environments.
type Instance struct {
	ID           string        `json:"id"`
	Account      string        `json:"account,omitempty"`
	Pool         string        `json:"pool"`
	CapacityMB   int           `json:"capacityMB"`
	AllocatedMB  int           `json:"allocatedMB"`
	Environments []Environment `json:"environments"`
}

// Environment is one environment.
type Environment struct {
	ID          string `json:"id"`
	Runtime     string `json:"runtime"`
	Function    string `json:"function,omitempty"`
	Version     string `json:"version,omitempty"`
	Revision    string `json:"revision,omitempty"`
	State       string `json:"state"`
	MemoryMB    int    `json:"memoryMB"`
	UsedBytes   int64  `json:"usedBytes"`
	AgeSeconds  int64  `json:"ageSeconds"`
	Invocations int64  `json:"invocations"`
	Provisioned bool   `json:"provisioned,omitempty"` // kept as provisioned concurrency
}

// Processes returns the pools as they are now.
func (c *Client) Processes(ctx context.Context) (*Processes, error) {
	var p Processes
	return &p, c.call(ctx, http.MethodGet, "/hearth/v1/ps", nil, &p)
}

// Runtimes are what a node can run.
type Runtimes struct {
	Runtimes []Runtime `json:"runtimes"`
	// Identifiers tells for each of Lambda's runtimes what serves it.
	Identifiers map[string]Served `json:"identifiers"`
}

// Runtime is an interpreter on the node, or "provided".
type Runtime struct {
	Name    string `json:"name"`
	Family  string `json:"family"`
	Version string `json:"version"`
	Path    string `json:"path"`
}

// Served is what serves a runtime identifier.
type Served struct {
	ServedBy string `json:"servedBy"`
	Exact    bool   `json:"exact"`
}

// Runtimes returns what the node can run.
func (c *Client) Runtimes(ctx context.Context) (*Runtimes, error) {
	var r Runtimes
	return &r, c.call(ctx, http.MethodGet, "/hearth/v1/runtimes", nil, &r)
}

// NodeVersion tells what a node was built from.
type NodeVersion struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// Version returns the node's.
func (c *Client) Version(ctx context.Context) (*NodeVersion, error) {
	var v NodeVersion
	return &v, c.call(ctx, http.MethodGet, "/hearth/v1/version", nil, &v)
}

// LogQuery says which events of a function's log to read.
type LogQuery struct {
	Since  time.Time // zero: from the beginning
	Follow bool
	Limit  int // the newest of those that are there; 0: all
}

// LogEvent is one line of a log.
type LogEvent struct {
	Milliseconds int64  `json:"time"` // since 1970
	Stream       string `json:"stream"`
	Message      string `json:"message"`
}

// Time is when it was written.
func (e *LogEvent) Time() time.Time { return time.UnixMilli(e.Milliseconds) }

// Logs calls f for the events of a function's log; with Follow until ctx ends,
// which is not an error then.
func (c *Client) Logs(ctx context.Context, function string, q LogQuery, f func(LogEvent) error) error {
	query := url.Values{}
	if !q.Since.IsZero() {
		query.Set("since", strconv.FormatInt(q.Since.UnixMilli(), 10))
	}
	if q.Follow {
		query.Set("follow", "1")
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	res, err := c.send(ctx, http.MethodGet, "/hearth/v1/logs/"+url.PathEscape(function)+"?"+query.Encode(), nil)
	if err != nil {
		return c.explain(ctx, err, function)
	}
	defer res.Body.Close()
	for events := json.NewDecoder(res.Body); ; {
		var e LogEvent
		err := events.Decode(&e)
		switch {
		case q.Follow && ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF) && q.Follow:
			return errors.New("the node ended the log: it has probably stopped")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the log: %w", err)
		}
		if err := f(e); err != nil {
			return err
		}
	}
}

// Readiness tells whether a function has an environment to answer with.
type Readiness struct {
	Environments int        `json:"environments"`
	InitError    *InitError `json:"initError,omitempty"`
}

// InitError says why a function's code did not initialise.
type InitError struct {
	Type    string   `json:"errorType"`
	Message string   `json:"errorMessage"`
	Trace   []string `json:"stackTrace,omitempty"`
}

// Ready boots an environment of what the function serves, unless it has one.
// That its code does not initialise is part of the answer.
func (c *Client) Ready(ctx context.Context, function string) (*Readiness, error) {
	var r Readiness
	err := c.call(ctx, http.MethodPost, "/hearth/v1/functions/"+url.PathEscape(function)+"/ready", nil, &r)
	return &r, c.explain(ctx, err, function)
}
