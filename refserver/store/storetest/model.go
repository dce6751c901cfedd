package storetest

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/ipfs/go-cid"
)

// model is what a tenant should hold, kept in the plainest way.
type model struct {
	did      string
	messages map[dwn.ID]*dwn.Message
	data     map[cid.Cid][]byte
	sent     map[debt]bool
}

func newModel(did string) *model {
	return &model{did: did, messages: make(map[dwn.ID]*dwn.Message), data: make(map[cid.Cid][]byte), sent: make(map[debt]bool)}
}

// put does what Put should do with one entry, and returns what it should answer.
func (m *model) put(e store.Entry) store.Outcome {
	_, known := m.messages[e.Message.ID()]
	m.messages[e.Message.ID()] = e.Message
	added := false
	if named, ok := e.Message.Data(); ok && e.Data != nil && m.data[named.CID] == nil {
		m.data[named.CID] = append([]byte{}, e.Data...)
		added = true
	}
	switch {
	case !known:
		return store.Accepted
	case added:
		return store.DataAdded
	default:
		return store.Duplicate
	}
}

// attributes returns what scopes compare, of every message: of a delete with
// what it inherits.
func (m *model) attributes() map[dwn.ID]dwn.Attributes {
	initials := m.initials()
	all := make(map[dwn.ID]dwn.Attributes)
	for id, message := range m.messages {
		all[id] = message.Attributes()
		if initial := initials[message.RecordID()]; initial != nil && message.Method() == "Delete" {
			all[id] = all[id].Inherit(initial.Attributes())
		}
	}
	return all
}

// initials returns the initial write that counts, of every record that has one.
func (m *model) initials() map[string]*dwn.Message {
	initials := make(map[string]*dwn.Message)
	for _, message := range m.messages {
		if message.IsInitialWrite() {
			other := initials[message.RecordID()]
			if other == nil || message.Key().Compare(other.Key()) < 0 {
				initials[message.RecordID()] = message
			}
		}
	}
	return initials
}

// checkInitials asks for the initial write of every record that a message names.
func (m *model) checkInitials(t *testing.T, have store.Records) {
	t.Helper()
	initials := m.initials()
	for _, message := range m.messages {
		record := message.RecordID()
		got, found, err := have.Initial(t.Context(), record)
		if err != nil {
			t.Fatal(err)
		}
		want, exists := initials[record]
		if found != exists || exists && got != want.Attributes() {
			t.Fatalf("Initial of %s: got %+v, %v; want found %v", record, got, found, exists)
		}
	}
}

func (m *model) keys(scope dwn.Scope) []dwn.Key {
	var keys []dwn.Key
	for id, attributes := range m.attributes() {
		if scope.Matches(attributes) {
			keys = append(keys, m.messages[id].Key())
		}
	}
	slices.SortFunc(keys, dwn.Key.Compare)
	return keys
}

// check compares all that a tenant holds with the model, and what it tells in
// each of scopes.
func (m *model) check(t *testing.T, have store.Tenant, scopes ...dwn.Scope) {
	t.Helper()
	keys, last := keysOf(t, have, dwn.Scope{})
	if want := m.keys(dwn.Scope{}); !slices.Equal(keys, want) || last != uint64(len(want)) {
		t.Fatalf("Keys: %d keys at position %d that differ from the %d expected", len(keys), last, len(want))
	}
	m.checkEntries(t, have, keys)
	m.checkInitials(t, have)
	m.checkGrants(t, have)
	m.checkOwed(t, have)
	m.checkUsage(t, have)
	states := m.checkLog(t, have)
	for _, scope := range scopes {
		want := m.keys(scope)
		if got, at := keysOf(t, have, scope); !slices.Equal(got, want) || at != last {
			t.Fatalf("Keys of %s: got %d keys at position %d, want %d at %d", scope.AppendJSON(nil), len(got), at, len(want), last)
		}
		checkRanges(t, have, scope, want, last)
		folded := []dwn.Key{}
		for key, attributes := range states {
			if scope.Matches(attributes) {
				folded = append(folded, key)
			}
		}
		if slices.SortFunc(folded, dwn.Key.Compare); !slices.Equal(folded, want) {
			t.Fatalf("Log folded over %s: got %d keys, want %d", scope.AppendJSON(nil), len(folded), len(want))
		}
	}
}

func (m *model) checkEntries(t *testing.T, have store.Tenant, keys []dwn.Key) {
	t.Helper()
	ids := make([]dwn.ID, len(keys))
	for i, key := range keys {
		ids[i] = key.ID
	}
	for i, entry := range getAll(t, have, ids) {
		want := m.messages[ids[i]]
		if entry.Message.ID() != ids[i] || !bytes.Equal(entry.Message.CBOR(), want.CBOR()) {
			t.Fatalf("Get returned %s for %s", entry.Message.CID(), want.CID())
		}
		m.checkData(t, have, entry)
	}
}

