package oci

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/hearthd/hearth/internal/sandbox"
)

// A machine is a network namespace with a cable to this host (which is itself
// a network namespace, see TestMain).
type machine struct {
	namespace *os.File
	cable     netlink.Link // this host's end
	address   netip.Addr   // the machine's
	hostSide  netip.Addr   // this host's
}

// newMachine connects a machine to this host by 203.0.113.<4n>/30.
func newMachine(t testing.TB, n int) *machine {
	t.Helper()
	base := netip.AddrFrom4([4]byte{203, 0, 113, byte(4 * n)})
	m := &machine{hostSide: base.Next(), address: base.Next().Next()}
	m.namespace = newNamespace(t)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "cable" + strconv.Itoa(n)
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(m.namespace.Fd())}
	must(t, netlink.LinkAdd(pair))
	t.Cleanup(func() { must(t, netlink.LinkDel(pair)) })
	must(t, netlink.AddrAdd(pair, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(m.hostSide, 30))}))
	must(t, netlink.LinkSetUp(pair))
	m.cable = pair
	m.do(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return errors.Join(
			netlink.LinkSetUp(lo),
			netlink.AddrAdd(eth0, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(m.address, 30))}),
			netlink.LinkSetUp(eth0),
			netlink.RouteAdd(&netlink.Route{Gw: m.hostSide.AsSlice()}),
		)
	})
	return m
}

// do runs f in the machine.
func (m *machine) do(t testing.TB, f func() error) {
	t.Helper()
	must(t, inNetworkNamespace(m.namespace, f))
}

// alsoAt gives the machine one more address and this host a route to it.
func (m *machine) alsoAt(t testing.TB, address string) netip.Addr {
	t.Helper()
	a := netip.MustParseAddr(address)
	m.do(t, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a, 32))})
	})
	must(t, netlink.RouteAdd(&netlink.Route{Dst: ipNet(netip.PrefixFrom(a, 32)), Gw: m.address.AsSlice()}))
	return a
}

func newNamespace(t testing.TB) *os.File {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	must(t, err)
	defer home.Close()
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	namespace, err := os.Open("/proc/thread-self/ns/net")
	must(t, errors.Join(err, unix.Setns(int(home.Fd()), unix.CLONE_NEWNET)))
	t.Cleanup(func() { namespace.Close() })
	return namespace
}

// networkOf is the network namespace of an environment.
func networkOf(t testing.TB, e sandbox.Environment) *machine {
	t.Helper()
	oe := e.(*environment)
	pid, err := oe.process.Pid()
	must(t, err)
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	must(t, err)
	t.Cleanup(func() { f.Close() })
	m := &machine{namespace: f}
	if oe.nic != nil {
		m.address = oe.nic.address
	}
	return m
}

