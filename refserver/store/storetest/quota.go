package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// QuotaOpener is an Opener of stores where each tenant has a quota.
type QuotaOpener func(tb testing.TB, place string, quota store.Quota) store.Store

// RunQuotas runs the part of the suite that is about quotas.
func RunQuotas(t *testing.T, open QuotaOpener) {
	tests := []struct {
		name string
		run  func(*testing.T, QuotaOpener)
	}{
		{"Edge", testQuotaEdge},
		{"Partly", testQuotaPartly},
		{"Data", testQuotaData},
		{"DataTogether", testQuotaDataTogether},
		{"Always", testQuotaAlways},
		{"AlwaysIsBounded", testQuotaAlwaysBounded},
		{"Lent", testQuotaLent},
		{"Tenants", testQuotaTenants},
		{"Writers", testQuotaWriters},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open) })
	}
}

// quotaBed is newBed with a quota, which change may set before the store is opened again.
func quotaBed(t *testing.T, open QuotaOpener, quota *store.Quota) *bed {
	t.Helper()
	return newBed(t, func(tb testing.TB, place string) store.Store { return open(tb, place, *quota) })
}

// usage is what should count against a quota.
func (m *model) usage() store.Usage {
	u := store.Usage{Messages: int64(len(m.messages))}
	for _, message := range m.messages {
		u.Bytes += int64(len(message.CBOR()))
	}
	for _, data := range m.data {
		u.Bytes += int64(len(data))
	}
	return u
}

func (m *model) checkUsage(t *testing.T, have store.Quotas) {
	t.Helper()
	if got, err := have.Usage(t.Context()); err != nil || got != m.usage() {
		t.Fatalf("usage %+v (%v), want %+v", got, err, m.usage())
	}
}

// refuse puts a batch of which these entries have no room, and checks that nothing changes.
func (m *model) refuse(t *testing.T, have store.Tenant, grants []string, over []int, batch ...store.Entry) {
	t.Helper()
	_, err := have.PutUnder(t.Context(), batch, grants)
	var quota *store.QuotaError
	if !errors.Is(err, store.ErrQuota) || !errors.As(err, &quota) || !slices.Equal(quota.Over, over) {
		t.Fatalf("got %v, want %v of entries %v", err, store.ErrQuota, over)
	}
	m.check(t, have)
}

// testQuotaEdge fills a quota to the last message, and another to the last byte.
func testQuotaEdge(t *testing.T, open QuotaOpener) {
	all := notes(t, 0, 12)
	bytesOf := newModel(alice)
	for _, e := range all[:10] {
		bytesOf.put(e)
	}
	for name, quota := range map[string]store.Quota{"messages": {Messages: 10}, "bytes": {Bytes: bytesOf.usage().Bytes}} {
		t.Run(name, func(t *testing.T) {
			b, m := quotaBed(t, open, &quota), newModel(alice)
			m.putAll(t, b.Tenant(alice), all[:7]...)
			b.reopen()
			have := b.Tenant(alice)
			m.putAll(t, have, all[5:10]...)
			m.refuse(t, have, nil, []int{0}, all[10])
			m.putAll(t, have, all[:10]...) // what is known needs no room
			b.reopen()
			m.refuse(t, b.Tenant(alice), nil, []int{0, 1}, all[10:]...)
			m.checkReads(t, b.Tenant(alice))
		})
	}
}