func (m *model) checkData(t *testing.T, have store.Tenant, entry store.Entry) {
	t.Helper()
	named, ok := entry.Message.Data()
	data, held := m.data[named.CID]
	held = held && ok && int64(len(data)) == named.Size
	if entry.DataHeld != held {
		t.Fatalf("DataHeld is %v for %s, want %v", entry.DataHeld, entry.Message.CID(), held)
	}
	inline := held && named.Size <= dwn.MaxInlineData
	if (entry.Data != nil) != inline || inline && !bytes.Equal(entry.Data, data) {
		t.Fatalf("%d bytes of inline data for %s", len(entry.Data), entry.Message.CID())
	}
	if held {
		checkOpen(t, have, named.CID, data)
	}
}

// checkOpen compares what OpenData returns with data.
func checkOpen(t *testing.T, have store.Data, c cid.Cid, data []byte) {
	t.Helper()
	r, size, err := have.OpenData(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || size != int64(len(data)) || !bytes.Equal(got, data) {
		t.Fatalf("data %s: %d bytes of a stated %d (%v), want %d", c, len(got), size, err, len(data))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkLog checks that positions are dense and every message was accepted once,
// and returns the last attributes of each.
func (m *model) checkLog(t *testing.T, have store.Tenant) map[dwn.Key]dwn.Attributes {
	t.Helper()
	states := make(map[dwn.Key]dwn.Attributes)
	accepted := make(map[dwn.Key]uint64)
	position := uint64(0)
	entries := logOf(t, have, 0)
	for _, e := range entries {
		_, known := states[e.Key]
		switch {
		case e.State != store.StateMember:
			t.Fatalf("position %d has state %d", e.Position, e.State)
		case e.Event == store.EventAccepted && e.Position == position+1 && !known:
			position++
			accepted[e.Key] = position
		case e.Event == store.EventRescoped && e.Position == position && known:
		default:
			t.Fatalf("event %d at position %d after position %d", e.Event, e.Position, position)
		}
		if e.Accepted != accepted[e.Key] {
			t.Fatalf("position %d: accepted at %d, want %d", e.Position, e.Accepted, accepted[e.Key])
		}
		states[e.Key] = e.Attributes
	}
	checkAt(t, have, entries)
	if int(position) != len(m.messages) {
		t.Fatalf("log ends at position %d, want %d", position, len(m.messages))
	}
	all := m.attributes()
	for key, attributes := range states {
		if want := all[key.ID]; attributes != want {
			t.Fatalf("log has %+v, want %+v", attributes, want)
		}
	}
	return states
}

func keysOf(t *testing.T, have store.Messages, scope dwn.Scope) (keys []dwn.Key, last uint64) {
	t.Helper()
	keys, last, err := have.Keys(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return keys, last
}

func getAll(t *testing.T, have store.Messages, ids []dwn.ID) []store.Entry {
	t.Helper()
	var entries []store.Entry
	for entry, err := range have.Get(t.Context(), ids) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	if len(entries) != len(ids) {
		t.Fatalf("Get yields %d entries for %d IDs", len(entries), len(ids))
	}
	return entries
}

func logOf(t *testing.T, have store.Messages, from uint64) []store.LogEntry {
	t.Helper()
	var entries []store.LogEntry
	for entry, err := range have.Log(t.Context(), from) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	return entries
}

func tenantsOf(t *testing.T, have store.Store) []string {
	t.Helper()
	var dids []string
	for did, err := range have.Tenants(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		dids = append(dids, did)
		if has, err := have.Has(t.Context(), did); err != nil || !has {
			t.Fatalf("Has of %s, a tenant: %v, %v", did, has, err)
		}
	}
	if has, err := have.Has(t.Context(), "did:example:nobody"); err != nil || has {
		t.Fatalf("Has of nobody: %v, %v", has, err)
	}
	return dids
}

func wantedOf(t *testing.T, have store.Data) map[cid.Cid]int64 {
	t.Helper()
	all := make(map[cid.Cid]int64)
	for wanted, err := range have.WantedData(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if _, again := all[wanted.CID]; again {
			t.Fatalf("%s is wanted twice", wanted.CID)
		}
		all[wanted.CID] = wanted.Size
	}
	return all
}

// put puts a batch and compares the outcomes with the model's.
func (m *model) putAll(t *testing.T, have store.Messages, batch ...store.Entry) {
	t.Helper()
	got, err := have.Put(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	var want []store.Outcome
	for _, entry := range batch {
		want = append(want, m.put(entry))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("outcomes %v, want %v", got, want)
	}
}

func scopeOf(tb testing.TB, text string) dwn.Scope {
	tb.Helper()
	scope, err := dwn.ParseScope([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return scope
}
