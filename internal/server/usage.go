package server

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/lambdaapi"
	"github.com/hearthd/hearth/internal/usage"
)

// usageRow is one row of GET /hearth/v1/usage. Members that the rows are not
// told apart by are absent.
type usageRow struct {
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

var usageColumns = []string{
	"start", "account", "function", "version", "invocations", "errors", "billed_ms",
	"asked_gb_ms", "allocated_gb_ms", "used_gb_ms", "wasted_gb_ms", "saved_gb_ms",
}

// readUsage answers in JSON, or with format=csv in CSV.
func (n *node) readUsage(w http.ResponseWriter, r *http.Request) {
	caller, _ := lambdaapi.AccountFrom(r.Context())
	q, err := usageQuery(r, caller, n.isRoot(r))
	if err != nil {
		writeError(w, err)
		return
	}
	rows, err := n.usage.Read(r.Context(), q)
	if err != nil {
		writeError(w, err)
		return
	}
	if r.URL.Query().Get("format") == "csv" {
		writeUsage(w, rows)
		return
	}
	list := []usageRow{}
	for i := range rows {
		list = append(list, viewUsage(&rows[i]))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"usage": list}) // fails only when the client is gone
}

func usageQuery(r *http.Request, caller account.ID, root bool) (q usage.Query, err error) {
	v := r.URL.Query()
	q.Account, q.Function = caller, v.Get("function")
	if other := v.Get("account"); other != "" && other != string(caller) {
		if !root {
			return q, errForbidden
		}
		if q.Account = account.ID(other); other == "all" {
			q.Account = ""
		}
	}
	if strings.ContainsAny(string(q.Account)+q.Function, ".*> ") {
		return q, &apiError{http.StatusBadRequest, "account and function are names, without patterns"}
	}
	for _, by := range strings.FieldsFunc(v.Get("by"), func(r rune) bool { return r == ',' }) {
		switch by {
		case "hour":
			q.By.Hour = true
		case "day":
			q.By.Day = true
		case "account":
			q.By.Account = true
		case "function":
			q.By.Function = true
		case "version":
			q.By.Function, q.By.Version = true, true
		default:
			return q, &apiError{http.StatusBadRequest, fmt.Sprintf("by is hour, day, account, function, version or several of them with commas, not %q", by)}
		}
	}
	if v.Get("by") == "" {
		q.By.Function = true
	}
	for name, into := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if text := v.Get(name); text != "" {
			if *into, err = time.Parse(time.RFC3339, text); err != nil {
				return q, &apiError{http.StatusBadRequest, name + " is a time such as 2026-03-04T05:00:00Z"}
			}
		}
	}
	return q, nil
}

func viewUsage(r *usage.Row) usageRow {
	row := usageRow{
		Account: string(r.Account), Function: r.Function, Version: r.Version,
		Invocations: r.Invocations, Errors: r.Errors, BilledMS: r.BilledMS,
		AskedGBms: r.AskedGBms(), AllocatedGBms: r.AllocatedGBms(), UsedGBms: r.UsedGBms(),
		WastedGBms: r.WastedGBms(), SavedGBms: r.SavedGBms(),
	}
	if !r.Start.IsZero() {
		row.Start = &r.Start
	}
	return row
}

// writeUsage writes CSV as RFC 4180 has it.
func writeUsage(w http.ResponseWriter, rows []usage.Row) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	out := csv.NewWriter(w)
	lines := [][]string{usageColumns}
	number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	for i := range rows {
		r := viewUsage(&rows[i])
		start := ""
		if r.Start != nil {
			start = r.Start.Format(time.RFC3339)
		}
		lines = append(lines, []string{
			start, r.Account, r.Function, r.Version,
			strconv.FormatInt(r.Invocations, 10), strconv.FormatInt(r.Errors, 10), strconv.FormatInt(r.BilledMS, 10),
			number(r.AskedGBms), number(r.AllocatedGBms), number(r.UsedGBms), number(r.WastedGBms), number(r.SavedGBms),
		})
	}
	_ = out.WriteAll(lines) // fails only when the client is gone
}
