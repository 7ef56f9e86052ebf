package oci

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
)

var errNoAddress = errors.New("every address of the egress network is in use")

// addresses hands out the addresses of a network, each again only after all
// others had their turn.
type addresses struct {
	network netip.Prefix

	mu   sync.Mutex
	next uint32 // offset from the network's first address
	used map[uint32]struct{}
}

func newAddresses(network netip.Prefix) *addresses {
	return &addresses{network: network.Masked(), next: firstOffset, used: map[uint32]struct{}{}}
}

// Offsets 0 and 1 are the network and the gateway; the last is broadcast.
const firstOffset = 2

func (a *addresses) gateway() netip.Addr { return a.at(1) }

func (a *addresses) take() (netip.Addr, error) {
	last := uint32(1)<<(32-a.network.Bits()) - 2
	a.mu.Lock()
	defer a.mu.Unlock()
	for range last - firstOffset + 1 {
		offset := a.next
		if a.next++; a.next > last {
			a.next = firstOffset
		}
		if _, used := a.used[offset]; !used {
			a.used[offset] = struct{}{}
			return a.at(offset), nil
		}
	}
	return netip.Addr{}, errNoAddress
}

func (a *addresses) give(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, a.offset(addr))
}

func (a *addresses) at(offset uint32) netip.Addr {
	b := a.network.Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+offset)
	return netip.AddrFrom4(b)
}

func (a *addresses) offset(addr netip.Addr) uint32 {
	first, b := a.network.Addr().As4(), addr.As4()
	return binary.BigEndian.Uint32(b[:]) - binary.BigEndian.Uint32(first[:])
}
