package function

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/hearthd/hearth/internal/account"
	"github.com/hearthd/hearth/internal/state"
)

// errClosed is returned by mutations of a closed catalog.
var errClosed = errors.New("function: the catalog is closed")

// receive is what the watch calls, in the order of the bucket's revisions.
func (c *Catalog) receive(e state.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loading != nil {
		c.loading.add(e)
		return
	}
	c.apply(decode(e, c.opts.Seal))
}

// decoded is an entry made sense of; at most one of rec, body and ledger is set.
type decoded struct {
	entry  state.Entry
	key    Key // of rec
	rec    *record
	body   *body
	ledger ledger
	err    error
}

func decode(e state.Entry, s Sealer) (d decoded) {
	d.entry = e
	if strings.HasPrefix(e.Key, recordPrefix) {
		d.key, d.err = parseRecordKey(e.Key)
	}
	if e.Deleted || d.err != nil {
		return d
	}
	switch {
	case strings.HasPrefix(e.Key, recordPrefix):
		d.rec, d.err = decodeRecord(e.Value, s)
	case strings.HasPrefix(e.Key, bodyPrefix):
		id, _, _ := strings.Cut(strings.TrimPrefix(e.Key, bodyPrefix), ".")
		d.body, d.err = decodeBody(e.Value, s, id)
	case strings.HasPrefix(e.Key, ledgerPrefix):
		d.err = json.Unmarshal(e.Value, &d.ledger)
	}
	d.entry.Value = nil
	return d
}

// apply brings the views up to date with one entry. c.mu is held.
func (c *Catalog) apply(d decoded) {
	switch {
	case d.err != nil:
		// Nothing Hearth wrote; what is known so far stays.
		c.opts.Log.Error("unreadable entry in the catalog", "key", d.entry.Key, "revision", d.entry.Revision, "err", d.err)
	case strings.HasPrefix(d.entry.Key, recordPrefix):
		c.applyRecord(d)
	case strings.HasPrefix(d.entry.Key, bodyPrefix):
		c.applyBody(d)
	case strings.HasPrefix(d.entry.Key, ledgerPrefix):
		c.applyLedger(d)
	}
	c.applied = max(c.applied, d.entry.Revision)
	if c.waiting != nil {
		close(c.waiting)
		c.waiting = nil
	}
}

func (c *Catalog) applyRecord(d decoded) {
	prev := c.table.get(d.key)
	if d.rec == nil {
		if prev != nil {
			c.replace(prev, nil)
		}
		return
	}
	c.replace(prev, c.view(d.key, d.rec, d.entry.Revision, prev))
}

// replace makes next the view of a function in place of prev, either of which
// may be nil, in everything that is kept per function, and tells the subscribers.
func (c *Catalog) replace(prev, next *View) {
	var key Key
	if next != nil {
		key = next.Key
	} else {
		key = prev.Key
	}
	t := c.tenant(key.Account)
	if prev != nil {
		t.codeSize -= prev.codeSize()
	}
	if next != nil {
		t.codeSize += next.codeSize()
	}
	t.count(key.Name, next)
	at, found := slices.BinarySearch(t.names, key.Name)
	switch {
	case next != nil && !found:
		t.names = slices.Insert(t.names, at, key.Name)
	case next == nil && found:
		t.names = slices.Delete(t.names, at, at+1)
	}
	if next != nil && next.Status.pending() {
		c.pending[key] = struct{}{}
	} else {
		delete(c.pending, key)
	}
	if next != nil {
		c.table.put(next)
	} else {
		c.table.remove(key)
	}
	for _, s := range c.subs {
		s.push(change{key, next})
	}
}

// view builds the view of a record that follows prev, which may be nil,
// sharing what did not change and strings that many functions have in common.
func (c *Catalog) view(key Key, rec *record, stored uint64, prev *View) *View {
	arn := c.ARN(key)
	if prev != nil && prev.FunctionID == rec.ID {
		arn = prev.ARN
	} else {
		prev = nil
	}
	// The ARN ends in the name; one string serves for both.
	key.Name = arn[len(arn)-len(key.Name):]
	key.Account = account.ID(c.names.string(string(key.Account)))
	c.names.config(&rec.Wanted.Config)
	if rec.Serving != nil {
		c.names.config(&rec.Serving.Config)
	}
	reserved := c.tenant(key.Account).ledger.of(key.Name, rec.ID)
	return viewOf(key, arn, rec, stored, reserved, func(ref versionRef) *Version {
		number := strconv.Itoa(ref.Number)
		if prev != nil {
			if known := prev.Versions[number]; known != nil && known.body == ref.Body {
				return known.with(ref.Status)
			}
		}
		name := number + "." + ref.Body
		b := c.bodies[rec.ID][name]
		if b == nil {
			c.opts.Log.Error("a published version has no body in the store", "function", arn, "version", ref.Number)
			return nil
		}
		c.forgetBody(rec.ID, name)
		return b.version(key, rec.ID, arn, ref)
	})
}

// applyBody keeps a version's body until the record that names it comes.
func (c *Catalog) applyBody(d decoded) {
	id, name, ok := strings.Cut(strings.TrimPrefix(d.entry.Key, bodyPrefix), ".")
	switch {
	case !ok:
		c.opts.Log.Error("unreadable entry in the catalog", "key", d.entry.Key, "err", "malformed key")
	case d.body == nil:
		c.forgetBody(id, name)
	default:
		c.names.config(&d.body.Config)
		d.body.stored = d.entry.Revision
		if c.bodies[id] == nil {
			c.bodies[id] = make(map[string]*body, 1)
		}
		c.bodies[id][name] = d.body
	}
}

func (c *Catalog) forgetBody(id, name string) {
	delete(c.bodies[id], name)
	if len(c.bodies[id]) == 0 {
		delete(c.bodies, id)
	}
}

// applyLedger puts an account's reserved concurrency into the views it changes.
func (c *Catalog) applyLedger(d decoded) {
	acct := account.ID(strings.TrimPrefix(d.entry.Key, ledgerPrefix))
	t := c.tenant(acct)
	old := t.ledger
	t.ledger, t.ledgerRev = d.ledger, d.entry.Revision
	touch := func(name string) {
		v := c.table.get(Key{Account: acct, Name: name})
		if v == nil {
			return
		}
		if n := t.ledger.of(name, v.FunctionID); n != v.Reserved {
			next := *v
			next.Reserved = n
			c.replace(v, &next)
		}
	}
	for name := range old.Reserved {
		touch(name)
	}
	for name := range t.ledger.Reserved {
		touch(name)
	}
}

func (c *Catalog) tenant(acct account.ID) *tenant {
	t := c.tenants[acct]
	if t == nil {
		t = new(tenant)
		c.tenants[acct] = t
	}
	return t
}

// until waits for the views to advance until done, which is called with c.mu
// held, returns true.
func (c *Catalog) until(ctx context.Context, done func() bool) error {
	for {
		c.mu.Lock()
		if done() {
			c.mu.Unlock()
			return nil
		}
		if c.waiting == nil {
			c.waiting = make(chan struct{})
		}
		advanced := c.waiting
		c.mu.Unlock()
		select {
		case <-advanced:
		case <-c.closed:
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
