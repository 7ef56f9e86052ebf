package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Change is one entry of a function's history.
type Change struct {
	Time        time.Time `json:"time"`
	Account     string    `json:"account,omitempty"`
	AccessKeyID string    `json:"accessKeyId,omitempty"`
	Operation   string    `json:"operation"`
	Items       []Item    `json:"items,omitempty"`
}

// Item is one thing that a change made different.
type Item struct {
	Of  string `json:"of"`
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
}

// History returns the last changes of a function, the oldest first.
func (c *Client) History(ctx context.Context, function string) ([]Change, error) {
	var answer struct{ Changes []Change }
	err := c.call(ctx, http.MethodGet, functionPath(function, "history"), nil, &answer)
	return answer.Changes, c.explain(ctx, err, function)
}

// Versions are a function's versions and aliases.
type Versions struct {
	Function string    `json:"function"`
	ARN      string    `json:"arn"`
	Versions []Version `json:"versions"` // $LATEST first, then the newest
	Aliases  []Alias   `json:"aliases"`
}

// Version is $LATEST or a published version.
type Version struct {
	Version      string    `json:"version"`
	Description  string    `json:"description,omitempty"`
	Revision     string    `json:"revision"`
	CodeSHA256   string    `json:"codeSha256"`
	CodeBytes    int64     `json:"codeBytes"`
	MemoryMB     int       `json:"memoryMB"`
	LastModified time.Time `json:"lastModified"`
	State        string    `json:"state"`
	UpdateStatus string    `json:"lastUpdateStatus,omitempty"`
	// Aliases are those that send it requests, and their shares of them.
	Aliases      map[string]float64 `json:"aliases,omitempty"`
	Provisioned  *Provisioned       `json:"provisioned,omitempty"`
	Environments []Environment      `json:"environments"`
}

// Alias is an alias of a function.
type Alias struct {
	Name       string  `json:"name"`
	Version    string  `json:"version"`
	Additional string  `json:"additional,omitempty"`
	Weight     float64 `json:"weight,omitempty"` // of Additional
	// MovingFrom is what still answers, while that is something else.
	MovingFrom  *Route       `json:"movingFrom,omitempty"`
	Previous    string       `json:"previous,omitempty"`
	Description string       `json:"description,omitempty"`
	Provisioned *Provisioned `json:"provisioned,omitempty"`
}

// Route is where an alias sends requests.
type Route struct {
	Version    string  `json:"version"`
	Additional string  `json:"additional,omitempty"`
	Weight     float64 `json:"weight,omitempty"`
}

// Provisioned is provisioned concurrency.
type Provisioned struct {
	Requested int    `json:"requested"`
	Allocated int    `json:"allocated"`
	Available int    `json:"available"`
	Failure   string `json:"failure,omitempty"`
}

// Versions returns the versions and aliases of a function.
func (c *Client) Versions(ctx context.Context, function string) (*Versions, error) {
	var v Versions
	err := c.call(ctx, http.MethodGet, functionPath(function, "versions"), nil, &v)
	return &v, c.explain(ctx, err, function)
}

// Rollback says what to take back: an alias, or $LATEST when Alias is "", to a
// version or, when To is "", to what it was before.
type Rollback struct {
	Alias string `json:"alias,omitempty"`
	To    string `json:"to,omitempty"`
}

// RolledBack is what answers after a rollback.
type RolledBack struct {
	Function     string `json:"function"`
	Alias        string `json:"alias,omitempty"`
	Version      string `json:"version"`
	Revision     string `json:"revision"`
	CodeSHA256   string `json:"codeSha256"`
	UpdateStatus string `json:"lastUpdateStatus,omitempty"`
}

// Rollback takes a function or an alias of it back, and waits until the node
// serves it. step is told what is waited for.
func (c *Client) Rollback(ctx context.Context, function string, r Rollback, step func(string)) (*RolledBack, error) {
	var back RolledBack
	step("taking back " + function)
	if err := c.call(ctx, http.MethodPost, functionPath(function, "rollback"), r, &back); err != nil {
		return nil, c.explain(ctx, err, function)
	}
	if r.Alias != "" {
		return &back, nil
	}
	if err := c.settled(ctx, function, step); err != nil {
		return nil, c.explain(ctx, err, function)
	}
	back.UpdateStatus = "Successful"
	return &back, nil
}

func functionPath(function, what string) string {
	return "/hearth/v1/functions/" + url.PathEscape(function) + "/" + what
}
