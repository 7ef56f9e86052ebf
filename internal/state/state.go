// Package state is where Hearth keeps everything that must outlive a process:
// NATS JetStream, embedded in this process or, with Options.URL, a server or
// cluster elsewhere. The same code speaks to both.
//
// It offers buckets (key-value with compare-and-swap and watch), object stores
// for packages, and JetStream itself to the rooms that own streams. Callers are
// the catalog, the accounts, the code store and telemetry; none of them reads
// it on the way of an invocation, they keep views in memory, fed by
// [Bucket.Watch].
//
// What is acknowledged survives the death of the process (kill -9): it has been
// handed to the operating system. A power cut may lose the writes of the last
// two minutes, JetStream's sync interval, unless Options.SyncAlways is set.
package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"
)

// MaxValue is the largest value of a key, in bytes.
const MaxValue = 8 << 20

// Options say where the state is.
type Options struct {
	// Dir holds the embedded server's files. One process at a time.
	Dir string
	// SyncAlways makes every write reach the disk before it is acknowledged:
	// nothing is lost by a power cut, and writes take as long as the disk does.
	SyncAlways bool
	// URL of a NATS server or cluster to use instead of the embedded one.
	URL string
	Log *slog.Logger
}

// Store is an open state.
type Store struct {
	server *server.Server // nil with Options.URL
	lock   *os.File       // nil with Options.URL
	conn   *nats.Conn
	js     jetstream.JetStream

	ctx    context.Context // ends at Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the watchers
}

// Open starts the embedded server, or connects to the one at Options.URL.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	s := &Store{}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if o.URL != "" {
		s.conn, err = nats.Connect(o.URL, nats.Name("hearth"), nats.MaxReconnects(-1))
	} else if err = s.embed(o); err == nil {
		s.conn, err = nats.Connect("", nats.InProcessServer(s.server), nats.MaxReconnects(-1))
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if s.js, err = jetstream.New(s.conn, jetstream.WithDefaultTimeout(10*time.Second)); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if _, err = s.js.AccountInfo(ctx); err != nil {
		return nil, fmt.Errorf("state: JetStream: %w", err)
	}
	return s, nil
}

// embed starts a server that listens nowhere.
func (s *Store) embed(o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(o.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	s.lock = lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("%s is in use by another process: is a node already running on this data directory?", o.Dir)
	}
	s.server, err = server.NewServer(&server.Options{
		ServerName: "hearth",
		DontListen: true,
		NoSigs:     true,
		JetStream:  true,
		StoreDir:   o.Dir,
		SyncAlways: o.SyncAlways,
		MaxPayload: MaxValue + 64<<10,
		MaxPending: 256 << 20,
		// Limits are the rooms': streams and buckets have their own.
		JetStreamMaxMemory: 64 << 20,
		JetStreamMaxStore:  1 << 50,
	})
	if err != nil {
		return err
	}
	s.server.SetLoggerV2(logger{o.Log}, false, false, false)
	s.server.Start()
	if !s.server.ReadyForConnections(30 * time.Second) {
		return errors.New("the embedded server does not start")
	}
	return nil
}

// Close ends the watches, hands out nothing more and stops the server.
func (s *Store) Close() error {
	s.cancel()
	if s.conn != nil {
		s.conn.Close()
	}
	s.wg.Wait()
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	if s.lock != nil {
		return s.lock.Close()
	}
	return nil
}

// JetStream is for rooms that own streams.
func (s *Store) JetStream() jetstream.JetStream { return s.js }
