package refserver_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// grantModel says what a tenant's grants allow, for grants of reading and writing everywhere
// ("") or in one protocol.
type grantModel struct {
	grants   []modelGrant
	messages map[string][]dwn.Key // by protocol
	now      int64
}

type modelGrant struct {
	auth.Grant
	ended bool
}

// live returns those named that are good for a grantee, by ascending ID.
func (m *grantModel) live(named []auth.Grant, grantee, method string) (live []auth.Grant) {
	for _, g := range m.grants {
		named := slices.ContainsFunc(named, func(n auth.Grant) bool { return n.ID == g.ID })
		if named && !g.ended && g.Grantee == grantee && g.Method == method && g.Granted <= m.now && m.now < g.Expires {
			live = append(live, g.Grant)
		}
	}
	slices.SortFunc(live, func(a, b auth.Grant) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return live
}

// reads returns what may be read of a protocol, or of everything; false for nothing.
func (m *grantModel) reads(named []auth.Grant, grantee, asked string) (part string, ok bool) {
	live := m.live(named, grantee, "Read")
	for _, g := range live {
		if g.Protocol == "" || g.Protocol == asked {
			return asked, true
		}
	}
	if asked == "" && len(live) > 0 {
		return live[0].Protocol, true
	}
	return "", false
}

// writes reports whether a record of a protocol may be pushed.
func (m *grantModel) writes(named []auth.Grant, grantee, protocol string) bool {
	return slices.ContainsFunc(m.live(named, grantee, "Write"), func(g auth.Grant) bool { return g.Protocol == protocol })
}

// in returns the keys of a protocol, or all.
func (m *grantModel) in(protocol string) (keys []dwn.Key) {
	for p, of := range m.messages {
		if protocol == "" || p == protocol {
			keys = append(keys, of...)
		}
	}
	slices.SortFunc(keys, dwn.Key.Compare)
	return keys
}

// grantHistory is one random history of one tenant on a node that has others as well.
type grantHistory struct {
	t        *testing.T
	rng      *rand.Rand
	node     refserver.Node
	url      string
	tenant   *auth.Signer
	grantees []*auth.Signer
	clock    *time.Time
	model    grantModel
	made     int
}

var historyProtocols = []string{"https://example.org/p", "https://example.org/q"}

func (h *grantHistory) store(protocol string, e store.Entry) {
	h.t.Helper()
	fill(h.t, h.node, h.tenant.DID(), []store.Entry{e})
	h.model.messages[protocol] = append(h.model.messages[protocol], e.Message.Key())
}

func (h *grantHistory) write(by *auth.Signer) (string, store.Entry) {
	h.made++
	protocol := historyProtocols[h.rng.IntN(2)]
	return protocol, written{protocol: protocol, path: "note", data: fmt.Appendf(nil, "%s %d", h.tenant.DID(), h.made), at: h.clock.Add(time.Duration(h.made))}.by(h.t, by)
}

func (h *grantHistory) grant() {
	at := h.clock.UnixMicro() + int64(h.rng.IntN(3)-1)*int64(time.Hour/time.Microsecond)
	g := auth.Grant{Grantee: h.grantees[h.rng.IntN(2)].DID(), Granted: at, Expires: at + int64(1+h.rng.IntN(4))*int64(time.Hour/time.Microsecond)}
	if g.Interface, g.Method = "Messages", "Read"; h.rng.IntN(2) == 0 {
		g.Interface, g.Method = "Records", "Write"
	}
	if g.Method == "Write" || h.rng.IntN(2) == 0 {
		g.Protocol = historyProtocols[h.rng.IntN(2)]
	}
	h.made++
	g.Description = fmt.Sprint(h.made)
	m, data, err := auth.MakeGrant(h.tenant, g)
	if err != nil {
		h.t.Fatal(err)
	}
	if g, err = auth.ParseGrant(m, data); err != nil {
		h.t.Fatal(err)
	}
	h.store("permissions", store.Entry{Message: m, Data: data})
	h.model.grants = append(h.model.grants, modelGrant{Grant: g})
}

func (h *grantHistory) end() {
	if len(h.model.grants) == 0 {
		return
	}
	g := &h.model.grants[h.rng.IntN(len(h.model.grants))]
	h.made++
	m, data, err := auth.MakeRevocation(h.tenant, g.Grant, fmt.Sprint(h.made), max(h.clock.UnixMicro(), g.Granted)+int64(h.made))
	if err != nil {
		h.t.Fatal(err)
	}
	h.store("permissions", store.Entry{Message: m, Data: data})
	g.ended = true
}

// named returns some of the grants, good or not.
func (h *grantHistory) named() (named []auth.Grant) {
	for _, g := range h.model.grants {
		if len(named) < auth.MaxGrants && h.rng.IntN(3) > 0 {
			named = append(named, g.Grant)
		}
	}
	return named
}

// client returns a client by the clock of the history.
func (h *grantHistory) client(grantee *auth.Signer, named []auth.Grant) *refserver.Client {
	c := granteeClient(h.t, h.url, h.tenant.DID(), grantee, named...)
	c.SetClock(func() time.Time { return *h.clock })
	return c
}

func isForbidden(err error) bool {
	p := (*refserver.Problem)(nil)
	return errors.As(err, &p) && p.Code == "forbidden"
}

func (h *grantHistory) pull() {
	grantee, named, asked := h.grantees[h.rng.IntN(2)], h.named(), append(historyProtocols, "")[h.rng.IntN(3)]
	opt := refserver.SyncOptions{Direction: engine.Pull}
	if asked != "" {
		opt.Scope = scopeOf(h.t, `{"protocol":"`+asked+`"}`)
	}
	here := openNode(h.t)
	result, err := h.client(grantee, named).Sync(h.t.Context(), here, opt)
	part, ok := h.model.reads(named, grantee.DID(), asked)
	if !ok {
		if !isForbidden(err) {
			h.t.Fatalf("pull of %q: %+v, %v; want forbidden", asked, result, err)
		}
		return
	}
	if got, want := keysOf(h.t, here, h.tenant.DID()), h.model.in(part); err != nil || !slices.Equal(got, want) || (result.Scope != nil) != (part != asked) {
		h.t.Fatalf("pull of %q: %d messages and scope %s, %v; want %d of %q", asked, len(got), result.Scope, err, len(want), part)
	}
}

func (h *grantHistory) push() {
	grantee, named := h.grantees[h.rng.IntN(2)], h.named()
	protocol, e := h.write(grantee)
	here := openNode(h.t)
	fill(h.t, here, h.tenant.DID(), []store.Entry{e})
	opt := refserver.SyncOptions{Direction: engine.Push, Scope: scopeOf(h.t, `{"protocol":"`+protocol+`"}`)}
	result, err := h.client(grantee, named).Sync(h.t.Context(), here, opt)
	_, reads := h.model.reads(named, grantee.DID(), protocol)
	switch writes := h.model.writes(named, grantee.DID(), protocol); {
	case !reads && isForbidden(err):
	case reads && !writes && errors.Is(err, engine.ErrIncomplete) && result.RefusedMessages == 1:
	case reads && writes && err == nil && result.MessagesSent == 1:
		h.model.messages[protocol] = append(h.model.messages[protocol], e.Message.Key())
	default:
		h.t.Fatalf("push to %s: %+v, %v; may read: %t, write: %t", protocol, result, err, reads, writes)
	}
	if got, want := keysOf(h.t, h.node, h.tenant.DID()), h.model.in(""); !slices.Equal(got, want) {
		h.t.Fatalf("after a push to %s: %d messages, want %d", protocol, len(got), len(want))
	}
}

func (h *grantHistory) step() {
	switch h.rng.IntN(8) {
	case 0, 1:
		h.grant()
	case 2:
		h.end()
	case 3:
		h.store(h.write(h.tenant))
	case 4:
		*h.clock = h.clock.Add(time.Duration(h.rng.IntN(90)) * time.Minute)
	case 5, 6:
		h.pull()
	default:
		h.push()
	}
	h.model.now = h.clock.UnixMicro()
}

// TestGrantHistories: whatever is granted, ended and synced, by a clock that goes on, what is
// read and stored is what a model says.
func TestGrantHistories(t *testing.T) {
	histories := 25
	if os.Getenv("DWNSYNC_LONG") == "1" {
		histories = 1000
	}
	node := keepOpen(t, openNode(t))
	for seed := range histories {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // a test of its own closes its server before the next one starts
			clock := time.Now()
			url := listen(t, node, refserver.ServerOptions{Clock: func() time.Time { return clock }})
			h := &grantHistory{
				t: t, rng: rand.New(rand.NewPCG(uint64(seed), 7)), node: node, url: url, clock: &clock,
				grantees: []*auth.Signer{granteeKey(t, 0), granteeKey(t, 1)}, model: grantModel{messages: map[string][]dwn.Key{}, now: clock.UnixMicro()},
			}
			_, jwk := datasets.GeneratedKey(uint64(100 + seed))
			h.tenant = signerOf(t, jwk)
			for range 20 {
				h.step()
			}
		})
	}
}
