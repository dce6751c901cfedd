package refserver

import (
	"sync"

	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// callsPerSync is how many other calls of a kind, which are shorter, are at work for one sync.
const callsPerSync = 4

// places bounds the calls of a kind that are at work, in all and per tenant, so that no tenant keeps
// the others out, and no grantee its tenant: a tenant has an eighth of them, and two where there
// are two, of which its grantees can take one. It is safe for concurrent use.
type places struct {
	max, perTenant int

	mu    sync.Mutex
	taken int
	of    map[string]int // by tenant, grantees included
	lent  map[string]int // by tenant, of grantees
}

func newPlaces(most int) *places {
	return &places{max: most, perTenant: max(min(2, most), most/8), of: map[string]int{}, lent: map[string]int{}}
}

// enter takes a place for a call, or returns errBusy. The caller calls leave when it is done.
func (p *places) enter(c auth.Claims) (leave func(), err error) {
	grantee := auth.Authorize(c.Signer, c.Tenant) != nil
	if !p.take(c.Tenant, grantee) {
		return nil, errBusy
	}
	return func() { p.leave(c.Tenant, grantee) }, nil
}

// take takes a place for a tenant, or for a grantee of its: those together have half of the
// tenant's places at most, and one at least.
func (p *places) take(tenant string, grantee bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.max || p.of[tenant] >= p.perTenant || grantee && p.lent[tenant] >= max(1, p.perTenant/2) {
		return false
	}
	p.taken++
	p.of[tenant]++
	if grantee {
		p.lent[tenant]++
	}
	return true
}

func (p *places) leave(tenant string, grantee bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.of[tenant]--; p.of[tenant] == 0 {
		delete(p.of, tenant)
	}
	if !grantee {
		return
	}
	if p.lent[tenant]--; p.lent[tenant] == 0 {
		delete(p.lent, tenant)
	}
}