// listenUDP listens in the machine, or on this host when m is nil.
func listenUDP(t testing.TB, m *machine, address string) *net.UDPConn {
	t.Helper()
	var c *net.UDPConn
	listen := func() (err error) {
		c, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
		return err
	}
	if m == nil {
		must(t, listen())
	} else {
		m.do(t, listen)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// send sends a datagram from the machine, or from this host when m is nil.
// What the sender's own kernel refuses to send is as good as dropped.
func send(t testing.TB, m *machine, from, to string) {
	t.Helper()
	put := func() error {
		d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
		c, err := d.Dial("udp4", to)
		if err != nil {
			return nil
		}
		defer c.Close()
		_, _ = c.Write([]byte("hello"))
		return nil
	}
	if m == nil {
		must(t, put())
	} else {
		m.do(t, put)
	}
}

const anyAddress = "0.0.0.0"

// received reports who sent the oldest datagram that has arrived. A datagram
// has mostly arrived, or was dropped, when the system call that sent it
// returns; to be sure, let one that must arrive be sent after it.
func received(t testing.TB, c *net.UDPConn) (from netip.Addr, ok bool) {
	t.Helper()
	raw, err := c.SyscallConn()
	must(t, err)
	var sender unix.Sockaddr
	var recvErr error
	must(t, raw.Control(func(fd uintptr) {
		_, sender, recvErr = unix.Recvfrom(int(fd), make([]byte, 16), unix.MSG_DONTWAIT)
	}))
	if errors.Is(recvErr, unix.EAGAIN) {
		return netip.Addr{}, false
	}
	must(t, recvErr)
	return netip.AddrFrom4(sender.(*unix.SockaddrInet4).Addr), true
}

// await waits for a datagram that must come, and tells from whom.
func await(t testing.TB, c *net.UDPConn) netip.Addr {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	_, from, err := c.ReadFromUDPAddrPort(make([]byte, 16))
	must(t, err)
	return from.Addr().Unmap()
}

// A world is a node with egress, two environments on it, and a machine that it
// has its default route to.
type world struct {
	driver  *Driver
	outside *machine
	a, b    *machine     // the environments' networks
	echo    *net.UDPConn // outside, reached by everybody
}

// settle waits until what was sent before has arrived or was dropped.
func (w *world) settle(t testing.TB, sender *machine) {
	t.Helper()
	if sender == w.outside {
		sender = nil // its way to itself is another
	}
	send(t, sender, anyAddress, w.echo.LocalAddr().String())
	await(t, w.echo)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{outside: newMachine(t, 1)}
	must(t, netlink.RouteAdd(&netlink.Route{Gw: w.outside.address.AsSlice()}))
	w.driver = newDriver(t, func(o *Options) { o.Egress = true })
	i := newInstance(t, w.driver)
	w.a, w.b = networkOf(t, bootShell(t, i, "a")), networkOf(t, bootShell(t, i, "b"))
	w.echo = listenUDP(t, w.outside, w.outside.address.String()+":7")
	for _, m := range []*machine{nil, w.a, w.b} {
		w.settle(t, m) // the first exchange waits for address resolution
	}
	return w
}

func TestEgressReachesOtherMachinesInTheHostsName(t *testing.T) {
	w := newWorld(t)
	far := w.outside.alsoAt(t, "198.51.100.7")
	l := listenUDP(t, w.outside, anyAddress+":53")
	for _, to := range []netip.Addr{w.outside.address, far} {
		send(t, w.a, anyAddress, to.String()+":53")
		if from := await(t, l); from != w.outside.hostSide {
			t.Errorf("to %s: received from %v, want the host's %v", to, from, w.outside.hostSide)
		}
	}
}

func TestEgressServesTheFunctionsProcess(t *testing.T) {
	w := newWorld(t)
	var l net.Listener
	w.outside.do(t, func() (err error) {
		l, err = net.Listen("tcp4", w.outside.address.String()+":80")
		return err
	})
	defer l.Close()
	answered := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.WriteString(c, "from outside\n")
			err = errors.Join(err, c.Close())
		}
		answered <- err
	}()
	out, exit := run(t, newInstance(t, w.driver), job{script: `exec bash -c 'cat </dev/tcp/` + w.outside.address.String() + `/80'`})
	if out != "from outside\n" || exit.Code != 0 {
		t.Errorf("the function read %q and ended with %+v", out, exit)
	}
	must(t, <-answered)
}

