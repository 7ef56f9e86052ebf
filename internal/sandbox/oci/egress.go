package oci

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// egress is the way out of environments that have one: to other machines,
// through the host's address (NAT), and to nothing on the host itself.
//
// Each environment has a pair of virtual Ethernet devices of its own. Its end,
// eth0, has one address of the node's private network and a default route; the
// host's end has no address, and the host routes exactly that one address to
// it. So there is no segment that environments share, no address resolution
// to spoof, no limit of bridge ports, and an environment can reach others only
// by way of the host's forwarding, where the rules of [ruleset] stand.
//
// All devices of a node are in one device group whose number comes from the
// node's name: the rules match the group, and a sweep deletes it with one
// message. A bridge without ports, also in the group, holds the gateway's
// address and thereby reserves the network against other nodes and programs.
//
// The host's own firewall keeps its say: a packet must pass its rules as well
// as ours. Where its forward chain drops by default (Docker, firewalld and ufw
// set it up so), the operator must let devices "hrt*" through, for example
//
//	iptables -I DOCKER-USER -i hrt+ -j ACCEPT
//	iptables -I DOCKER-USER -o hrt+ -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
//
// and open warns about such chains.
type egress struct {
	node      string
	group     uint32
	mtu       int
	network   netip.Prefix
	addresses *addresses
	host      *netlink.Handle // in the host's network namespace
	// congestion is the host's algorithm of congestion control, which
	// environments' own connections don't begin with.
	congestion string
}

// egressNetworks are tried in turn when Options.EgressNetwork is not set.
var egressNetworks = []string{"10.213.0.0/16", "10.214.0.0/16", "10.215.0.0/16", "172.29.0.0/16", "172.30.0.0/16", "192.168.192.0/18", "198.18.0.0/16", "198.19.0.0/16"}

// Every environment sees the same two hardware addresses: its own and the
// gateway's. They are locally administered ones.
var (
	insideMAC  = net.HardwareAddr{0x02, 0x68, 0x72, 0x74, 0x00, 0x02}
	gatewayMAC = net.HardwareAddr{0x02, 0x68, 0x72, 0x74, 0x00, 0x01}
)

// deviceGroup is the device group of a node.
func deviceGroup(node string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(node))
	return h.Sum32() | 1<<31 // never 0, everybody's default, nor a small number somebody chose
}

// openEgress sets up the node's network. What a former run of the node left
// must have been swept.
func openEgress(node string, network netip.Prefix, log *slog.Logger) (_ *egress, err error) {
	n := &egress{node: node, group: deviceGroup(node)}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.host, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, err
	}
	if n.network, err = chooseNetwork(n.host, network); err != nil {
		return nil, err
	}
	n.addresses = newAddresses(n.network)
	if algorithm, err := os.ReadFile(congestionControl); err == nil {
		n.congestion = strings.TrimSpace(string(algorithm))
	}
	if n.mtu, err = uplinkMTU(n.host); err != nil {
		return nil, err
	}
	if err := n.addGateway(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if err := installRules(node, n.group, n.network); err != nil {
		return nil, fmt.Errorf("packet rules: %w", err)
	}
	blocking, err := droppingForwardChains()
	if err != nil {
		return nil, err
	}
	if len(blocking) > 0 {
		log.Warn("this host's firewall drops forwarded packets by default: functions reach the network only if it lets devices hrt* through", "chains", blocking)
	}
	return n, nil
}

// close removes the node's network.
func (n *egress) close() error {
	if n.host != nil {
		n.host.Close()
	}
	return sweepEgress(n.node)
}

// sweepEgress removes what there is of a node's network: devices, and with
// them routes and addresses, and packet rules.
func sweepEgress(node string) error {
	// Devices first: without them the rules guard nothing.
	return errors.Join(deleteDevices(deviceGroup(node)), removeRules(node))
}

// deleteDevices deletes all devices of a group at once.
func deleteDevices(group uint32) error {
	req := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("delete network devices: %w", err)
	}
	return nil
}

// addGateway makes the device that holds the gateway's address.
func (n *egress) addGateway() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("hrt-%08x", n.group)
	attrs.Group = n.group
	attrs.HardwareAddr = gatewayMAC
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := n.host.LinkAdd(bridge); err != nil {
		return err
	}
	if err := disableIPv6(attrs.Name); err != nil {
		return err
	}
	if err := n.host.AddrAdd(bridge, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(n.addresses.gateway(), n.network.Bits()))}); err != nil {
		return err
	}
	return n.host.LinkSetUp(bridge)
}

// nic is one environment's way out.
type nic struct {
	egress  *egress
	address netip.Addr
}

// attach makes a pair of devices, one end eth0 in the given network namespace,
// and routes an address to it. The pair ends with that namespace.
func (n *egress) attach(namespace *os.File) (*nic, error) {
	// The kernel takes the devices of ended environments away in its own time;
	// an address still in use there is passed over.
	const attempts = 256
	var err error
	for range attempts {
		var address netip.Addr
		if address, err = n.addresses.take(); err != nil {
			return nil, err
		}
		if err = n.addPair(address, namespace); err == nil {
			return &nic{egress: n, address: address}, nil
		}
		n.addresses.give(address)
		if !errors.Is(err, unix.EEXIST) {
			break
		}
	}
	return nil, err
}

