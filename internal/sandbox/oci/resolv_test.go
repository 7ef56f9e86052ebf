package oci

import (
	"net/netip"
	"testing"
)

func TestResolvConfKeepsWhatEnvironmentsReach(t *testing.T) {
	local := map[netip.Addr]bool{netip.MustParseAddr("192.168.1.2"): true}
	for name, c := range map[string]struct {
		host, want string
		usable     bool
	}{
		"others":          {"search example.org\nnameserver 192.168.1.1\noptions edns0\n", "search example.org\nnameserver 192.168.1.1\noptions edns0\n", true},
		"loopback":        {"nameserver 127.0.0.53\nnameserver ::1\n", "", false},
		"the host itself": {"nameserver 192.168.1.2\nnameserver 192.168.1.1\n", "nameserver 192.168.1.1\n", true},
		"IPv6":            {"nameserver 2001:db8::1\nnameserver fe80::1%eth0\n", "", false},
		"link-local":      {"nameserver 169.254.169.253\n", "", false},
		"comments":        {"# written by hand\n; so\n\n  nameserver   10.0.0.1 \n", "nameserver 10.0.0.1\n", true},
		"damaged":         {"nameserver\nnameserver example.org\n", "", false},
		"no newline":      {"nameserver 10.0.0.1", "nameserver 10.0.0.1\n", true},
		"empty":           {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, usable := filterResolvConf(c.host, local)
			if got != c.want || usable != c.usable {
				t.Errorf("%q, %v; want %q, %v", got, usable, c.want, c.usable)
			}
		})
	}
}
