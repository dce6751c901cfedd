package storetest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/ipfs/go-cid"
)

// debt is data that a signer is asked for, or has sent.
type debt struct {
	signer string
	c      cid.Cid
}

// owed returns what signers are asked for, with its sizes, and asks the tenant too.
func (m *model) owed() map[string]map[cid.Cid]int64 {
	owed := map[string]map[cid.Cid]int64{m.did: {}, "did:example:nobody": {}}
	for _, message := range m.messages {
		signer := message.Signer()
		if owed[signer] == nil {
			owed[signer] = make(map[cid.Cid]int64)
		}
		d, ok := message.Data()
		if ok && d.Size > dwn.MaxInlineData && signer != m.did && !m.sent[debt{signer, d.CID}] {
			owed[signer][d.CID] = max(owed[signer][d.CID], d.Size)
		}
	}
	return owed
}

// checkOwed asks for what every signer of a message is asked for.
func (m *model) checkOwed(t *testing.T, have store.Owed) {
	t.Helper()
	for signer, want := range m.owed() {
		for wanted, err := range have.WantedOf(t.Context(), signer) {
			if err != nil {
				t.Fatal(err)
			}
			if size, ok := want[wanted.CID]; !ok || size != wanted.Size {
				t.Fatalf("%.80s is asked for %d bytes of %s, want %d", signer, wanted.Size, wanted.CID, size)
			}
			delete(want, wanted.CID)
		}
		if len(want) != 0 {
			t.Fatalf("%.80s is not asked for %v", signer, want)
		}
	}
}

func (m *model) sentBy(t *testing.T, have store.Tenant, signer string, c cid.Cid) {
	t.Helper()
	if err := have.SentBy(t.Context(), signer, c, nil); err != nil {
		t.Fatal(err)
	}
	m.sent[debt{signer, c}] = true
	m.check(t, have)
}

// testOwed asks signers for data that is held or not, that others name too, and that they
// have sent already.
func testOwed(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	one, two, small := randomData(31, 40_000), randomData(32, 50_000), randomData(33, 100)
	named := func(n int, author string, data []byte, size int64) cid.Cid {
		t.Helper()
		d := draft{n: n, method: "Write", author: author, data: data}
		if size != 0 {
			d.size = &size
		}
		message := d.message(t)
		m.putAll(t, have, store.Entry{Message: message})
		m.check(t, have)
		c, _ := message.Data()
		return c.CID
	}
	first := named(1, "alice", one, 0)
	if err := have.PutData(t.Context(), first, bytes.NewReader(one)); err != nil {
		t.Fatal(err)
	}
	m.data[first] = one
	m.check(t, have)
	named(2, "bob", one, 0) // which is held
	named(3, "carol", one, 0)
	named(4, "bob", one, 45_000)
	named(5, "bob", one, 41_000)
	second := named(6, "bob", two, 0) // which is not
	named(7, "bob", small, 0)
	named(8, "bob", small, 40_000)
	if err := have.PutData(t.Context(), second, bytes.NewReader(two)); err != nil {
		t.Fatal(err)
	}
	m.data[second] = two
	m.check(t, have) // it came from elsewhere: bob is asked as before
	for range 2 {
		m.sentBy(t, have, "did:example:bob", first)
	}
	b.reopen()
	have = b.Tenant(alice)
	m.check(t, have)
	named(9, "bob", one, 0) // sent before: not again
	named(10, "bob", one, 60_000)
	m.sentBy(t, have, "did:example:carol", first)
	m.sentBy(t, have, "did:example:bob", second)
	if n := len(m.owed()["did:example:bob"]); n != 1 {
		t.Errorf("bob is asked for %d, want the one that is small and said to be large", n)
	}
	other := newModel("did:example:other")
	other.check(t, b.Tenant(other.did))
	if dids := tenantsOf(t, b); len(dids) != 1 {
		t.Errorf("asking made the tenants %q", dids)
	}
}

// testManyOwed asks for more than a page has.
func testManyOwed(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	size := int64(dwn.MaxInlineData + 1)
	for from := 0; from < 600; from += 200 {
		var batch []store.Entry
		for n := from; n < from+200; n++ {
			batch = append(batch, store.Entry{Message: draft{n: n, method: "Write", author: "bob", data: fmt.Append(nil, n), size: &size}.message(t)})
		}
		m.putAll(t, have, batch...)
	}
	m.checkOwed(t, have)
	n := 0
	for range have.WantedOf(t.Context(), "did:example:bob") {
		if n++; n == 257 {
			break
		}
	}
}