func (n *egress) addPair(address netip.Addr, namespace *os.File) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = n.deviceName(address)
	attrs.Group = n.group
	attrs.MTU = n.mtu
	attrs.HardwareAddr = gatewayMAC
	attrs.NumTxQueues, attrs.NumRxQueues = 1, 1
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerHardwareAddr: insideMAC, PeerNamespace: netlink.NsFd(namespace.Fd())}
	if err := n.host.LinkAdd(pair); err != nil {
		return fmt.Errorf("pair of devices: %w", err)
	}
	err := n.route(pair, address)
	if err != nil {
		err = errors.Join(err, n.host.LinkDel(pair))
	}
	return err
}

// route sends packets for the address, and only those, to the pair.
func (n *egress) route(pair *netlink.Veth, address netip.Addr) error {
	if err := disableIPv6(pair.Name); err != nil {
		return err
	}
	if err := n.host.LinkSetUp(pair); err != nil {
		return err
	}
	err := n.host.NeighAdd(&netlink.Neigh{LinkIndex: pair.Index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: address.AsSlice(), HardwareAddr: insideMAC})
	if err != nil {
		return fmt.Errorf("neighbour: %w", err)
	}
	err = n.host.RouteAdd(&netlink.Route{LinkIndex: pair.Index, Dst: ipNet(netip.PrefixFrom(address, 32)), Scope: netlink.SCOPE_LINK})
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	return nil
}

// deviceName is at most 15 bytes long, as device names are, and starts with
// "hrt" for the sake of whoever writes firewall rules.
func (n *egress) deviceName(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("hrt%05x%02x%02x%02x", n.group&0xfffff, b[1], b[2], b[3])
}

// configure sets up eth0. It is called on a thread that is in the
// environment's network namespace.
func (c *nic) configure() error {
	inside, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer inside.Close()
	eth0, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := disableIPv6("eth0"); err != nil {
		return err
	}
	if err := inside.AddrAdd(eth0, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(c.address, 32))}); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if err := inside.LinkSetUp(eth0); err != nil {
		return err
	}
	gateway := c.egress.addresses.gateway().AsSlice()
	index := eth0.Attrs().Index
	err = inside.NeighAdd(&netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT, IP: gateway, HardwareAddr: gatewayMAC})
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	// What goes out is sent as the host would send it; see congestionControl.
	if err := inside.RouteAdd(&netlink.Route{LinkIndex: index, Gw: gateway, Flags: int(netlink.FLAG_ONLINK), Congctl: c.egress.congestion}); err != nil {
		return fmt.Errorf("default route: %w", err)
	}
	return nil
}

// release gives the address back. The devices end with the environment's
// network namespace: the kernel then deletes those of many environments in one
// go, where deleting each by itself would hold up everybody who configures a
// device meanwhile.
func (c *nic) release() { c.egress.addresses.give(c.address) }

// disableIPv6 is for a device in the network namespace of the calling thread.
// Where the kernel has no IPv6 there is nothing to do.
func disableIPv6(device string) error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6", []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// chooseNetwork returns the wanted network, or a default one that nothing on
// this host uses. It fails when the wanted one is in use.
func chooseNetwork(host *netlink.Handle, wanted netip.Prefix) (netip.Prefix, error) {
	used, err := usedNetworks(host)
	if err != nil {
		return netip.Prefix{}, err
	}
	if wanted.IsValid() {
		if err := checkNetwork(wanted); err != nil {
			return netip.Prefix{}, err
		}
		for _, u := range used {
			if u.Overlaps(wanted) {
				return netip.Prefix{}, fmt.Errorf("network %s overlaps %s, which this host uses", wanted, u)
			}
		}
		return wanted.Masked(), nil
	}
next:
	for _, s := range egressNetworks {
		p := netip.MustParsePrefix(s)
		for _, u := range used {
			if u.Overlaps(p) {
				continue next
			}
		}
		return p, nil
	}
	return netip.Prefix{}, fmt.Errorf("this host uses addresses of all of %v: name a private network that it does not use", egressNetworks)
}

func checkNetwork(p netip.Prefix) error {
	switch {
	case !p.Addr().Is4():
		return fmt.Errorf("network %s: environments have IPv4 only", p)
	case p.Bits() < 8 || p.Bits() > 28:
		return fmt.Errorf("network %s: its prefix length must be from 8 to 28", p)
	}
	return nil
}

// usedNetworks are the destinations of the host's IPv4 routes, in all tables,
// except default routes; its own addresses are among them.
func usedNetworks(host *netlink.Handle) ([]netip.Prefix, error) {
	routes, err := host.RouteListFiltered(unix.AF_INET, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var used []netip.Prefix
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		a, ok := netip.AddrFromSlice(r.Dst.IP.To4())
		bits, _ := r.Dst.Mask.Size()
		if ok && bits > 1 { // some VPNs split the default route in two halves
			used = append(used, netip.PrefixFrom(a, bits))
		}
	}
	return used, nil
}

// uplinkMTU is the smallest MTU of the devices that default routes use. The
// pairs have the same, so that no packet depends on path MTU discovery to get
// out of the host.
func uplinkMTU(host *netlink.Handle) (int, error) {
	const ethernet = 1500
	routes, err := host.RouteListFiltered(unix.AF_INET, &netlink.Route{}, netlink.RT_FILTER_DST)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return 0, fmt.Errorf("list default routes: %w", err)
	}
	mtu := ethernet
	for _, r := range routes {
		if link, err := host.LinkByIndex(r.LinkIndex); err == nil && link.Attrs().MTU >= 576 {
			mtu = min(mtu, link.Attrs().MTU)
		}
	}
	return mtu, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}
