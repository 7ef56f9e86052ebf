package oci

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// volumes makes the file systems behind /tmp: a sparse file of the size that
// EphemeralStorage names, with ext4 in it, on a loop device. So /tmp is on
// disk, is not charged to the function's memory, and is full (ENOSPC) when
// Lambda's would be. Quotas would need a file system made for them; this needs
// mkfs.ext4 only, and 0.3 MB of memory each.
type volumes struct {
	dir      string // for images, on disk
	probeAt  string // for a trial mount
	inMemory bool   // no loop devices here: tmpfs

	mu        sync.Mutex
	templates map[int]string // by MB
}

// probe tells whether volumes can be made at all.
func (v *volumes) probe() error {
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		return err
	}
	at := filepath.Join(v.probeAt, "probe")
	if err := os.MkdirAll(at, 0o700); err != nil {
		return err
	}
	defer os.Remove(at)
	if err := v.mount(at, "probe", 512); err != nil {
		return err
	}
	return unix.Unmount(at, unix.MNT_DETACH)
}

// mount makes a volume of mb MiB and mounts it at the directory at. The image
// has a name only while it is being made: the loop device keeps it afterwards,
// and nothing is left when the last mount goes, however that happens.
func (v *volumes) mount(at, id string, mb int) error {
	if v.inMemory {
		data := "mode=1777,size=" + strconv.Itoa(mb) + "m"
		if err := unix.Mount("tmp", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, data); err != nil {
			return fmt.Errorf("mount /tmp in memory: %w", err)
		}
		return nil
	}
	template, err := v.template(mb)
	if err != nil {
		return err
	}
	image := filepath.Join(v.dir, id+".img")
	defer os.Remove(image)
	if err := copySparse(template, image); err != nil {
		return fmt.Errorf("make volume: %w", err)
	}
	device, err := attachLoop(image)
	if err != nil {
		return err
	}
	defer device.Close() // the mount holds it from here on; it detaches itself after the last unmount
	if err := unix.Mount(device.Name(), at, "ext4", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME, "nodelalloc"); err != nil {
		return fmt.Errorf("mount volume: %w", err)
	}
	return os.Chmod(at, 0o777|os.ModeSticky)
}

// template returns an empty file system of that size, made once.
func (v *volumes) template(mb int) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p, ok := v.templates[mb]; ok {
		return p, nil
	}
	p := filepath.Join(v.dir, fmt.Sprintf("tmp-%d.img", mb))
	f, err := os.Create(p)
	if err != nil {
		return "", err
	}
	// A little more than asked for, since ext4 keeps some for itself.
	err = f.Truncate(int64(mb)<<20 + int64(mb)<<14 + 8<<20)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	out, err := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", "-N", strconv.Itoa(32*mb),
		"-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", p).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	if v.templates == nil {
		v.templates = map[int]string{}
	}
	v.templates[mb] = p
	return p, nil
}

// copySparse copies the parts of a file that hold data.
func copySparse(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if err := dst.Truncate(info.Size()); err != nil {
		return err
	}
	for at := int64(0); ; {
		start, err := unix.Seek(int(src.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(int(src.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(dst, start), io.NewSectionReader(src, start, end-start)); err != nil {
			return err
		}
		at = end
	}
}

// attachLoop finds a free loop device and puts the image on it.
func attachLoop(image string) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	backing, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer backing.Close()
	config := unix.LoopConfig{Fd: uint32(backing.Fd())}
	config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	copy(config.Info.File_name[:], image)
	for range 64 {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		name := "/dev/loop" + strconv.Itoa(n)
		device, err := openLoop(name, n)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) { // EBUSY: somebody else took it meanwhile
			return nil, fmt.Errorf("attach %s: %w", name, err)
		}
	}
	return nil, errors.New("find a free loop device: all were taken under our hands")
}

// openLoop opens the device, making its node where /dev is not kept by the kernel.
func openLoop(name string, n int) (*os.File, error) {
	device, err := os.OpenFile(name, os.O_RDWR, 0)
	if !os.IsNotExist(err) {
		return device, err
	}
	if err := unix.Mknod(name, unix.S_IFBLK|0o660, int(unix.Mkdev(7, uint32(n)))); err != nil && !os.IsExist(err) {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	return os.OpenFile(name, os.O_RDWR, 0)
}
