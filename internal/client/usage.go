package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// UsageQuery says which usage to read; empty members bound nothing.
type UsageQuery struct {
	Function     string
	Since, Until time.Time
	// By is what rows are apart by: hour, day, account, function, version.
	By []string
	// Account is another one, or "all", for the root account.
	Account string
}

func (q *UsageQuery) path(format string) string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("function", q.Function)
	set("by", strings.Join(q.By, ","))
	set("account", q.Account)
	set("format", format)
	for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			set(name, at.UTC().Format(time.RFC3339))
		}
	}
	return "/hearth/v1/usage?" + v.Encode()
}

// Usage is what executions were given and used, in GB times milliseconds.
// Members that the query does not tell apart are zero.
type Usage struct {
	Start         *time.Time `json:"start,omitempty"`
	Account       string     `json:"account,omitempty"`
	Function      string     `json:"function,omitempty"`
	Version       string     `json:"version,omitempty"`
	Invocations   int64      `json:"invocations"`
	Errors        int64      `json:"errors"`
	BilledMS      int64      `json:"billedMs"`
	AskedGBms     float64    `json:"askedGBms"`
	AllocatedGBms float64    `json:"allocatedGBms"`
	UsedGBms      float64    `json:"usedGBms"`
	WastedGBms    float64    `json:"wastedGBms"`
	SavedGBms     float64    `json:"savedGBms"`
}

// Usage reads what executions were given and used.
func (c *Client) Usage(ctx context.Context, q UsageQuery) ([]Usage, error) {
	var list struct {
		Usage []Usage `json:"usage"`
	}
	return list.Usage, c.call(ctx, http.MethodGet, q.path(""), nil, &list)
}

// UsageCSV writes the same as CSV with a heading.
func (c *Client) UsageCSV(ctx context.Context, q UsageQuery, w io.Writer) error {
	res, err := c.send(ctx, http.MethodGet, q.path("csv"), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	return nil
}
