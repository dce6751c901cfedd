package refserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// documents is a resolver of DIDs that a test made up.
type documents map[string]auth.Document

func (d documents) Resolve(_ context.Context, did string) (auth.Document, error) {
	if doc, ok := d[did]; ok {
		return doc, nil
	}
	return auth.Offline{}.Resolve(context.Background(), did)
}

// own returns a signer for a DID, whose document it adds.
func (d documents) own(t *testing.T, did string) *auth.Signer {
	t.Helper()
	_, text := datasets.GeneratedKey(uint64(1000 + len(d)))
	var jwk map[string]string
	if err := json.Unmarshal(text, &jwk); err != nil {
		t.Fatal(err)
	}
	jwk["kid"] = did + "#k"
	private, err1 := json.Marshal(jwk)
	delete(jwk, "d")
	public, err2 := json.Marshal(jwk)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	key, err := auth.ParsePublicJWK(public)
	if err != nil {
		t.Fatal(err)
	}
	d[did] = auth.Document{DID: did, Keys: map[string]auth.PublicKey{did + "#k": key}, Authentication: map[string]bool{did + "#k": true}}
	return signerOf(t, private)
}

// adversarialDIDs returns 100 DIDs of which many begin, end or are encoded like another, or
// look like a part of a key, a path or a pattern. Those of the second list have no
// document anywhere.
func adversarialDIDs() (signing, other []string) {
	signing = []string{"did:web:abc", "did:web:abcd", "did:web:ab", "did:web:a", "did:web:abc.d", "did:web:abc-d", "did:web:abc:d", "did:web:abc:D", "did:web:abc:d:e", "did:web:abc:d%3Ae", "did:web:abc:d%3ae"}
	for port := range 20 {
		signing = append(signing, fmt.Sprint("did:web:abc%3A", 1+port), fmt.Sprint("did:web:abc%3a", 1+port), fmt.Sprint("did:web:abc:", 1+port))
	}
	for _, segment := range []string{"...", "-", "_", "__", "m", "k", "s", "0", "00", "t", "%20", "%20d", "%C3%A9", "e%CC%81", "%7C", "%22", "%2A", "%26", "%3D", "%3B"} {
		signing = append(signing, "did:web:abc:"+segment)
	}
	for len(signing) < 100 {
		signing = append(signing, signing[1]+strings.Repeat("d", len(signing)-90)) // each begins like all before it
	}
	for _, tail := range []string{"", "d", "%00", "%00d", "%2F", "%2f", "%2E%2E%2F", ".", "..", "%FF", "%FF%FF", "%0A", "%25", "%2500", "%23k", "_", "-", ":d", "%3Ad", "::d", "%20", "%5C", "%2A", "D", "1"} {
		other = append(other, "did:key:abc"+tail, "did:key:ABC"+tail, "did:web:abc"+tail, "did:keyabc:"+tail+"a")
	}
	return signing, other
}

// isolation is a server of tenants whose messages are told by a model.
type isolation struct {
	t       *testing.T
	rng     *rand.Rand
	url     string
	here    refserver.Node // where clients keep what they pulled
	signers []*auth.Signer
	canary  []store.Entry      // of each tenant, with data that name it
	model   []map[dwn.Key]bool // what each holds
}

func newIsolation(t *testing.T) *isolation {
	t.Helper()
	docs := documents{}
	there := openNode(t)
	there.Resolver = docs
	b := &isolation{t: t, rng: rand.New(rand.NewPCG(7, 8)), here: openNode(t)}
	b.here.Resolver = docs
	b.url = listen(t, keepOpen(t, there), refserver.ServerOptions{})
	signing, _ := adversarialDIDs()
	for i, did := range signing {
		s := docs.own(t, did)
		b.signers = append(b.signers, s)
		b.canary = append(b.canary, written{protocol: "https://example.org/canary", path: "note", data: fmt.Appendf(nil, "canary %d of %s", i, did)}.by(t, s))
		b.model = append(b.model, map[dwn.Key]bool{})
	}
	if len(docs) != 100 {
		t.Fatalf("%d tenants, want 100", len(docs))
	}
	return b
}

// expect fails the test unless a call was answered so.
func (b *isolation) expect(what string, who, whose, status int, p refserver.Problem, want int, code string) {
	b.t.Helper()
	if status != want || p.Code != code {
		b.t.Fatalf("%s: tenant %s, canary of %s: %d %s, want %d %s", what, b.signers[who].DID(), b.signers[whose].DID(), status, p.Code, want, code)
	}
}

