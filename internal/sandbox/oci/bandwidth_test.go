package oci

import (
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/hearthd/hearth/internal/sandbox"
)

// bucketOf is the token bucket before a device, nil when there is none.
func bucketOf(t testing.TB, device string) *netlink.Tbf {
	t.Helper()
	link, err := netlink.LinkByName(device)
	must(t, err)
	all, err := netlink.QdiscList(link)
	must(t, err)
	for _, q := range all {
		if bucket, ok := q.(*netlink.Tbf); ok {
			return bucket
		}
	}
	return nil
}

func TestBandwidthFollowsTheLimits(t *testing.T) {
	w := newWorld(t)
	e := bootShell(t, newInstance(t, w.driver), "bound")
	inside := networkOf(t, e)
	device := w.driver.net.deviceName(inside.address)
	ends := func() (receiving, sending *netlink.Tbf) {
		receiving = bucketOf(t, device)
		inside.do(t, func() error { sending = bucketOf(t, "eth0"); return nil })
		return receiving, sending
	}
	for _, mbit := range []int{8, 80, 40_000, 0, 0, 1} {
		must(t, e.SetLimits(sandbox.Limits{MemoryMB: 64, Pids: 64, NetworkMbit: mbit}))
		receiving, sending := ends()
		if mbit == 0 {
			if receiving != nil || sending != nil {
				t.Errorf("without a bound there is %+v and %+v", receiving, sending)
			}
			continue
		}
		for _, bucket := range []*netlink.Tbf{receiving, sending} {
			if bucket == nil || bucket.Rate != uint64(mbit)*1e6/8 {
				t.Errorf("%d Mbit/s: the bucket is %+v", mbit, bucket)
			}
		}
	}
	w.settle(t, inside) // it still reaches others, by way of the bucket
	if _, sending := ends(); sending.Attrs().Statistics.Basic.Packets == 0 {
		t.Errorf("nothing went through %+v", sending.Attrs())
	}
}