func TestEgressReachesNothingElse(t *testing.T) {
	w := newWorld(t)
	gateway := w.driver.net.addresses.gateway()
	metadata := w.outside.alsoAt(t, "169.254.169.254")
	w.outside.alsoAt(t, "10.99.0.1")
	stranger := netip.AddrFrom4(w.a.address.As4()).Next().Next().Next()

	onHost := listenUDP(t, nil, anyAddress+":9400")
	onGateway := listenUDP(t, nil, gateway.String()+":9401")
	inB := listenUDP(t, w.b, anyAddress+":9402")
	outside := listenUDP(t, w.outside, anyAddress+":9403")
	// They are there for those who may.
	for _, control := range []struct {
		from *machine
		to   string
		at   *net.UDPConn
	}{
		{nil, w.outside.hostSide.String() + ":9400", onHost},
		{w.outside, w.outside.hostSide.String() + ":9400", onHost},
		{nil, gateway.String() + ":9401", onGateway},
		{nil, metadata.String() + ":9403", outside},
		{w.b, "127.0.0.1:9402", inB},
	} {
		send(t, control.from, anyAddress, control.to)
		await(t, control.at)
	}
	// The attacker is root in its network namespace, more than a function is.
	for _, extra := range []netip.Addr{stranger, w.b.address, w.outside.hostSide, netip.MustParseAddr("192.0.2.9")} {
		w.a.do(t, func() error {
			lo, err := netlink.LinkByName("lo")
			if err != nil {
				return err
			}
			return netlink.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(extra, 32)), Flags: unix.IFA_F_NODAD})
		})
	}
	for name, c := range map[string]struct {
		sender   *machine
		from, to string
		at       *net.UDPConn
	}{
		"the host's address":                     {w.a, anyAddress, "198.51.100.1:9400", onHost},
		"the gateway":                            {w.a, anyAddress, gateway.String() + ":9401", onGateway},
		"the host's service at the gateway":      {w.a, anyAddress, gateway.String() + ":9400", onHost},
		"broadcast":                              {w.a, anyAddress, "255.255.255.255:9400", onHost},
		"a network's broadcast":                  {w.a, anyAddress, "203.0.113.7:9400", onHost},
		"multicast":                              {w.a, anyAddress, "224.0.0.1:9400", onHost},
		"another environment":                    {w.a, anyAddress, w.b.address.String() + ":9402", inB},
		"metadata":                               {w.a, anyAddress, metadata.String() + ":9403", outside},
		"outside, as an unused address":          {w.a, stranger.String(), w.outside.address.String() + ":9403", outside},
		"outside, as another environment":        {w.a, w.b.address.String(), w.outside.address.String() + ":9403", outside},
		"outside, as another network":            {w.a, "192.0.2.9", w.outside.address.String() + ":9403", outside},
		"outside, as the host":                   {w.a, w.outside.hostSide.String(), w.outside.address.String() + ":9403", outside},
		"an environment, from outside":           {w.outside, anyAddress, w.b.address.String() + ":9402", inB},
		"an environment, from the host":          {nil, anyAddress, w.b.address.String() + ":9402", inB},
		"an environment, from the host's uplink": {nil, w.outside.hostSide.String(), w.b.address.String() + ":9402", inB},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(c.to, "198.51.100.1:") {
				must(t, netlink.AddrAdd(w.outside.cable, &netlink.Addr{IPNet: ipNet(netip.MustParsePrefix("198.51.100.1/32"))}))
			}
			send(t, c.sender, c.from, c.to)
			w.settle(t, c.sender)
			if from, ok := received(t, c.at); ok {
				t.Errorf("%s reached %s, as %s", c.from, c.to, from)
			}
		})
	}
	unused := w.driver.net.addresses.at(4242)
	send(t, w.a, anyAddress, unused.String()+":9")
	neighbours, err := netlink.NeighList(0, unix.AF_INET)
	must(t, err)
	if slices.ContainsFunc(neighbours, func(n netlink.Neigh) bool { return n.IP.Equal(unused.AsSlice()) }) {
		t.Error("an environment fills the host's neighbour table")
	}
	send(t, w.a, w.a.address.String(), w.outside.address.String()+":9403")
	await(t, outside) // after all that, the way out is open
}

func TestEgressIsNotOpenToWhatTheHostPublishes(t *testing.T) {
	must(t, setForwarding("1")) // engines that publish ports do so
	t.Cleanup(func() { must(t, setForwarding("0")) })
	w := newWorld(t)
	other := newMachine(t, 2) // say, a container of another engine
	l := listenUDP(t, other, anyAddress+":80")
	publish(t, w.outside.hostSide, 8080, netip.AddrPortFrom(other.address, 80))
	published := w.outside.hostSide.String() + ":8080"
	send(t, w.outside, anyAddress, published)
	await(t, l)
	send(t, w.a, anyAddress, published)
	w.settle(t, w.a)
	if _, ok := received(t, l); ok {
		t.Error("an environment reached a port published on the host")
	}
}

func TestEgressBoundsTheConnectionsOfAnEnvironment(t *testing.T) {
	w := newWorld(t)
	sink := listenUDP(t, w.outside, w.outside.address.String()+":9")
	raw, err := sink.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	}))
	must(t, err)
	dial := func() (c net.Conn) {
		w.a.do(t, func() (err error) {
			c, err = net.Dial("udp4", sink.LocalAddr().String())
			return err
		})
		t.Cleanup(func() { c.Close() }) // at the end, so that no port is used twice
		return c
	}
	say := func(c net.Conn, what string) {
		_, err := c.Write([]byte(what))
		must(t, err)
	}
	first := dial() // one that was answered goes on when the limit is reached
	say(first, "first")
	_, from, err := sink.ReadFrom(make([]byte, 16))
	must(t, err)
	_, err = sink.WriteTo([]byte("answer"), from)
	must(t, err)
	_, err = first.Read(make([]byte, 16))
	must(t, err)
	for range maxFlows + 64 {
		say(dial(), "new")
	}
	say(first, "the last")
	must(t, sink.SetReadDeadline(time.Now().Add(time.Minute)))
	passed := 0
	for buf := make([]byte, 16); ; passed++ {
		n, err := sink.Read(buf)
		must(t, err)
		if string(buf[:n]) == "the last" {
			break
		}
	}
	if passed > maxFlows || passed < maxFlows-64 {
		t.Errorf("%d connections, want %d", passed, maxFlows)
	}
	w.settle(t, w.b) // another environment may go on
}

