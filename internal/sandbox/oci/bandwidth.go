package oci

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// minBurst is the least that may be sent at once: the largest packet that
	// the kernel hands to a device in one piece.
	minBurst = 64 << 10
	// maxWait is how long a packet may wait for its turn, in seconds; what
	// would wait longer is dropped, which senders take as a sign to slow down.
	maxWait = 0.1
)

// shape bounds what the environment receives and sends, each, to so many
// megabits a second, or not at all when mbit is 0: a token bucket before each
// end of its pair of devices, where it can't be passed by (an environment has
// no rights over its own device). namespace is the environment's.
func (c *nic) shape(namespace *os.File, mbit int) error {
	if err := bound(c.egress.host, c.egress.deviceName(c.address), mbit); err != nil {
		return err
	}
	return inNetworkNamespace(namespace, func() error {
		inside, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer inside.Close()
		return bound(inside, "eth0", mbit)
	})
}

func bound(handle *netlink.Handle, device string, mbit int) error {
	link, err := handle.LinkByName(device)
	if err != nil {
		return fmt.Errorf("bandwidth: %w", err)
	}
	bucket := &netlink.Tbf{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_ROOT, Handle: netlink.MakeHandle(1, 0),
	}}
	if mbit == 0 {
		err := handle.QdiscDel(bucket)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
			return nil // there was no bound
		}
		return err
	}
	bucket.Rate = uint64(mbit) * 1e6 / 8
	burst := max(minBurst, bucket.Rate/100)
	bucket.Buffer = netlink.Xmittime(bucket.Rate, uint32(min(burst, math.MaxUint32)))
	bucket.Limit = uint32(min(float64(burst)+float64(bucket.Rate)*maxWait, math.MaxUint32))
	if err := handle.QdiscReplace(bucket); err != nil {
		return fmt.Errorf("bandwidth of %d Mbit/s: %w (the kernel needs sch_tbf)", mbit, err)
	}
	return nil
}

// setBandwidth bounds the environment's network, if it has any and the bound
// is another than before. The caller holds mu.
func (e *environment) setBandwidth(mbit int) error {
	if e.nic == nil || mbit == e.bandwidth {
		return nil
	}
	pid, err := e.process.Pid()
	if err != nil {
		return gone(err)
	}
	namespace, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		return gone(err)
	}
	defer namespace.Close()
	if err := e.nic.shape(namespace, mbit); err != nil {
		return err
	}
	e.bandwidth = mbit
	return nil
}
