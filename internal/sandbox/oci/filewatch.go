package oci

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// fileWatch tells when files are modified: those of cgroups count as modified
// with every event in them. One inotify descriptor serves all, of which a
// user may have few.
type fileWatch struct {
	file *os.File
	done chan struct{} // closed when the reading goroutine has ended

	mu    sync.Mutex
	calls map[int32]func() // by watch descriptor
}

func openFileWatch() (*fileWatch, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	w := &fileWatch{file: os.NewFile(uintptr(fd), "inotify"), done: make(chan struct{}), calls: map[int32]func(){}}
	go w.run()
	return w, nil
}

// add has call called after every modification of the file, in a goroutine of
// its own, one call at a time and one more if something happened meanwhile.
// remove ends that and waits for a call under way.
func (w *fileWatch) add(path string, call func()) (remove func(), err error) {
	wake, ended := make(chan struct{}, 1), make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock() // no event is looked up before calls has it
	raw, err := w.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	var wd int
	if e := raw.Control(func(fd uintptr) { wd, err = unix.InotifyAddWatch(int(fd), path, unix.IN_MODIFY) }); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, gone(err)
	}
	w.calls[int32(wd)] = func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	stop := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-wake:
				call()
			case <-stop:
				return
			}
		}
	}()
	return func() {
		w.mu.Lock()
		delete(w.calls, int32(wd))
		w.mu.Unlock()
		_ = raw.Control(func(fd uintptr) { _, _ = unix.InotifyRmWatch(int(fd), uint32(wd)) }) // gone with its file, maybe
		close(stop)
		<-ended
	}, nil
}

func (w *fileWatch) run() {
	defer close(w.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			wd := int32(binary.NativeEndian.Uint32(b))
			length := int(binary.NativeEndian.Uint32(b[12:]))
			b = b[unix.SizeofInotifyEvent+length:]
			w.mu.Lock()
			call := w.calls[wd]
			w.mu.Unlock()
			if call != nil {
				call()
			}
		}
	}
}

func (w *fileWatch) close() error {
	err := w.file.Close()
	<-w.done
	return err
}
