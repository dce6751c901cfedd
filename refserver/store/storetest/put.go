package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

const alice = "did:example:alice"

func testEmpty(t *testing.T, b *bed) {
	have := b.Tenant(alice)
	newModel(alice).check(t, have, scopeOf(t, `{"interface":"Records"}`))
	if dids := tenantsOf(t, b); len(dids) != 0 {
		t.Errorf("tenants %q", dids)
	}
	outcomes, err := have.Put(t.Context(), nil)
	if err != nil || len(outcomes) != 0 {
		t.Errorf("Put of nothing: %v, %v", outcomes, err)
	}
	if _, found, err := have.Secret(t.Context(), nil); found || err != nil {
		t.Errorf("Secret: found %v, error %v", found, err)
	}
	c := note(t, 1).Message.CID()
	if _, _, err := have.OpenData(t.Context(), c); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("OpenData: %v", err)
	}
	if err := have.PutData(t.Context(), c, strings.NewReader("x")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("PutData: %v", err)
	}
	if dids := tenantsOf(t, b); len(dids) != 0 {
		t.Errorf("reading made the tenants %q", dids)
	}
}

// testCorpus stores real messages with their data, in batches, and compares all
// of it before and after opening the store again.
func testCorpus(t *testing.T, b *bed) { testSamples(t, b, Corpus(t)) }

func testVectors(t *testing.T, b *bed) {
	testSamples(t, b, load(t, "testdata/vectors/dwn/vectors.jsonl.gz"))
}

func testSamples(t *testing.T, b *bed, samples []Sample) {
	models := make(map[string]*model)
	for batch := range slices.Chunk(samples, 100) {
		parts := make(map[string][]store.Entry)
		for _, s := range batch {
			parts[s.Tenant] = append(parts[s.Tenant], s.Entry)
		}
		for did, part := range parts {
			if models[did] == nil {
				models[did] = newModel(did)
			}
			models[did].putAll(t, b.Tenant(did), part...)
		}
	}
	for _, s := range samples {
		if s.Large == nil {
			continue
		}
		named, _ := s.Message.Data()
		if err := b.Tenant(s.Tenant).PutData(t.Context(), named.CID, strings.NewReader(string(s.Large))); err != nil {
			t.Fatal(err)
		}
		models[s.Tenant].data[named.CID] = s.Large
	}
	var dids []string
	for range 2 {
		dids = dids[:0]
		for did, m := range models {
			dids = append(dids, did)
			m.check(t, b.Tenant(did), scopeOf(t, `{"protocol":"https://example.org/protocols/notes"}`),
				scopeOf(t, `{"interface":"Records","method":"Delete","schema":"https://example.org/schemas/note"}`))
		}
		slices.Sort(dids)
		if got := tenantsOf(t, b); !slices.Equal(got, dids) {
			t.Fatalf("tenants %q, want %q", got, dids)
		}
		b.reopen()
	}
}

func testOutcomes(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	full := note(t, 1)
	bare := store.Entry{Message: full.Message}
	empty := draft{n: 2, method: "Write", author: "a"}.message(t)
	m.putAll(t, have, bare, bare)
	m.check(t, have)
	m.putAll(t, have, bare, full, full, bare)
	m.check(t, have)
	m.putAll(t, have, store.Entry{Message: empty})
	m.check(t, have)
	m.putAll(t, have, store.Entry{Message: empty, Data: []byte{}})
	m.check(t, have)
	// Another message that names the same data has it at once.
	m.putAll(t, have, store.Entry{Message: draft{n: 3, method: "Write", author: "b", data: full.Data}.message(t)})
	m.check(t, have)
}

// testAllOrNothing puts batches whose last entry is bad.
func testAllOrNothing(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	m.putAll(t, have, notes(t, 0, 3)...)
	large := make([]byte, dwn.MaxInlineData+1)
	query := `{"descriptor":{"interface":"Records","method":"Query","messageTimestamp":"2025-01-01T00:00:00.000000Z","filter":{}}}`
	request, err := dwn.ParseJSON([]byte(query))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		last store.Entry
		want error
	}{
		{"data of another message", store.Entry{Message: note(t, 7).Message, Data: []byte("note 8")}, store.ErrDataMismatch},
		{"longer data", store.Entry{Message: note(t, 7).Message, Data: []byte("note 77")}, store.ErrDataMismatch},
		{"no data where there is some", store.Entry{Message: note(t, 7).Message, Data: []byte{}}, store.ErrDataMismatch},
		{"data above the limit", store.Entry{Message: draft{n: 7, method: "Write", author: "a", data: large}.message(t), Data: large}, store.ErrDataMismatch},
		{"data for a delete", store.Entry{Message: draft{n: 7, method: "Delete", author: "a", record: "r"}.message(t), Data: []byte{1}}, store.ErrDataMismatch},
		{"a request", store.Entry{Message: request}, dwn.ErrNotStored},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := have.Put(t.Context(), append(notes(t, 2, 6), test.last))
			var entryError *store.EntryError
			if !errors.Is(err, test.want) || !errors.As(err, &entryError) || entryError.Index != 4 || entryError.ID != test.last.Message.ID() {
				t.Fatalf("got %v, want %v at entry 4", err, test.want)
			}
			m.check(t, have)
		})
	}
}

