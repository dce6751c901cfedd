package refserver_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// hiddenMessages is how many messages more the fuller of the two stores has that the
// requester may not read.
func hiddenMessages() int {
	switch {
	case os.Getenv("DWNSYNC_LONG") == "1":
		return 100_000
	case testing.Short():
		return 300
	}
	return 1000
}

// Of the kinds with large data there are so many: it is the CID that could tell, not the bulk.
const hiddenLarge = 10

// hiddenMaker makes what the requester may not read.
type hiddenMaker struct {
	*leakBed
	t   *testing.T
	rng *rand.Rand
	n   int
}

// moment is a time that nothing else was written at.
func (h *hiddenMaker) moment() time.Time {
	h.n++
	return time.Now().Add(-time.Duration(h.rng.Int64N(int64(1000 * time.Hour)))).Add(-time.Duration(h.n) * time.Microsecond)
}

func (h *hiddenMaker) note(by *auth.Signer, data []byte) store.Entry {
	return written{protocol: leakHidden, path: "note", data: data, at: h.moment()}.by(h.t, by)
}

func (h *hiddenMaker) text() []byte { return fmt.Appendf(nil, "hidden %d", h.n) }

// large is record data that does not travel with its message.
func (h *hiddenMaker) large() []byte { return bytes.Repeat(fmt.Appendf(nil, "large %8d, ", h.n), 2000) }

func (h *hiddenMaker) grant(to *auth.Signer, expires time.Time) (auth.Grant, store.Entry) {
	h.t.Helper()
	at := h.moment()
	g := auth.Grant{Grantee: to.DID(), Interface: "Messages", Method: "Read", Protocol: leakVisible, Description: string(h.text()), Granted: at.UnixMicro(), Expires: expires.UnixMicro()}
	m, data, err := auth.MakeGrant(h.tenant, g)
	if err == nil {
		g, err = auth.ParseGrant(m, data)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return g, store.Entry{Message: m, Data: data}
}

func (h *hiddenMaker) revoked() []store.Entry {
	h.t.Helper()
	g, e := h.grant(h.other, time.Now().Add(time.Hour))
	m, data, err := auth.MakeRevocation(h.tenant, g, "", time.Now().UnixMicro()+int64(h.n))
	if err != nil {
		h.t.Fatal(err)
	}
	return []store.Entry{e, {Message: m, Data: data}}
}

func (h *hiddenMaker) deleted(first, by *auth.Signer) []store.Entry {
	e := h.note(first, h.text())
	return []store.Entry{e, written{first: e.Message, at: time.Now().Add(time.Duration(h.n) * time.Microsecond)}.by(h.t, by)}
}

// hiddenKinds are all that is hidden; the first is of what there is most.
func (h *hiddenMaker) kinds() []hiddenKind {
	one := func(e store.Entry) []store.Entry { return []store.Entry{e} }
	return []hiddenKind{
		{"note", 0, func() []store.Entry { return one(h.note(h.tenant, h.text())) }},
		{"deleted", 0, func() []store.Entry { return h.deleted(h.tenant, h.tenant) }},
		{"deleted by its author", 0, func() []store.Entry { return h.deleted(h.grantee, h.grantee) }},
		{"grant to another", 0, func() []store.Entry {
			_, e := h.grant(h.other, time.Now().Add(time.Hour))
			return one(e)
		}},
		{"grant to the grantee, over", 0, func() []store.Entry {
			_, e := h.grant(h.grantee, time.Now().Add(-time.Minute))
			return one(e)
		}},
		{"revoked grant to another", 0, h.revoked},
		{"by the grantee", 0, func() []store.Entry { return one(h.note(h.grantee, h.text())) }},
		{"by another", 0, func() []store.Entry { return one(h.note(h.other, h.text())) }},
		{"data of a visible one", 0, func() []store.Entry { return one(h.note(h.tenant, h.visible[leakNotes+h.rng.IntN(500)].Data)) }},
		{"large, held", hiddenLarge, func() []store.Entry { return one(h.heldBy(h.tenant)) }},
		{"large, missing", hiddenLarge, func() []store.Entry { return one(h.note(h.tenant, h.large())) }},
		{"large, held, by the grantee", hiddenLarge, func() []store.Entry { return one(h.heldBy(h.grantee)) }},
		{"large, missing, by the grantee", hiddenLarge, func() []store.Entry { return one(h.note(h.grantee, h.large())) }},
		{"large data of a visible one", hiddenLarge, func() []store.Entry { return one(h.note(h.tenant, h.largeVisible)) }},
	}
}

type hiddenKind struct {
	name string
	most int // 0: any number
	make func() []store.Entry
}

// heldBy returns a message with large data that the fuller store holds.
func (h *hiddenMaker) heldBy(s *auth.Signer) store.Entry {
	data := h.large()
	h.hiddenData = append(h.hiddenData, data)
	return h.note(s, data)
}

// hide makes n hidden messages at least, of every kind some, and keeps one of each kind as
// a sample: the last of it, so of a record that was deleted the delete.
func (b *leakBed) hide(t *testing.T, n int) {
	t.Helper()
	h := &hiddenMaker{leakBed: b, t: t, rng: rand.New(rand.NewPCG(1, 3))}
	kinds := h.kinds()
	made := make([]int, len(kinds))
	for i := 0; len(b.hidden) < n; i++ {
		k := kinds[i%len(kinds)]
		if made[i%len(kinds)]++; k.most > 0 && made[i%len(kinds)] > k.most {
			k = kinds[0]
		}
		e := k.make()
		if b.hidden = append(b.hidden, e...); i < len(kinds) {
			b.samples = append(b.samples, sample{k.name, e[len(e)-1]})
		}
	}
	h.rng.Shuffle(len(b.hidden), func(i, j int) { b.hidden[i], b.hidden[j] = b.hidden[j], b.hidden[i] })
}

type sample struct {
	kind string
	store.Entry
}

// refuse makes a node refuse messages, which must leave nothing behind.
func (b *leakBed) refuse(t *testing.T, n refserver.Node) {
	t.Helper()
	h := &hiddenMaker{leakBed: b, t: t, rng: rand.New(rand.NewPCG(1, 4)), n: 1 << 20}
	rows := n.Store.Tenant(b.tenant.DID())
	good, other := h.note(b.tenant, h.text()), h.note(b.tenant, h.text())
	bad := bytes.Clone(good.Message.CBOR())
	at := bytes.Index(bad, []byte("signatures")) + 10
	at += bytes.Index(bad[at:], []byte("signature")) + 12
	bad[at] ^= 1 // one letter of the signature for its neighbour
	forged, err := dwn.ParseCBOR(bad)
	if err != nil {
		t.Fatal(err)
	}
	results, err := n.Write(t.Context(), b.tenant.DID(), []store.Entry{{Message: forged}, {Message: good.Message, Data: other.Data}})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Err == nil {
			t.Fatalf("entry %d was stored", i)
		}
	}
	i := slices.IndexFunc(b.samples, func(s sample) bool { return s.kind == "large, missing" })
	d, _ := b.samples[i].Message.Data()
	if rows.PutData(t.Context(), d.CID, bytes.NewReader([]byte("other data"))) == nil {
		t.Fatal("other data was stored")
	}
}
