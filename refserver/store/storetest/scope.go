package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

var (
	schemas    = []string{"", "https://example.org/one", "https://example.org/two"}
	protocols  = []string{"", "https://example.org/p", "https://example.org/p/q"}
	contexts   = []string{"c", "c/d", "cd", "c/d/e"}
	authors    = []string{"alice", "bob"}
	recipients = []string{"", "did:example:carol"}
)

func pick(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }

// universe makes records with their updates, deletes and second signatures, in
// an order that has nothing to do with time.
func universe(tb testing.TB, rng *rand.Rand, records int) []store.Entry {
	var all []store.Entry
	add := func(d draft) *dwn.Message {
		m := d.message(tb)
		entry := store.Entry{Message: m}
		if d.method == "Write" && rng.IntN(3) > 0 {
			entry.Data = append([]byte{}, d.data...)
		}
		all = append(all, entry)
		return m
	}
	for range records {
		d := draft{
			n: rng.IntN(1 << 30), method: "Write", author: pick(rng, authors), schema: pick(rng, schemas),
			protocol: pick(rng, protocols), context: pick(rng, contexts), recipient: pick(rng, recipients),
			data: fmt.Appendf(nil, "data %d", rng.IntN(records)),
		}
		record := add(d).RecordID()
		if rng.IntN(4) == 0 {
			twin := d
			twin.signature, twin.context = "again", pick(rng, contexts)
			add(twin)
		}
		d.record, d.n, d.data = record, d.n+1, nil
		for range rng.IntN(2) {
			add(d)
		}
		for i := range rng.IntN(4) {
			add(draft{n: d.n + i + 1, method: "Delete", author: pick(rng, authors), record: record})
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func randomScope(tb testing.TB, rng *rand.Rand) dwn.Scope {
	fields := map[string]string{
		"schema": pick(rng, schemas), "protocol": pick(rng, protocols), "contextId": pick(rng, contexts),
		"author": "did:example:" + pick(rng, authors), "recipient": pick(rng, recipients),
		"method": pick(rng, []string{"Write", "Delete"}), "interface": "Records", "dataFormat": "text/plain",
	}
	text := []byte("{")
	for name, value := range fields {
		if value != "" && rng.IntN(3) == 0 {
			text = fmt.Appendf(text, "%q:%q,", name, value)
		}
	}
	if rng.IntN(4) == 0 {
		text = fmt.Appendf(text, `"messageTimestamp":{"from":%q},`, dwn.FormatTime(microsecond0+rng.Int64N(1<<40)))
	}
	return scopeOf(tb, string(append(text[:max(1, len(text)-1)], '}')))
}

// testRandomHistories puts messages in random order and batches, some of them
// several times, opens the store again now and then, and compares all it tells with the
// model.
func testRandomHistories(t *testing.T, b *bed) {
	const seed = 20261122
	rng := rand.New(rand.NewPCG(seed, 1))
	for history := range 6 {
		did := fmt.Sprintf("did:example:%d", history)
		m, all := newModel(did), withPermissions(t, rng, did, universe(t, rng, 30))
		for len(all) > 0 {
			n := min(len(all), 1+rng.IntN(40))
			batch := slices.Clone(all[:n])
			all = all[n:]
			for range rng.IntN(5) {
				batch = append(batch, batch[rng.IntN(len(batch))])
			}
			for id, known := range m.messages {
				if rng.IntN(20) == 0 && id[0]%2 == 0 {
					batch = append(batch, store.Entry{Message: known})
				}
			}
			m.putAll(t, b.Tenant(did), batch[:min(len(batch), store.MaxBatch)]...)
			if rng.IntN(4) == 0 {
				b.reopen()
			}
			scopes := make([]dwn.Scope, 12)
			for i := range scopes {
				scopes[i] = randomScope(t, rng)
			}
			m.check(t, b.Tenant(did), scopes...)
		}
	}
}

// testRescopeMany stores more deletes of one record than a page has, then its
// initial write, then more deletes.
func testRescopeMany(t *testing.T, b *bed) {
	m, have := newModel(alice), b.Tenant(alice)
	initial := draft{n: 1, method: "Write", author: "a", schema: schemas[1]}.message(t)
	var deletes []store.Entry
	for n := range 900 {
		deletes = append(deletes, store.Entry{Message: draft{n: n, method: "Delete", author: "a", record: initial.RecordID()}.message(t)})
	}
	scopes := []dwn.Scope{scopeOf(t, `{"schema":"https://example.org/one"}`), scopeOf(t, `{"schema":"https://example.org/two"}`)}
	for i := 0; i < 600; i += 200 {
		m.putAll(t, have, deletes[i:i+200]...)
	}
	m.check(t, have, scopes...)
	m.putAll(t, have, append([]store.Entry{{Message: initial}}, deletes[600:800]...)...)
	m.check(t, have, scopes...)
	m.putAll(t, have, deletes[800:]...)
	m.check(t, have, scopes...)

	whole := logOf(t, have, 1)
	for _, from := range []uint64{2, 256, 600, 601, 602, 901, 902, 5000} {
		first := slices.IndexFunc(whole, func(e store.LogEntry) bool { return e.Position >= from })
		if first < 0 {
			first = len(whole)
		}
		if got := logOf(t, have, from); !slices.Equal(got, whole[first:]) {
			t.Errorf("log from %d: %d entries, want %d", from, len(got), len(whole)-first)
		}
	}
}

// testTwins stores initial writes of one record that differ in signature and
// context, in every order: the scope of its delete must not depend on it.
func testTwins(t *testing.T, b *bed) {
	d := draft{n: 1, method: "Write", author: "a", protocol: protocols[1], context: "c"}
	parts := []store.Entry{{Message: d.message(t)}}
	for i, context := range []string{"c/d", "cd"} {
		d.signature, d.context = fmt.Sprint(i), context
		parts = append(parts, store.Entry{Message: d.message(t)})
	}
	parts = append(parts, store.Entry{Message: draft{n: 2, method: "Delete", author: "a", record: parts[0].Message.RecordID()}.message(t)})
	order := make([]store.Entry, 0, len(parts))
	var permute func(left []store.Entry)
	permute = func(left []store.Entry) {
		if len(left) > 0 {
			for i := range left {
				order = append(order, left[i])
				permute(slices.Delete(slices.Clone(left), i, i+1))
				order = order[:len(order)-1]
			}
			return
		}
		did := fmt.Sprintf("did:example:%p%v", t, ids(order))
		m, have := newModel(did), b.Tenant(did)
		for _, entry := range order {
			m.putAll(t, have, entry)
			m.check(t, have, scopeOf(t, `{"contextId":"c"}`), scopeOf(t, `{"contextId":"cd"}`), scopeOf(t, `{"contextId":"c/d"}`))
		}
	}
	permute(parts)
}

func ids(entries []store.Entry) (all []dwn.ID) {
	for _, entry := range entries {
		all = append(all, entry.Message.ID())
	}
	return all
}
