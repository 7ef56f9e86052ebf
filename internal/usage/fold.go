package usage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/state"
)

const (
	dayFormat = "20060102"
	// latestKey stands for $LATEST, which can't be in a key; versions are numbers.
	latestKey = "LATEST"
	// maxDays is how many days' sums are kept in memory, to be written again
	// without being read again.
	maxDays = 10_000
)

// day is the value of a key: one day, in UTC, of one version of a function.
type day struct {
	// Counted says for each journal which records are in the sums: those
	// before the position.
	Counted map[string]uint64 `json:"counted"`
	Hours   map[int]*Sums     `json:"hours"`

	revision uint64 // in the bucket; 0: it is not there
}

// add adds records, which are in the order of their positions, to the sums in
// the state; those that are in them already count no more.
func (u *Usage) add(ctx context.Context, list []record) error {
	type group struct {
		function.Key
		version string
		day     int64
	}
	groups := map[group][]record{}
	for _, r := range list {
		if r.Account == "" {
			continue // see record
		}
		g := group{r.Key, r.version, r.hour / 24}
		groups[g] = append(groups[g], r)
	}
	for g, records := range groups {
		key := keyOf(g.Key, g.version, time.Unix(g.day*24*3600, 0).UTC())
		if err := u.addTo(ctx, key, records); err != nil {
			return err
		}
	}
	if len(u.days) > maxDays {
		clear(u.days)
	}
	return nil
}

func (u *Usage) addTo(ctx context.Context, key string, records []record) error {
	journal := strconv.FormatUint(u.journal.id, 16)
	for {
		d := u.days[key]
		if d == nil {
			var err error
			if d, err = u.read(ctx, key); err != nil {
				return err
			}
		}
		delete(u.days, key) // until it is known to be what the state has
		counted := d.Counted[journal]
		for _, r := range records {
			if r.at < counted {
				continue
			}
			hour := int(r.hour % 24)
			if d.Hours[hour] == nil {
				d.Hours[hour] = &Sums{}
			}
			d.Hours[hour].Add(r.Sums)
		}
		d.Counted[journal] = max(counted, records[len(records)-1].at+1)
		value, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if d.revision == 0 {
			d.revision, err = u.bucket.Create(ctx, key, value)
		} else {
			d.revision, err = u.bucket.Update(ctx, key, value, d.revision)
		}
		switch {
		case err == nil:
			u.days[key] = d
			return nil
		case errors.Is(err, state.ErrConflict), errors.Is(err, state.ErrExists):
			// Another node was faster; or it was us, and the answer got lost.
		default:
			return err
		}
	}
}

// read reads a day's sums from the state.
func (u *Usage) read(ctx context.Context, key string) (*day, error) {
	e, err := u.bucket.Get(ctx, key)
	if errors.Is(err, state.ErrNotFound) {
		return &day{Counted: map[string]uint64{}, Hours: map[int]*Sums{}}, nil
	}
	if err != nil {
		return nil, err
	}
	return decode(e)
}

func decode(e state.Entry) (*day, error) {
	d := &day{revision: e.Revision}
	if err := json.Unmarshal(e.Value, d); err != nil {
		return nil, fmt.Errorf("usage/%s: %w: %w", e.Key, errTornSums, err)
	}
	if d.Counted == nil || d.Hours == nil {
		return nil, fmt.Errorf("usage/%s: %w", e.Key, errTornSums)
	}
	return d, nil
}

// keyOf is the key of a day's sums.
func keyOf(key function.Key, version string, at time.Time) string {
	if version == function.Latest {
		version = latestKey
	}
	return strings.Join([]string{string(key.Account), key.Name, version, at.Format(dayFormat)}, ".")
}

// parseKey is the opposite of keyOf.
func parseKey(key string) (k function.Key, version string, at time.Time, err error) {
	parts := strings.Split(key, ".")
	if len(parts) != 4 || slices.Contains(parts, "") {
		return k, "", at, fmt.Errorf("usage/%s: not a key of sums", key)
	}
	if at, err = time.ParseInLocation(dayFormat, parts[3], time.UTC); err != nil {
		return k, "", at, fmt.Errorf("usage/%s: %w", key, err)
	}
	if version = parts[2]; version == latestKey {
		version = function.Latest
	}
	return function.Key{Account: account.ID(parts[0]), Name: parts[1]}, version, at, nil
}
