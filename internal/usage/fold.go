package usage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
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

// politeAfter is after how many records the folder lets others have the processor:
// a busy node has thousands of them, and its requests don't wait for all.
const politeAfter = 128

// group is what records have in common that go into the same value.
type group struct {
	function.Key
	version string
	day     int64 // since 1970
}

// batch is what the records of a group add to its value.
type batch struct {
	key string // of the value
	// counted is the position before which the value counted records of this
	// journal when the batch was made, to before which it will.
	counted, to uint64
	hours       map[int]*Sums
}

// add adds records, which are in the order of their positions, to the sums in
// the state; those that are in them already count no more. end is the position
// behind the last.
func (u *Usage) add(ctx context.Context, records iter.Seq[record]) (end uint64, err error) {
	batches := map[group]*batch{}
	var (
		last  group // whose batch is b: mostly the next record's, too
		b     *batch
		count int
	)
	for r := range records {
		end = r.at + 1
		if count++; count%politeAfter == 0 {
			runtime.Gosched()
		}
		if r.Account == "" {
			continue // see record
		}
		if g := (group{r.Key, r.version, r.hour / 24}); g != last {
			last = g
			if b = batches[g]; b == nil {
				key := g.key()
				d, err := u.day(ctx, key)
				if err != nil {
					return 0, err
				}
				b = &batch{key: key, counted: d.Counted[u.journal.name()], hours: map[int]*Sums{}}
				batches[g] = b
			}
		}
		if r.at < b.counted {
			continue
		}
		b.to = r.at + 1
		hour := int(r.hour % 24)
		if b.hours[hour] == nil {
			b.hours[hour] = &Sums{}
		}
		b.hours[hour].Add(r.Sums)
	}
	for _, b := range batches {
		if b.to == 0 {
			continue // all were counted
		}
		if err := u.addTo(ctx, b); err != nil {
			return 0, err
		}
	}
	if len(u.days) > maxDays {
		clear(u.days)
	}
	return end, nil
}

func (u *Usage) addTo(ctx context.Context, b *batch) error {
	key, journal := b.key, u.journal.name()
	for {
		d, err := u.day(ctx, key)
		if err != nil {
			return err
		}
		if d.Counted[journal] >= b.to {
			return nil // it was us: the answer got lost
		}
		delete(u.days, key) // until it is known to be what the state has
		for hour, sums := range b.hours {
			if d.Hours[hour] == nil {
				d.Hours[hour] = &Sums{}
			}
			d.Hours[hour].Add(*sums)
		}
		d.Counted[journal] = b.to
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
			// Another node was faster; or it was us.
		default:
			return err
		}
	}
}

// day is the sums of a key as the state has them, as far as this node knows; they
// are read where it knows nothing.
func (u *Usage) day(ctx context.Context, key string) (d *day, err error) {
	if d = u.days[key]; d == nil {
		if d, err = u.read(ctx, key); err == nil {
			u.days[key] = d
		}
	}
	return d, err
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

func (g group) key() string {
	return keyOf(g.Key, g.version, time.Unix(g.day*24*3600, 0).UTC())
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
