package state

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"
)

// startTimeout is long because a large state that was not closed properly is
// read from end to end.
const startTimeout = 2 * time.Minute

// embed starts a server that listens nowhere and handles no signals.
func (s *Store) embed(o Options) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if s.lock, err = lockDir(o.Dir); err != nil {
		return err
	}
	s.server, err = server.NewServer(&server.Options{
		ServerName:   "hearth",
		DontListen:   true,
		NoSigs:       true,
		JetStream:    true,
		StoreDir:     o.Dir,
		SyncAlways:   o.SyncAlways,
		SyncInterval: SyncInterval,
		MaxPayload:   MaxValue + headroom,
		MaxPending:   256 << 20,
		// Limits are the rooms': streams and buckets have their own.
		JetStreamMaxMemory:     64 << 20,
		JetStreamMaxStore:      1 << 50,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return err
	}
	s.server.SetLoggerV2(serverLog{s.log}, false, false, false)
	s.server.Start()
	if !s.server.ReadyForConnections(startTimeout) {
		return errors.New("the embedded server does not start")
	}
	return nil
}

// lockDir takes the directory for this process, until the file is closed: the
// lock is the kernel's, so that a killed process leaves none behind.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = fmt.Errorf("%w: is a node running on %s already?", ErrInUse, dir)
		if pid, _ := os.ReadFile(f.Name()); len(pid) > 0 {
			err = fmt.Errorf("%w (process %s)", err, strings.TrimSpace(string(pid)))
		}
	case err == nil:
		// Who has it is good to know and nothing depends on it.
		if err = f.Truncate(0); err == nil {
			_, err = fmt.Fprintln(f, os.Getpid())
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// serverLog passes the embedded server's messages on. What it calls notices is
// about its own start and of no interest to a node's owner.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Noticef(f string, v ...any) { l.log.Debug("nats: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Warnf(f string, v ...any)   { l.log.Warn("nats: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Errorf(f string, v ...any)  { l.log.Error("nats: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Fatalf(f string, v ...any)  { l.log.Error("nats: " + fmt.Sprintf(f, v...)) }
func (l serverLog) Debugf(string, ...any)      {}
func (l serverLog) Tracef(string, ...any)      {}
