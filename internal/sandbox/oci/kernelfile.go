package oci

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// kernelFile is a small file of the kernel's that stays open because it is
// read often: a bare descriptor, since an [os.File] reads once more to see
// the end, which costs as much again. Whoever holds one sees to it that nobody
// closes it while it is read. Zero stands for none.
type kernelFile int

func openKernel(path string, flags int) (kernelFile, error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, gone(&fs.PathError{Op: "open", Path: path, Err: err})
	}
	return kernelFile(fd), nil
}

// read fills buf from the file's start.
func (f kernelFile) read(buf []byte) ([]byte, error) {
	n, err := unix.Pread(int(f), buf, 0)
	if err != nil {
		return nil, gone(err)
	}
	return buf[:n], nil
}

func (f kernelFile) write(b []byte) error {
	_, err := unix.Pwrite(int(f), b, 0)
	return gone(err)
}

func (f kernelFile) close() error {
	if f == 0 {
		return nil
	}
	return unix.Close(int(f))
}