// step makes one call as one tenant about the canary of another, or its own.
func (b *isolation) step() {
	b.t.Helper()
	who, whose := b.rng.IntN(len(b.signers)), b.rng.IntN(len(b.signers))
	if b.rng.IntN(3) == 0 {
		whose = who
	}
	s, e := b.signers[who], b.canary[whose]
	named, _ := e.Message.Data()
	messagePath, dataPath := "/v1/messages/"+e.Message.CID().String(), "/v1/data/"+named.CID.String()
	held := b.model[who][e.Message.Key()]
	foreign := func(c *auth.RequestClaims) { c.Tenant = b.signers[whose].DID() }
	status, code := 200, ""
	if !held {
		status, code = 404, "not-found"
	}
	switch b.rng.IntN(7) {
	case 0, 1:
		if status = 201; held {
			status = 200
		}
		got, p := request(b.t, s, "POST", b.url, "/v1/messages", recordOf(b.t, s.DID(), e), nil)
		b.expect("write", who, whose, got, p, status, "")
		b.model[who][e.Message.Key()] = true
	case 2:
		got, p := request(b.t, s, "GET", b.url, messagePath, nil, nil)
		b.expect("read", who, whose, got, p, status, code)
	case 3:
		got, p := request(b.t, s, "GET", b.url, dataPath, nil, nil)
		b.expect("read data", who, whose, got, p, status, code)
	case 4:
		if !held {
			got, p := request(b.t, s, "PUT", b.url, dataPath, e.Data, nil)
			b.expect("put data", who, whose, got, p, 404, "not-found")
		}
	case 5:
		if who != whose {
			got, p := request(b.t, s, "GET", b.url, messagePath, nil, foreign)
			b.expect("read another's", who, whose, got, p, 403, "forbidden")
		}
	case 6:
		if who != whose {
			got, p := request(b.t, s, "POST", b.url, "/v1/messages", recordOf(b.t, s.DID(), b.canary[who]), foreign)
			b.expect("write another's", who, whose, got, p, 403, "forbidden")
		}
	}
}

// pull syncs what the server has of a tenant and checks that it is what the model has.
func (b *isolation) pull(who int, strategy engine.Strategy) {
	b.t.Helper()
	did := b.signers[who].DID()
	r, err := clientOf(b.t, b.url, did, b.signers[who], nil).Sync(b.t.Context(), b.here, refserver.SyncOptions{Direction: engine.Pull, Strategy: strategy})
	if err != nil || !r.Complete {
		b.t.Fatalf("%s: %+v, %v", did, r, err)
	}
	var want []dwn.Key
	for _, e := range b.canary {
		if b.model[who][e.Message.Key()] {
			want = append(want, e.Message.Key())
		}
	}
	slices.SortFunc(want, dwn.Key.Compare)
	if got := keysOf(b.t, b.here, did); !slices.Equal(got, want) {
		b.t.Fatalf("%s: pulled %d messages, want %d", did, len(got), len(want))
	}
}

// TestTenantsApart: each of 100 tenants with names that are alike reads and pulls exactly
// what was written for it, whatever the others wrote meanwhile, the same messages included.
func TestTenantsApart(t *testing.T) {
	b := newIsolation(t)
	for n := range 2000 {
		if b.step(); n%40 == 39 {
			b.pull(b.rng.IntN(len(b.signers)), engine.Strategies()[n/40%len(engine.Strategies())])
		}
	}
	for who := range b.signers {
		b.pull(who, engine.Strategies()[who%len(engine.Strategies())])
	}
}

// TestTenantPrefix: did:key:abc and did:key:abcd, whose names begin alike, hold each
// their own, and neither is there because the other is.
func TestTenantPrefix(t *testing.T) {
	n := openNode(t)
	entries := generated(t, 12)
	dids := []string{"did:key:ab", "did:key:abc", "did:key:abcd"}
	fill(t, n, dids[1], entries[:5])
	gate, err := auth.NewGate(auth.GateOptions{Present: n.Store.Has})
	if err != nil {
		t.Fatal(err)
	}
	for i, did := range dids {
		if err := gate.Admit(t.Context(), did); (err == nil) != (i == 1) {
			t.Errorf("%s is admitted: %v", did, err)
		}
	}
	fill(t, n, dids[2], entries[5:])
	for i, want := range [][]store.Entry{nil, entries[:5], entries[5:]} {
		if got := keysOf(t, n, dids[i]); !slices.Equal(got, keysOfEntries(want...)) {
			t.Errorf("%s: %d messages, want %d", dids[i], len(got), len(want))
		}
	}
}

// TestTenantsApartUnsigned: the same for 100 names that nobody can sign for, in the node.
func TestTenantsApartUnsigned(t *testing.T) {
	n := openNode(t)
	_, dids := adversarialDIDs()
	distinct := map[string]bool{}
	for _, did := range dids {
		if err := auth.CheckDID(did); err != nil || distinct[did] {
			t.Fatalf("%s: %v, or twice", did, err)
		}
		distinct[did] = true
	}
	entries, rng := generated(t, 40), rand.New(rand.NewPCG(9, 10))
	want := make([][]store.Entry, len(dids))
	for range 1000 {
		who, e := rng.IntN(len(dids)), entries[rng.IntN(len(entries))]
		fill(t, n, dids[who], []store.Entry{e})
		want[who] = append(want[who], e)
	}
	for i, did := range dids {
		if got := keysOf(t, n, did); !slices.Equal(got, keysOfEntries(want[i]...)) {
			t.Errorf("%s: %d messages, want %d", did, len(got), len(keysOfEntries(want[i]...)))
		}
	}
}
