package refserver

import (
	"errors"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// deleted returns a generated record's initial write with a schema, and its delete.
func deleted(t *testing.T) (did string, initial, deletion *dwn.Message) {
	t.Helper()
	writes := map[string]*dwn.Message{}
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: 600}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Message.IsInitialWrite() && m.Message.Attributes().Schema != "" {
			writes[m.Message.RecordID()] = m.Message
		}
		if first := writes[m.Message.RecordID()]; first != nil && m.Message.Method() == "Delete" {
			return m.Tenant, first, m.Message
		}
	}
	t.Fatal("no delete of a record with a schema")
	return "", nil, nil
}

func emptyNode(t *testing.T) Node {
	t.Helper()
	s, err := badger.Open(t.TempDir(), badger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return Node{Store: s}
}

func payloadOf(m *dwn.Message) []byte { return appendPayload(nil, store.Entry{Message: m}) }

// TestScopeOfDelete: a delete is let into a scope by its record's initial write,
// stored or in the same batch, and only by one that is authentic.
func TestScopeOfDelete(t *testing.T) {
	did, initial, deletion := deleted(t)
	scope, err := dwn.ParseScope([]byte(`{"schema":"` + initial.Attributes().Schema + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	forged := forge(t, initial)
	if !scope.Matches(forged.Attributes()) || !forged.IsInitialWrite() {
		t.Fatal("the forgery tests nothing")
	}
	for name, c := range map[string]struct {
		batch [][]byte
		want  []error
	}{
		"alone":        {[][]byte{payloadOf(deletion)}, []error{ErrScope}},
		"with initial": {[][]byte{payloadOf(deletion), payloadOf(initial)}, []error{nil, nil}},
		"with forgery": {[][]byte{payloadOf(forged), payloadOf(deletion)}, []error{auth.ErrMessage, ErrScope}},
	} {
		t.Run(name, func(t *testing.T) {
			receipts, err := emptyNode(t).Replica(did, scope).Put(t.Context(), c.batch)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.want {
				if !errors.Is(receipts[i].Err, want) {
					t.Errorf("item %d: got %v, want %v", i, receipts[i].Err, want)
				}
				if receipts[i].Key == (engine.Key{}) {
					t.Errorf("item %d: no key", i)
				}
			}
		})
	}
}

// forge returns m with a signature that is none: still an initial write, since a
// record's ID does not cover signatures.
func forge(t *testing.T, m *dwn.Message) *dwn.Message {
	t.Helper()
	text := m.AppendJSON(nil)
	a, err := m.Authorization()
	if err != nil {
		t.Fatal(err)
	}
	signature := []byte(a.Signature.Signature)
	for i := range len(text) - len(signature) {
		if string(text[i:i+len(signature)]) == string(signature) {
			text[i+5] ^= 1
		}
	}
	forged, err := dwn.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if forged.ID() == m.ID() {
		t.Fatal("nothing was forged")
	}
	return forged
}

// TestDeletesLast: a view sends deletes after everything else, whatever their time.
func TestDeletesLast(t *testing.T) {
	did, initial, deletion := deleted(t)
	n := emptyNode(t)
	later := []store.Entry{{Message: deletion}, {Message: initial}}
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: 600}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Message.Key().Compare(deletion.Key()) > 0 && len(later) < 40 {
			later = append(later, store.Entry{Message: m.Message})
		}
	}
	if _, err := n.Write(t.Context(), did, later); err != nil {
		t.Fatal(err)
	}
	view, err := n.Replica(did, dwn.Scope{}).View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := view.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	count, deletes := 0, 0
	for item, err := range view.Items(t.Context(), keys) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := parsePayload(item.Payload)
		if err != nil || e.Message.Key() != item.Key {
			t.Fatal(item.Key, err)
		}
		count++
		if e.Message.Method() == "Delete" {
			deletes++
		} else if deletes > 0 {
			t.Errorf("item %d comes after a delete", count)
		}
	}
	if count != len(later) || deletes == 0 {
		t.Errorf("%d items of %d, %d deletes", count, len(later), deletes)
	}
}