// checkReads checks that what is there can be read though nothing can be added.
func (m *model) checkReads(t *testing.T, have store.Tenant) {
	t.Helper()
	m.check(t, have, scopeOf(t, `{"author":"did:example:alice"}`))
	if _, err := have.KeepSecret(t.Context(), nil, store.Secret{Generation: 1}); err != nil {
		t.Fatal(err)
	}
	if err := have.KeepFold(t.Context(), "fold", 1, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	m.checkUsage(t, have)
}

// testQuotaPartly checks that what does not fit is named, and that the rest does.
func testQuotaPartly(t *testing.T, open QuotaOpener) {
	data := randomData(20, 20_000)
	big := store.Entry{Message: draft{n: 90, method: "Write", author: "alice", data: data}.message(t), Data: data}
	bare := store.Entry{Message: big.Message}
	b, m := quotaBed(t, open, &store.Quota{Bytes: 10_000}), newModel(alice)
	have := b.Tenant(alice)
	small := notes(t, 0, 4)
	m.refuse(t, have, nil, []int{1, 3}, small[0], big, small[1], big, small[0])
	m.putAll(t, have, small[0], small[1], small[0], bare)
	m.refuse(t, have, nil, []int{1}, small[2], big)
	m.putAll(t, have, small[2], bare)
}

// testQuotaData stores data by itself: what has no room is not even read, unless it may be
// shorter than messages state, and then it is refused all the same.
func testQuotaData(t *testing.T, open QuotaOpener) {
	quota := store.Quota{}
	b, m := quotaBed(t, open, &quota), newModel(alice)
	have := b.Tenant(alice)
	data := [][]byte{randomData(21, 3<<20), randomData(22, 2<<20), randomData(23, 500), {}}
	var cids []cid.Cid
	for n, d := range data {
		cids = append(cids, naming(t, have, m, n, d))
	}
	short := int64(10) // a lie that would have room
	m.putAll(t, have, store.Entry{Message: draft{n: 50, method: "Write", author: "alice", data: data[0], size: &short}.message(t)})
	quota.Bytes = m.usage().Bytes + 2<<20 + 499
	b.reopen()
	have = b.Tenant(alice)
	r := bytes.NewReader(data[0])
	if err := have.PutData(t.Context(), cids[0], r); !errors.Is(err, store.ErrQuota) || len(data[0])-r.Len() > 2<<20+499+1 {
		t.Fatalf("data that states a size that fits too: %v, with %d bytes unread", err, r.Len())
	}
	m.check(t, have)
	store := func(i int) {
		t.Helper()
		if err := have.PutData(t.Context(), cids[i], bytes.NewReader(data[i])); err != nil {
			t.Fatal(err)
		}
		m.data[cids[i]] = data[i]
		m.check(t, have)
	}
	store(1)
	m.refusesData(t, have, cids[2])
	if err := have.Room(t.Context(), 499, false); err != nil {
		t.Fatal(err)
	}
	store(3)
	quota.Bytes++
	b.reopen()
	have = b.Tenant(alice)
	store(2)
	if err := have.PutData(t.Context(), cids[2], unreadable{t}); err != nil {
		t.Fatalf("data that is held: %v", err)
	}
}

// testQuotaDataTogether stores data while other data is read that had room when that began.
func testQuotaDataTogether(t *testing.T, open QuotaOpener) {
	for _, size := range []int{1000, 100_000, 3 << 20} {
		quota := store.Quota{}
		b, m := quotaBed(t, open, &quota), newModel(alice)
		first, second := randomData(26, size), randomData(27, size)
		slow, fast := naming(t, b.Tenant(alice), m, 1, first), naming(t, b.Tenant(alice), m, 2, second)
		quota.Bytes = m.usage().Bytes + int64(size)*3/2
		b.reopen()
		have := b.Tenant(alice)
		meanwhile := calls(func() {
			if err := have.PutData(t.Context(), fast, bytes.NewReader(second)); err != nil {
				t.Error(err)
			}
		})
		if err := have.PutData(t.Context(), slow, io.MultiReader(bytes.NewReader(first), meanwhile)); !errors.Is(err, store.ErrQuota) {
			t.Fatalf("%d bytes: got %v, want %v", size, err, store.ErrQuota)
		}
		m.data[fast] = second
		m.check(t, have)
	}
}

// refusesData checks that data has no room, and is not read.
func (m *model) refusesData(t *testing.T, have store.Tenant, c cid.Cid) {
	t.Helper()
	if err := have.PutData(t.Context(), c, unreadable{t}); !errors.Is(err, store.ErrQuota) {
		t.Fatalf("PutData: got %v, want %v", err, store.ErrQuota)
	}
	if err := have.Room(t.Context(), 500, false); !errors.Is(err, store.ErrQuota) {
		t.Fatalf("Room: got %v, want %v", err, store.ErrQuota)
	}
	if _, _, err := have.OpenData(t.Context(), c); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("OpenData: %v", err)
	}
	m.check(t, have)
}

