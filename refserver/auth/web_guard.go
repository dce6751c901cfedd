package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// errGuarded says that an address may not be connected to. Only tests see it.
var errGuarded = errors.New("address is not public")

// guard decides to which addresses a connection may be made.
type guard struct{ permitted []netip.Prefix }

// control is for net.Dialer.Control, which calls it with the address of each attempt,
// after names were resolved and before connecting. So a name that has another address
// each time it is asked for gains nothing.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return fmt.Errorf("%w: %s %s", errGuarded, network, address)
	}
	for _, prefix := range g.permitted {
		if prefix.Contains(to.Addr()) {
			return nil
		}
	}
	if !isPublic(to.Addr()) {
		return fmt.Errorf("%w: %s", errGuarded, to.Addr())
	}
	return nil
}

// isPublic reports whether an address is one of the public Internet: for IPv4 all but the
// special ones, for IPv6 only 2000::/3 (IANA's global unicast) without the special ones.
// All that carries an IPv4 address inside is refused: mapped, NAT64, 6to4, Teredo. An
// address with a zone is never contained in a prefix, so one of IPv6 is refused too.
func isPublic(addr netip.Addr) bool {
	if !addr.Is4() && !netip.MustParsePrefix("2000::/3").Contains(addr) {
		return false
	}
	for _, text := range specialAddresses() {
		if netip.MustParsePrefix(text).Contains(addr) {
			return false
		}
	}
	return true
}

// specialAddresses are the blocks that are not public, from the IANA registries of
// special-purpose addresses (RFC 6890) and multicast.
func specialAddresses() []string {
	return []string{
		"0.0.0.0/8",       // this network
		"10.0.0.0/8",      // private
		"100.64.0.0/10",   // behind a carrier's NAT
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local, and the metadata of cloud machines
		"172.16.0.0/12",   // private
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // relays of 6to4
		"192.168.0.0/16",  // private
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, broadcast

		"2001::/23",     // protocol assignments: Teredo, ORCHID, benchmarks
		"2001:db8::/32", // documentation
		"2002::/16",     // 6to4
		"3fff::/20",     // documentation
	}
}
