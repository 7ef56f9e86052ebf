// Package state is where Hearth keeps everything that must outlive a process:
// NATS JetStream, embedded in this process or, with Options.URL, a server or
// cluster elsewhere. The same code speaks to both.
//
//	s, err := state.Open(ctx, state.Options{Dir: dir, Log: log})
//	b, err := s.Bucket(ctx, "functions")
//	rev, err := b.Create(ctx, "f.42", record)        // durable when it returns
//	rev, err = b.Update(ctx, "f.42", changed, rev)   // ErrConflict when somebody was faster
//
// It offers buckets (key-value with compare-and-swap and watch), object stores
// for packages, leases for what only one node may do ([Store.Lead]), and
// JetStream itself to the rooms that own streams. Callers are the catalog, the
// accounts, the code store, telemetry and roll-outs; none of them reads it on
// the way of an invocation, they keep views in memory, fed by [Bucket.Watch].
//
// # What survives
//
// A write that was acknowledged survives the death of the process, kill -9
// included: it was handed to the operating system before. What a crash of the
// machine or a power cut takes is another matter: the embedded server asks for
// the disk's word only every few seconds ([SyncInterval]), and the writes since
// then can be lost. Options.SyncAlways asks at every write: nothing
// acknowledged is lost then, and a write takes as long as the disk does. With
// Options.URL, the servers there have settings of their own.
package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// MaxValue is the largest value of a key, in bytes: what carries it stays
	// under the 8 MB beyond which NATS advises against messages.
	MaxValue = 7 << 20
	// SyncInterval is how often the embedded server makes what was written
	// reach the disk, without Options.SyncAlways.
	SyncInterval = 10 * time.Second
	// requestTimeout bounds one exchange with the server, where the caller's
	// context does not.
	requestTimeout = 10 * time.Second
	// headroom is for the headers of a message beside its value.
	headroom = 64 << 10
)

// ErrInUse says that another process has the directory.
var ErrInUse = errors.New("the state is in use by another process")

// Options say where the state is.
type Options struct {
	// Dir holds the embedded server's files. One process at a time.
	Dir string
	// SyncAlways makes every write reach the disk before it is acknowledged.
	SyncAlways bool
	// URL of a NATS server or cluster, with JetStream, to use instead of the
	// embedded one. Buckets and object stores are made there with one replica
	// if they don't exist; whoever runs the cluster may give them more.
	URL string
	// Log takes what the server has to say; nil is nobody.
	Log *slog.Logger
}

// Store is an open state. It is safe for concurrent use.
type Store struct {
	log    *slog.Logger
	server *server.Server // nil with Options.URL
	lock   *os.File       // nil with Options.URL
	conn   *nats.Conn
	js     jetstream.JetStream

	id string // of this Store among all that ever had the state

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	mu     sync.Mutex     // orders owned.Go and owned.Wait
	owned  sync.WaitGroup // the watchers and sweepers
}

// Open starts the embedded server, or connects to the one at Options.URL.
// It fails with ErrInUse while another process has the directory.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	s := &Store{log: o.Log, id: rand.Text()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the state: %w", err), s.Close())
		}
	}()
	if o.URL == "" {
		if err := s.embed(o); err != nil {
			return nil, err
		}
	}
	if err := s.connect(o.URL); err != nil {
		return nil, err
	}
	if s.js, err = jetstream.New(s.conn, jetstream.WithDefaultTimeout(requestTimeout)); err != nil {
		return nil, err
	}
	if _, err = s.js.AccountInfo(ctx); err != nil {
		return nil, fmt.Errorf("JetStream: %w", err)
	}
	return s, nil
}

func (s *Store) connect(url string) (err error) {
	options := []nats.Option{
		nats.Name("hearth"),
		nats.MaxReconnects(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.log.Warn("state: " + err.Error()) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil at Close
				s.log.Warn("state: the connection was lost: " + err.Error())
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { s.log.Info("state: connected again") }),
	}
	if s.server != nil {
		options = append(options, nats.InProcessServer(s.server))
	}
	s.conn, err = nats.Connect(url, options...)
	return err
}

// Close ends the watches, whose functions are not called any more once it
// returns, and stops the embedded server. Writes that are under way fail.
func (s *Store) Close() error {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.owned.Wait()
	if s.conn != nil {
		s.conn.Close()
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	if s.lock != nil {
		return s.lock.Close() // and with it the lock
	}
	return nil
}

// JetStream is for rooms that own streams.
func (s *Store) JetStream() jetstream.JetStream { return s.js }

// own runs f in a goroutine that Close waits for. It returns false, and does
// nothing, once the store is closed.
func (s *Store) own(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.owned.Go(f)
	return true
}