// testQuotaAlways checks what is taken although a quota is used up: the tenant's first end of a
// grant, of either kind, and its first delete of what else is stored, if it is short, and nothing
// else.
func testQuotaAlways(t *testing.T, open QuotaOpener) {
	for name, quota := range map[string]store.Quota{"messages": {Messages: 5}, "bytes": {}} {
		t.Run(name, func(t *testing.T) {
			b, m := quotaBed(t, open, &quota), newModel(alice)
			given, written, other, theirs := grant(t, 1, alice), note(t, 2), note(t, 3), note(t, 4)
			m.putAll(t, b.Tenant(alice), given, written, other, theirs, store.Entry{Message: draft{n: 5, method: "Delete", author: "bob", record: written.Message.RecordID()}.message(t)})
			if name == "bytes" {
				quota.Bytes = m.usage().Bytes
			}
			b.reopen()
			have := b.Tenant(alice)
			record := func(e store.Entry) string { return e.Message.RecordID() }
			revoked := func(n int, e store.Entry, author string) store.Entry {
				return store.Entry{Message: revocation(n, author, record(e)).message(t)}
			}
			deleted := func(n int, record, author string) store.Entry {
				return store.Entry{Message: draft{n: n, method: "Delete", author: author, record: record}.message(t)}
			}
			long := draft{n: 13, method: "Write", author: "alice", protocol: permissions[0], path: "grant/revocation", parent: record(given), schema: "https://s/" + string(bytes.Repeat([]byte("x"), store.MaxAlways))}
			absent := note(t, 99)
			padded := draft{n: 15, method: "Delete", author: "alice", record: record(written), signature: strings.Repeat("A", store.MaxAlwaysDelete)}
			m.refuse(t, have, nil, []int{0, 1, 2, 3, 4, 5, 6, 7}, note(t, 5), revoked(10, given, "did:example:bob"), deleted(11, record(written), "bob"),
				deleted(12, record(absent), "alice"), store.Entry{Message: long.message(t)}, revoked(14, absent, alice), store.Entry{Message: padded.message(t)},
				revoked(16, written, alice))
			m.refuse(t, have, []string{record(given)}, []int{0, 1}, revoked(20, given, alice), deleted(21, record(written), "alice"))
			m.putAll(t, have, revoked(20, given, alice), deleted(21, record(written), "alice"))
			m.refuse(t, have, nil, []int{0, 1}, revoked(22, given, alice), deleted(23, record(written), "alice"))
			m.refuse(t, have, nil, []int{1}, deleted(24, record(other), "alice"), deleted(25, record(other), "alice"))
			m.putAll(t, have, deleted(26, record(given), "alice"), deleted(24, record(other), "alice"))
			m.checkReads(t, have)
		})
	}
}

// testQuotaAlwaysBounded tries to grow without end by what is always taken.
func testQuotaAlwaysBounded(t *testing.T, open QuotaOpener) {
	b, m := quotaBed(t, open, &store.Quota{Messages: 5}), newModel(alice)
	have := b.Tenant(alice)
	written := []store.Entry{grant(t, 0, alice), grant(t, 1, alice), grant(t, 2, alice), grant(t, 3, alice), grant(t, 4, alice)}
	m.putAll(t, have, written...)
	for n := range 30 {
		record := written[n%5].Message.RecordID()
		for _, e := range []store.Entry{
			{Message: draft{n: 100 + n, method: "Delete", author: "alice", record: record}.message(t)},
			{Message: revocation(100+n, alice, record).message(t)},
		} {
			if _, err := have.Put(t.Context(), []store.Entry{e}); err == nil {
				m.put(e)
			} else if !errors.Is(err, store.ErrQuota) {
				t.Fatal(err)
			}
		}
	}
	if got := m.usage().Messages; got != 15 {
		t.Errorf("%d messages, want 5 and two for each", got)
	}
	m.check(t, have)
}

