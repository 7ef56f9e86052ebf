package oci

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

const (
	// tablePrefix and the node's name are the name of a node's table.
	tablePrefix = "hearth-"

	// maxFlows is how many connections (of any protocol) an environment may
	// have in the kernel's connection table, which the whole host shares.
	maxFlows = 4096

	// guardChain is in the table of a node that turned forwarding on.
	guardChain = "guard"

	forwardingFile = "/proc/sys/net/ipv4/ip_forward"
)

var linkLocal = netip.MustParsePrefix("169.254.0.0/16")

// ruleset writes the node's table:
//
//	table inet hearth-<node> {
//	    set flows { typeof ip saddr; flags dynamic }
//	    chain prerouting { type filter hook prerouting priority raw
//	        iifgroup != G accept
//	        meta nfproto != ipv4 drop
//	        fib saddr . iif oif 0 drop          # not the address of this device
//	        fib daddr type != unicast drop      # the host itself, broadcast, multicast
//	        ip daddr 169.254.0.0/16 drop        # metadata services
//	        ip daddr NETWORK drop               # other environments
//	    }
//	    chain input { type filter hook input priority filter
//	        iifgroup G drop                     # again, whatever other rules redirect
//	    }
//	    chain forward { type filter hook forward priority filter
//	        iifgroup G ct state new add @flows { ip saddr ct count over 4096 } drop
//	        oifgroup G ct state established,related accept
//	        oifgroup G drop                     # nobody connects to an environment
//	    }
//	    chain output { type filter hook output priority filter
//	        oifgroup G ct state established,related accept
//	        oifgroup G drop                     # the host neither
//	    }
//	    chain postrouting { type nat hook postrouting priority srcnat
//	        meta nfproto ipv4 ip saddr NETWORK oifgroup != G masquerade
//	    }
//	}
//
// The first chain stands before any translation of addresses, so that a port
// that the host publishes for some container is as unreachable as its own
// services. Other machines, of whatever network, are reachable, as from a
// function in Lambda; who wants less adds rules of their own for devices hrt*.
//
// Where forwarding was off, it is turned on, and one more chain keeps the host
// from becoming a router for anybody else:
//
//	chain guard { type filter hook forward priority filter
//	    iifname "hrt*" accept
//	    oifname "hrt*" accept
//	    drop
//	}
type ruleset struct {
	conn    *nftables.Conn
	table   *nftables.Table
	group   []byte
	network netip.Prefix
}

// installRules makes the table, and the host forward packets.
func installRules(node string, group uint32, network netip.Prefix) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	guarded, err := guardNeeded(conn)
	if err != nil {
		return err
	}
	r := ruleset{
		conn:    conn,
		table:   conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: tablePrefix + node}),
		group:   binaryutil.NativeEndian.PutUint32(group),
		network: network,
	}
	r.prerouting()
	r.input()
	if err := r.forward(); err != nil {
		return err
	}
	r.output()
	r.postrouting()
	if guarded {
		r.guard()
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	return setForwarding("1")
}

// removeRules removes a node's table and, where the node turned forwarding on
// and no other node needs it, turns it off again.
func removeRules(node string) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("packet rules: %w", err)
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
			return nil // no nftables in this kernel, so no table
		}
		return fmt.Errorf("packet rules: %w", err)
	}
	for _, t := range tables {
		if t.Name != tablePrefix+node {
			continue
		}
		guards, err := guards(conn)
		if err != nil {
			return err
		}
		if len(guards) == 1 && guards[0] == t.Name {
			if err := setForwarding("0"); err != nil {
				return err
			}
		}
		conn.DelTable(t)
		if err := conn.Flush(); err != nil {
			return fmt.Errorf("remove packet rules: %w", err)
		}
	}
	return nil
}

// guardNeeded tells whether forwarding is off, or on by another node's hand only.
func guardNeeded(conn *nftables.Conn) (bool, error) {
	b, err := os.ReadFile(forwardingFile)
	if err != nil {
		return false, err
	}
	if string(bytes.TrimSpace(b)) == "0" {
		return true, nil
	}
	others, err := guards(conn)
	return len(others) > 0, err
}

// guards are the names of the tables with a guard chain.
func guards(conn *nftables.Conn) ([]string, error) {
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("packet rules: %w", err)
	}
	var tables []string
	for _, c := range chains {
		if c.Name == guardChain && strings.HasPrefix(c.Table.Name, tablePrefix) {
			tables = append(tables, c.Table.Name)
		}
	}
	return tables, nil
}