func TestEgressHasNoIPv6(t *testing.T) {
	w := newWorld(t)
	w.a.do(t, func() error {
		b, err := os.ReadFile("/proc/thread-self/net/if_inet6")
		if strings.Contains(string(b), "eth0") {
			t.Errorf("addresses: %s", b)
		}
		return err
	})
}

// TestEgressSendsAsTheHostDoes is about congestion control: loopback has none
// to speak of, the way out has the host's.
func TestEgressSendsAsTheHostDoes(t *testing.T) {
	host, err := os.ReadFile(congestionControl)
	must(t, err)
	w := newWorld(t)
	w.a.do(t, func() error {
		own, err := os.ReadFile(congestionControl)
		if string(own) != "reno\n" {
			t.Errorf("loopback begins with %q", own)
		}
		if err != nil {
			return err
		}
		routes, err := netlink.RouteListFiltered(unix.AF_INET, &netlink.Route{}, netlink.RT_FILTER_DST)
		if len(routes) != 1 || routes[0].Congctl != strings.TrimSpace(string(host)) {
			t.Errorf("default routes %+v, the host has %q", routes, host)
		}
		return err
	})
}

func TestWithoutEgressThereIsLoopbackOnly(t *testing.T) {
	i := newInstance(t, newDriver(t, nil))
	out, _ := run(t, i, job{script: "cat /proc/net/dev | tail -n +3; cat /proc/net/route | tail -n +2; cat /etc/resolv.conf; exec bash -c ': </dev/tcp/203.0.113.1/80' 2>&1"})
	if devices := strings.Count(out, "\n"); !strings.HasPrefix(strings.TrimSpace(out), "lo:") || !strings.Contains(out, "Network is unreachable") || devices > 3 {
		t.Errorf("output:\n%s", out)
	}
}

func TestEgressKeepsOthersFromUsingTheHostAsARouter(t *testing.T) {
	must(t, setForwarding("0"))
	x, y := newMachine(t, 1), newMachine(t, 2)
	atY := listenUDP(t, y, anyAddress+":80")
	from := x.address.String()
	onHost := listenUDP(t, nil, anyAddress+":80")
	settle := func() { // what x sent before this is through
		send(t, x, from, x.hostSide.String()+":80")
		await(t, onHost)
	}
	d := newDriver(t, func(o *Options) { o.Egress = true })
	send(t, x, from, y.address.String()+":80")
	settle()
	if _, ok := received(t, atY); ok {
		t.Error("the host forwards for others")
	}
	other := newDriver(t, func(o *Options) { o.Egress = true })
	must(t, sweepEgress(d.opts.Node))
	if !forwarding(t) {
		t.Error("forwarding went off though another node needs it")
	}
	send(t, x, from, y.address.String()+":80")
	settle()
	if _, ok := received(t, atY); ok {
		t.Error("the host forwards for others once one of two nodes ended")
	}
	must(t, sweepEgress(other.opts.Node))
	if forwarding(t) {
		t.Error("forwarding stayed on")
	}
}

func TestEgressLeavesForwardingAsItFoundIt(t *testing.T) {
	must(t, setForwarding("1"))
	t.Cleanup(func() { must(t, setForwarding("0")) })
	x, y := newMachine(t, 1), newMachine(t, 2)
	atY := listenUDP(t, y, anyAddress+":80")
	d := newDriver(t, func(o *Options) { o.Egress = true })
	send(t, x, anyAddress, y.address.String()+":80")
	await(t, atY)
	must(t, sweepEgress(d.opts.Node))
	if !forwarding(t) {
		t.Error("forwarding went off")
	}
}