// testQuotaLent writes because of a grant: in sixteenths of the quota, and whether data is
// held or not.
func testQuotaLent(t *testing.T, open QuotaOpener) {
	quota := store.Quota{}
	b, m := quotaBed(t, open, &quota), newModel(alice)
	given, hidden := grant(t, 1, alice), draft{n: 2, method: "Write", author: "alice", data: randomData(24, 9000)}
	m.putAll(t, b.Tenant(alice), given, store.Entry{Message: hidden.message(t), Data: hidden.data})
	under := []string{given.Message.RecordID()}
	quota.Bytes = 16 * 5000
	b.reopen()
	have := b.Tenant(alice)
	named := func(n int, data []byte) store.Entry {
		return store.Entry{Message: draft{n: n, method: "Write", author: "carol", data: data}.message(t), Data: data}
	}
	for n := 10; m.usage().Bytes <= quota.Bytes-2*5000; n++ {
		m.putAll(t, have, named(n, randomData(uint64(n), 3000)))
	}
	for what, data := range map[string][]byte{"held": hidden.data, "not held": randomData(25, 9000)} {
		m.refuse(t, have, under, []int{0}, named(500, data))
		if err := have.Room(t.Context(), 5001, true); !errors.Is(err, store.ErrQuota) {
			t.Errorf("room for %s: %v", what, err)
		}
	}
	if err := have.Room(t.Context(), 5000, true); err != nil {
		t.Fatal(err)
	}
	small := named(501, []byte("x"))
	if _, err := have.PutUnder(t.Context(), []store.Entry{small}, under); err != nil {
		t.Fatal(err)
	}
	m.put(small)
	for n := 600; m.usage().Bytes <= quota.Bytes-5000; n++ {
		m.putAll(t, have, named(n, randomData(uint64(n), 1000)))
	}
	m.refuse(t, have, under, []int{0}, named(502, []byte("z")))
	m.putAll(t, have, small, named(502, []byte("z"))) // the tenant itself has the last sixteenth
}

// testQuotaTenants checks that a tenant that has used up its quota takes none of another's.
func testQuotaTenants(t *testing.T, open QuotaOpener) {
	b := quotaBed(t, open, &store.Quota{Messages: 6, Bytes: 1 << 20})
	models := map[string]*model{}
	for i, did := range similarDIDs[:6] {
		m := newModel(did)
		models[did] = m
		m.putAll(t, b.Tenant(did), notes(t, i, i+6)...)
		m.refuse(t, b.Tenant(did), nil, []int{0}, note(t, 50+i))
	}
	b.reopen()
	for did, m := range models {
		m.check(t, b.Tenant(did))
	}
}

// testQuotaWriters lets eight writers at once fill a quota, with messages and with data: not one
// of them gets past it, and nothing that was accepted is missing.
func testQuotaWriters(t *testing.T, open QuotaOpener) {
	const writers = 8
	quota := store.Quota{Messages: 100, Bytes: 3 << 20}
	b, m := quotaBed(t, open, &quota), newModel(alice)
	have := b.Tenant(alice)
	data := make([][]byte, writers)
	cids := make([]cid.Cid, writers)
	for i := range data {
		data[i] = randomData(uint64(30+i), 1<<20-i)
		cids[i] = naming(t, have, m, 10_000+i, data[i])
	}
	var refused atomic.Int64
	var mu sync.Mutex // of m
	done := make(chan struct{})
	var writing, watching sync.WaitGroup
	watching.Go(func() { watchQuota(t, have, quota, done) })
	for i := range writers {
		writing.Go(func() {
			if err := have.PutData(t.Context(), cids[i], io.MultiReader(bytes.NewReader(data[i]))); err == nil {
				mu.Lock()
				m.data[cids[i]] = data[i]
				mu.Unlock()
			} else if !errors.Is(err, store.ErrQuota) {
				t.Error(err)
			}
			rng := rand.New(rand.NewPCG(uint64(i), 12))
			for range 12 {
				from := rng.IntN(160)
				batch := notes(t, from, from+1+rng.IntN(4))
				if _, err := have.Put(t.Context(), batch); errors.Is(err, store.ErrQuota) {
					refused.Add(1)
					continue
				} else if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, e := range batch {
					m.put(e)
				}
				mu.Unlock()
			}
		})
	}
	writing.Wait()
	close(done)
	watching.Wait()
	m.check(t, have)
	if u := m.usage(); refused.Load() == 0 || u.Messages < quota.Messages-4 || len(m.data) < 2 {
		t.Errorf("%d refused, %+v, %d data: this shows little", refused.Load(), u, len(m.data))
	}
}

// watchQuota checks until done that no more is kept than a quota allows.
func watchQuota(t *testing.T, have store.Tenant, quota store.Quota, done <-chan struct{}) {
	for {
		u, err := have.Usage(t.Context())
		keys, _, failed := have.Keys(t.Context(), dwn.Scope{})
		if err = errors.Join(err, failed); err != nil || u.Messages > quota.Messages || u.Bytes > quota.Bytes || int64(len(keys)) > quota.Messages {
			t.Error(fmt.Errorf("%+v, %d keys, of %+v: %w", u, len(keys), quota, err))
			return
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
