package auth

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
)

// addresses counts the lookups at work at each address, since many names may lead to one.
// Safe for concurrent use.
type addresses struct {
	mu  sync.Mutex
	now map[netip.Prefix]int
}

// visit is what one lookup connects with. Its connections end with its context: the dials
// of an http.Transport go on without the request that they were made for, and a host that
// says nothing would keep them, and their memory, for good.
type visit struct {
	web *Web
	ctx context.Context // of the lookup; its end closes every connection

	taken []netip.Prefix // under addresses.mu, as is over
	over  bool
}

// transport returns one that serves this visit only.
func (v *visit) transport() *http.Transport {
	return &http.Transport{
		Proxy:           nil, // not even from the environment
		DialContext:     v.dial,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: v.web.opt.RootCAs},
		// Nothing is unpacked here, so nothing grows.
		DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: maxWebHeaders,
	}
}

// dial is for http.Transport.DialContext, whose context is not that of the request.
func (v *visit) dial(_ context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Control: v.control, Resolver: v.web.opt.Names, KeepAlive: -1}
	conn, err := dialer.DialContext(v.ctx, network, address)
	if err == nil {
		context.AfterFunc(v.ctx, func() { conn.Close() })
	}
	return conn, err
}

// control is for net.Dialer.Control: it judges the address and counts this visit there.
func (v *visit) control(network, address string, raw syscall.RawConn) error {
	if err := (guard{v.web.opt.Permitted}).control(network, address, raw); err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return v.take(place(to.Addr()))
}

// place returns what counts as one address: of IPv6 the 64 bits that a network is given.
func place(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

func (v *visit) take(at netip.Prefix) error {
	all := v.web.addresses
	all.mu.Lock()
	defer all.mu.Unlock()
	switch {
	case v.over:
		return v.ctx.Err()
	case slices.Contains(v.taken, at):
		return nil
	case all.now[at] >= maxAddressLookups:
		return errBusy
	}
	all.now[at]++
	v.taken = append(v.taken, at)
	return nil
}

// leave ends the visit, also for a dial that has not noticed yet that it is over.
func (v *visit) leave() {
	all := v.web.addresses
	all.mu.Lock()
	defer all.mu.Unlock()
	v.over = true
	for _, at := range v.taken {
		if all.now[at]--; all.now[at] == 0 {
			delete(all.now, at)
		}
	}
}
