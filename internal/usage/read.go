package usage

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

// By says what rows are apart by; what is in no member is added up.
type By struct {
	Account, Function, Version bool
	// Hour or Day, in UTC.
	Hour, Day bool
}

// Query says which usage to read.
type Query struct {
	// Account and Function, "" for all.
	Account  account.ID
	Function string
	// Since and Until bound the hours: from the one that Since lies in on, those
	// that begin before Until. Zero times bound nothing.
	Since, Until time.Time
	By           By
}

// Row is the usage that belongs together; members that the query does not
// tell apart are zero.
type Row struct {
	Account  account.ID
	Function string
	Version  string
	Start    time.Time // of the hour or the day
	Sums
}

// Read returns the usage of all nodes, in the order of time, account, function
// and version. What this node has recorded so far is in it; what others have
// recorded within the last ten seconds or so may not be.
func (u *Usage) Read(ctx context.Context, q Query) ([]Row, error) {
	if err := u.Fold(ctx); err != nil {
		return nil, err
	}
	since := q.Since.Truncate(time.Hour)
	group := map[Row]*Sums{} // by rows without sums
	filter := cmp.Or(string(q.Account), "*") + "." + cmp.Or(q.Function, "*") + ".*.*"
	err := u.bucket.Each(ctx, filter, func(e state.Entry) error {
		key, version, at, err := parseKey(e.Key)
		if err != nil {
			return err
		}
		if !q.Until.IsZero() && !at.Before(q.Until) || !at.Add(24*time.Hour).After(since) {
			return nil
		}
		d, err := decode(e)
		if err != nil {
			return err
		}
		for hour, sums := range d.Hours {
			start := at.Add(time.Duration(hour) * time.Hour)
			if start.Before(since) || !q.Until.IsZero() && !start.Before(q.Until) {
				continue
			}
			row := q.By.row(key, version, start)
			if group[row] == nil {
				group[row] = &Sums{}
			}
			group[row].Add(*sums)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows := make([]Row, 0, len(group))
	for row, sums := range group {
		row.Sums = *sums
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Account, b.Account),
			cmp.Compare(a.Function, b.Function), compareVersions(a.Version, b.Version))
	})
	return rows, nil
}

// row is the row that an hour belongs to.
func (b By) row(key function.Key, version string, start time.Time) (r Row) {
	if b.Account {
		r.Account = key.Account
	}
	if b.Function {
		r.Function = key.Name
	}
	if b.Version {
		r.Version = version
	}
	switch {
	case b.Hour:
		r.Start = start
	case b.Day:
		r.Start = start.Truncate(24 * time.Hour)
	}
	return r
}

// compareVersions orders numbers as numbers; $LATEST comes first.
func compareVersions(a, b string) int {
	return cmp.Or(cmp.Compare(len(strings.TrimPrefix(a, function.Latest)), len(strings.TrimPrefix(b, function.Latest))), cmp.Compare(a, b))
}