func testBatchLimits(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	refuse := func(batch []store.Entry) {
		t.Helper()
		if _, err := have.Put(t.Context(), batch); !errors.Is(err, store.ErrBatch) {
			t.Fatalf("got %v, want %v", err, store.ErrBatch)
		}
		m.check(t, have)
	}
	all := notes(t, 0, store.MaxBatch+1)
	refuse(all)
	refuse([]store.Entry{{}})
	m.putAll(t, have, all[1:]...)

	var batch []store.Entry
	for n, size := 1000, 0; size <= store.MaxBatchBytes; n++ {
		data := make([]byte, dwn.MaxInlineData-n%7)
		long := draft{n: n, method: "Write", author: "a", schema: "https://s/" + strings.Repeat("x", 50_000), data: data}
		batch = append(batch, store.Entry{Message: long.message(t), Data: data})
		size += batch[len(batch)-1].Size()
	}
	refuse(batch)
	m.putAll(t, have, batch[1:]...)
	m.check(t, have)
	b.reopen()
	m.check(t, b.Tenant(alice))
}

// testLargeAttributes stores messages of nearly the greatest size, all of it in
// one attribute, that grows further when it is normalised, and deletes that inherit it.
func testLargeAttributes(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	schema := "https://example.org/" + strings.Repeat("ü", dwn.MaxMessageSize/2-1000)
	first := draft{n: 1, method: "Write", author: "a", schema: schema}.message(t)
	batch := []store.Entry{{Message: first}, {Message: draft{n: 2, method: "Write", author: "a", schema: schema}.message(t)}}
	for n := len(batch); n < store.MaxBatch; n++ {
		batch = append(batch, store.Entry{Message: draft{n: n + 1, method: "Delete", author: "a", record: first.RecordID()}.message(t)})
	}
	m.putAll(t, have, batch[2:100]...)
	m.putAll(t, have, batch...)
	scopes := []dwn.Scope{scopeOf(t, `{"method":"Delete"}`), scopeOf(t, `{"schema":"https://example.org/x"}`)}
	keys, _, err := have.Keys(t.Context(), scopes[0])
	if err != nil || len(keys) != store.MaxBatch-2 {
		t.Fatalf("%d deletes in scope, want %d (%v)", len(keys), store.MaxBatch-2, err)
	}
	count, want := 0, first.Attributes().Schema
	for e, err := range have.Log(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event == store.EventRescoped && e.Attributes.Schema != want {
			t.Fatalf("a delete inherits a schema of %d bytes, want %d", len(e.Attributes.Schema), len(want))
		} else if e.Event == store.EventRescoped {
			count++
		}
	}
	if count != 98 {
		t.Fatalf("%d deletes were rescoped, want 98", count)
	}
}

func testGetOrder(t *testing.T, b *bed) {
	have := b.Tenant(alice)
	var ids []dwn.ID
	for batch := range slices.Chunk(notes(t, 0, 600), store.MaxBatch) {
		if _, err := have.Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for _, entry := range batch {
			ids = append(ids, entry.Message.ID())
		}
	}
	slices.Reverse(ids)
	ids = append(ids, ids[:10]...)
	for i, entry := range getAll(t, have, ids) {
		if entry.Message.ID() != ids[i] {
			t.Fatalf("entry %d is not what was asked for", i)
		}
	}
	for _, at := range []int{0, 1, 255, 256, 300, 609} {
		t.Run(fmt.Sprint("missing at ", at), func(t *testing.T) {
			asked := slices.Insert(slices.Clone(ids), at, dwn.ID{1, 2, 3})
			checkMissing(t, have, asked, at)
		})
	}
}

// checkMissing checks that Get yields at entries and then what is missing.
func checkMissing(t *testing.T, have store.Messages, ids []dwn.ID, at int) {
	t.Helper()
	n := 0
	var failed error
	for _, err := range have.Get(t.Context(), ids) {
		if failed != nil {
			t.Fatal("the iteration goes on after an error")
		}
		if failed = err; err == nil {
			n++
		}
	}
	var missing *store.MissingError
	if n != at || !errors.As(failed, &missing) || missing.ID != ids[at] || !errors.Is(failed, store.ErrNotFound) {
		t.Fatalf("%d entries and then %v, want %d", n, failed, at)
	}
}