// droppingForwardChains are the host's own chains that drop forwarded packets
// unless a rule says otherwise.
func droppingForwardChains() ([]string, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	chains, err := conn.ListChains()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range chains {
		if c.Hooknum != nil && *c.Hooknum == *nftables.ChainHookForward && c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop {
			names = append(names, c.Table.Name+" "+c.Name)
		}
	}
	return names, nil
}

func setForwarding(value string) error {
	if err := os.WriteFile(forwardingFile, []byte(value), 0); err != nil {
		return fmt.Errorf("IPv4 forwarding: %w", err)
	}
	return nil
}

func (r ruleset) prerouting() {
	c := r.chain("prerouting", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityRaw)
	r.rule(c, r.in(expr.CmpOpNeq), accept)
	r.rule(c, ipv4(expr.CmpOpNeq), drop)
	r.rule(c, []expr.Any{
		&expr.Fib{Register: 1, ResultOIF: true, FlagSADDR: true, FlagIIF: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
	}, drop)
	r.rule(c, []expr.Any{
		&expr.Fib{Register: 1, ResultADDRTYPE: true, FlagDADDR: true},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_UNICAST)},
	}, drop)
	r.rule(c, address(destination, linkLocal), drop)
	r.rule(c, address(destination, r.network), drop)
}

func (r ruleset) input() {
	c := r.chain("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)
	r.rule(c, r.in(expr.CmpOpEq), drop)
}

func (r ruleset) forward() error {
	flows := &nftables.Set{Table: r.table, Name: "flows", KeyType: nftables.TypeIPAddr, Dynamic: true, Size: 1 << (32 - r.network.Bits())}
	if err := r.conn.AddSet(flows, nil); err != nil {
		return err
	}
	c := r.chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	r.rule(c, r.in(expr.CmpOpEq), state(expr.CtStateBitNEW), []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: source, Len: 4},
		&expr.Dynset{
			SrcRegKey: 1, SetName: flows.Name, SetID: flows.ID, Operation: uint32(unix.NFT_DYNSET_OP_ADD),
			Exprs: []expr.Any{&expr.Connlimit{Count: maxFlows, Flags: expr.NFT_CONNLIMIT_F_INV}},
		},
	}, drop)
	r.rule(c, r.out(expr.CmpOpEq), state(expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), accept)
	r.rule(c, r.out(expr.CmpOpEq), drop)
	return nil
}

func (r ruleset) output() {
	c := r.chain("output", nftables.ChainTypeFilter, nftables.ChainHookOutput, nftables.ChainPriorityFilter)
	r.rule(c, r.out(expr.CmpOpEq), state(expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), accept)
	r.rule(c, r.out(expr.CmpOpEq), drop)
}

func (r ruleset) postrouting() {
	c := r.chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	r.rule(c, ipv4(expr.CmpOpEq), address(source, r.network), r.out(expr.CmpOpNeq), []expr.Any{&expr.Masq{}})
}

func (r ruleset) guard() {
	c := r.chain(guardChain, nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	for _, key := range []expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME} {
		r.rule(c, []expr.Any{
			&expr.Meta{Key: key, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte("hrt")},
		}, accept)
	}
	r.rule(c, drop)
}

func (r ruleset) chain(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
	return r.conn.AddChain(&nftables.Chain{Name: name, Table: r.table, Type: kind, Hooknum: hook, Priority: priority})
}

// rule adds a rule of some matches and what to do with a packet that has them all.
func (r ruleset) rule(c *nftables.Chain, parts ...[]expr.Any) {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	r.conn.AddRule(&nftables.Rule{Table: r.table, Chain: c, Exprs: all})
}

var (
	accept = []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}
	drop   = []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
)

// in and out match the node's devices, or all others.
func (r ruleset) in(op expr.CmpOp) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFGROUP, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: r.group}}
}

func (r ruleset) out(op expr.CmpOp) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFGROUP, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: r.group}}
}

func ipv4(op expr.CmpOp) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: []byte{unix.NFPROTO_IPV4}}}
}

// Where the addresses stand in an IPv4 header.
const (
	source      = 12
	destination = 16
)

// address matches an address in the IPv4 header against a network.
func address(offset uint32, p netip.Prefix) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: ipNet(p).Mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

// state matches any of the connection tracking states.
func state(bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}
