package oci

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
)

// hostResolvConfs are where a host's name servers stand, best first: the
// second has the real ones where the first names systemd-resolved only.
var hostResolvConfs = []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}

// resolvConf is the environments' /etc/resolv.conf, made from the host's: the
// same search list and options, and those name servers that they can reach
// (see usableNameserver). The result is "" when there is none: a public
// resolver would be told every name that every function looks up, which is
// for the operator to decide.
func resolvConf() (string, error) {
	local, err := localAddresses()
	if err != nil {
		return "", err
	}
	for _, name := range hostResolvConfs {
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("name servers: %w", err)
		}
		if out, usable := filterResolvConf(string(content), local); usable {
			return out, nil
		}
	}
	return "", nil
}

// filterResolvConf leaves out comments and the name servers that environments
// cannot reach. It reports whether any is left.
func filterResolvConf(content string, local map[netip.Addr]bool) (out string, usable bool) {
	var b strings.Builder
	for line := range strings.Lines(content) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#") || strings.HasPrefix(f[0], ";"):
			continue
		case f[0] == "nameserver":
			if len(f) < 2 || !usableNameserver(f[1], local) {
				continue
			}
			usable = true
		}
		b.WriteString(strings.Join(f, " ") + "\n")
	}
	return b.String(), usable
}

// usableNameserver tells whether environments reach a name server: it is on
// another machine, has an IPv4 address and not a link-local one.
func usableNameserver(s string, local map[netip.Addr]bool) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4() && !a.IsLoopback() && !a.IsUnspecified() && !linkLocal.Contains(a) && !local[a]
}

func localAddresses() (map[netip.Addr]bool, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of this host: %w", err)
	}
	local := map[netip.Addr]bool{}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				local[ip.Unmap()] = true
			}
		}
	}
	return local, nil
}
