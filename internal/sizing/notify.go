package sizing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

const (
	// notifyTries is how often an event is tried, notifyPause the time before
	// the second try; it doubles up to notifyPauseMost.
	notifyTries                  = 10
	notifyPause, notifyPauseMost = time.Second, 10 * time.Minute
	// notifyFor bounds one try.
	notifyFor = 30 * time.Second
	// notifyAtOnce events are on their way at the same time.
	notifyAtOnce = 4
)

// notifier delivers events: at least once, unless notifyTries tries failed.
// What is to be delivered stands in the records; a new start begins to count
// the tries anew.
type notifier struct {
	sizing *Sizing
	some   chan struct{}

	mu   sync.Mutex
	keys map[string]*delivery
}

// delivery is about the records' events that wait.
type delivery struct {
	busy  bool
	again bool // the record changed since it was read
	tries int
	next  time.Time
}

func newNotifier(s *Sizing) *notifier {
	return &notifier{sizing: s, some: make(chan struct{}, 1), keys: map[string]*delivery{}}
}

// pending says that a record has events to deliver.
func (n *notifier) pending(key string) {
	n.mu.Lock()
	if n.keys[key] == nil {
		n.keys[key] = &delivery{}
	}
	n.keys[key].again = true
	n.mu.Unlock()
	n.wake()
}

func (n *notifier) wake() {
	select {
	case n.some <- struct{}{}:
	default: // it is awake
	}
}

// run delivers until ctx ends, and waits for what is on its way.
func (n *notifier) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	turn := make(chan struct{}, notifyAtOnce)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.some:
		case <-timer.C:
		}
		due, wait := n.take(time.Now())
		timer.Reset(wait)
		for _, key := range due {
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
				return
			}
			wg.Go(func() {
				defer func() { <-turn }()
				n.deliver(ctx, key)
				n.wake()
			})
		}
	}
}

// take returns what is due, and how long to wait for what is not.
func (n *notifier) take(now time.Time) (due []string, wait time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	wait = notifyPauseMost
	for key, d := range n.keys {
		switch {
		case d.busy:
		case d.next.After(now):
			wait = min(wait, d.next.Sub(now))
		default:
			d.busy, d.again = true, false
			due = append(due, key)
		}
	}
	return due, wait
}

// deliver sends the oldest event of a record and takes it out when its receiver
// has it, or will not have it.
func (n *notifier) deliver(ctx context.Context, key string) {
	s := n.sizing
	r, _, err := s.readRecord(ctx, key)
	if err == nil && len(r.Pending) == 0 {
		n.mu.Lock()
		defer n.mu.Unlock()
		if d := n.keys[key]; d.again {
			d.busy = false
		} else {
			delete(n.keys, key)
		}
		return
	}
	tries := 0
	if err == nil {
		first := r.Pending[0]
		err = s.send(ctx, r.Function, &first)
		n.mu.Lock()
		n.keys[key].tries++
		tries = n.keys[key].tries
		n.mu.Unlock()
		if err != nil && tries >= notifyTries {
			s.opts.Log.Error("an event of sizing could not be delivered and is dropped", "function", r.Function.Name, "account", r.Function.Account, "type", first.Event.Type, "to", first.Target, "error", err)
			err = nil
		}
		if err == nil {
			tries = 0
			err = s.change(ctx, key, func(r *record) bool {
				at := slices.IndexFunc(r.Pending, func(p pending) bool { return p.Event.ID == first.Event.ID })
				if at >= 0 {
					r.Pending = slices.Delete(r.Pending, at, at+1)
				}
				return at >= 0
			})
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.keys[key]
	d.busy, d.tries, d.next = false, tries, time.Time{}
	if err != nil && ctx.Err() == nil {
		d.next = time.Now().Add(min(notifyPause<<max(0, tries-1), notifyPauseMost))
		s.opts.Log.Warn("an event of sizing was not delivered; trying again", "function", r.Function.Name, "error", err)
	}
}

// send delivers one event.
func (s *Sizing) send(ctx context.Context, key function.Key, p *pending) error {
	ctx, cancel := context.WithTimeout(ctx, notifyFor)
	defer cancel()
	payload, err := json.Marshal(p.Event)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	if !isURL(p.Target) {
		if s.opts.Invoke == nil {
			return fmt.Errorf("nobody here calls functions")
		}
		name, qualifier, _ := strings.Cut(p.Target, ":")
		return s.opts.Invoke(ctx, function.Key{Account: key.Account, Name: name}, qualifier, payload)
	}
	client := ownersClient
	switch {
	case p.Operator:
		client = operatorsClient
	case s.opts.PrivateWebhooks:
		client = operatorsClient
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Target, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Hearth")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s answered %s", p.Target, res.Status)
	}
	return nil
}

// Redirects are not followed: the target is what was said.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// operatorsClient reaches whatever the node does; ownersClient public
// addresses only, so that an account cannot reach into the node's network.
var (
	operatorsClient = &http.Client{CheckRedirect: noRedirect}
	ownersClient    = &http.Client{CheckRedirect: noRedirect, Transport: &http.Transport{
		DialContext:       (&net.Dialer{Timeout: notifyFor, Control: onlyPublic}).DialContext,
		DisableKeepAlives: true,
	}}
)

// onlyPublic looks at the address after the name was resolved.
func onlyPublic(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || carrier.Contains(ip) {
		return fmt.Errorf("%s is not a public address; the node's option --sizing-private-webhooks allows others", ip)
	}
	return nil
}

// carrier are the addresses behind a provider's translation (RFC 6598).
var carrier = netip.MustParsePrefix("100.64.0.0/10")