func TestEgressSweepTakesEverythingAway(t *testing.T) {
	w := newWorld(t)
	node := w.driver.opts.Node
	if len(egressLeft(t, node)) == 0 {
		t.Fatal("the test does not see the node's network")
	}
	must(t, sweepEgress(node))
	if left := egressLeft(t, node); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	must(t, sweepEgress(node)) // once more, with nothing there
}

func TestEgressTakesAFreeNetwork(t *testing.T) {
	m := newMachine(t, 1)
	must(t, netlink.RouteAdd(&netlink.Route{Dst: ipNet(netip.MustParsePrefix("10.212.0.0/14")), Gw: m.address.AsSlice()}))
	first := newDriver(t, func(o *Options) { o.Egress = true })
	second := newDriver(t, func(o *Options) { o.Egress = true })
	a, b := first.net.network, second.net.network
	if a.String() != "172.29.0.0/16" || b.String() != "172.30.0.0/16" {
		t.Errorf("networks %v and %v, want the first two that are free", a, b)
	}
	for name, c := range map[string]struct{ network, want string }{
		"in use":    {"10.215.7.0/24", "overlaps 10.212.0.0/14"},
		"IPv6":      {"fd00::/64", "IPv4 only"},
		"too small": {"10.1.0.0/30", "prefix length"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openEgress("refused", netip.MustParsePrefix(c.network), first.opts.Log)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestEgressSeesAFirewallInItsWay(t *testing.T) {
	conn, err := nftables.New()
	must(t, err)
	policy := nftables.ChainPolicyDrop
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"})
	conn.AddChain(&nftables.Chain{Name: "FORWARD", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &policy})
	must(t, conn.Flush())
	defer func() {
		conn.DelTable(table)
		must(t, conn.Flush())
	}()
	got, err := droppingForwardChains()
	must(t, err)
	if !slices.Equal(got, []string{"filter FORWARD"}) {
		t.Errorf("chains %q", got)
	}
}

// egressLeft lists what there is of a node's network.
func egressLeft(t testing.TB, node string) []string {
	t.Helper()
	var left []string
	links, err := netlink.LinkList()
	must(t, err)
	for _, l := range links {
		if l.Attrs().Group == deviceGroup(node) {
			left = append(left, "device "+l.Attrs().Name)
		}
	}
	conn, err := nftables.New()
	must(t, err)
	tables, err := conn.ListTables()
	must(t, err)
	for _, table := range tables {
		if table.Name == tablePrefix+node {
			left = append(left, "table "+table.Name)
		}
	}
	return left
}

func forwarding(t testing.TB) bool {
	t.Helper()
	b, err := os.ReadFile(forwardingFile)
	must(t, err)
	return strings.TrimSpace(string(b)) == "1"
}

func TestAddressesAreHandedOutInTurn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		network := netip.PrefixFrom(netip.MustParseAddr("10.1.2.0"), rapid.IntRange(24, 28).Draw(t, "bits"))
		a := newAddresses(network)
		room := 1<<(32-network.Bits()) - 3
		held := map[netip.Addr]bool{}
		var order []netip.Addr
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				addr, err := a.take()
				if len(held) == room {
					if !errors.Is(err, errNoAddress) {
						t.Fatalf("took %v, %v of a full network", addr, err)
					}
					return
				}
				if err != nil || held[addr] || !network.Contains(addr) || addr == a.gateway() || addr == network.Addr() {
					t.Fatalf("took %v, %v", addr, err)
				}
				held[addr] = true
				order = append(order, addr)
			},
			"give": func(t *rapid.T) {
				if len(order) == 0 {
					t.Skip("none held")
				}
				n := rapid.IntRange(0, len(order)-1).Draw(t, "which")
				a.give(order[n])
				delete(held, order[n])
				order = slices.Delete(order, n, n+1)
			},
		})
	})
}

// publish makes the host pass datagrams for one of its ports on to another
// machine, as container engines do.
func publish(t testing.TB, at netip.Addr, port uint16, to netip.AddrPort) {
	t.Helper()
	conn, err := nftables.New()
	must(t, err)
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "publisher"})
	chain := conn.AddChain(&nftables.Chain{Name: "prerouting", Table: table, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest})
	target := to.Addr().AsSlice()
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: slices.Concat(address(destination, netip.PrefixFrom(at, 32)), []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
		&expr.Immediate{Register: 1, Data: target},
		&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, to.Port())},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
	})})
	must(t, conn.Flush())
	t.Cleanup(func() {
		conn.DelTable(table)
		must(t, conn.Flush())
	})
}
