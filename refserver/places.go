package refserver

import "sync"

// places bounds the syncs at work, in all and per tenant, so that no tenant keeps
// the others out. It is safe for concurrent use.
type places struct {
	max, perTenant int

	mu    sync.Mutex
	taken int
	of    map[string]int
}

func newPlaces(most int) *places {
	return &places{max: most, perTenant: max(1, most/8), of: map[string]int{}}
}

func (p *places) take(tenant string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.max || p.of[tenant] >= p.perTenant {
		return false
	}
	p.taken++
	p.of[tenant]++
	return true
}

func (p *places) leave(tenant string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.of[tenant]--; p.of[tenant] == 0 {
		delete(p.of, tenant)
	}
}
