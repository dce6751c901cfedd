package storetest

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// testPutDataUnder sends data, inline and large, under grants that are revoked or not, before it
// is read or while it is: what is refused is not visible, then or later.
func testPutDataUnder(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	live, dead, dying := grant(t, 1, alice), grant(t, 2, alice), []store.Entry{grant(t, 3, alice), grant(t, 4, alice)}
	id := func(e store.Entry) string { return e.Message.RecordID() }
	m.putAll(t, have, live, dead, dying[0], dying[1], store.Entry{Message: revocation(5, alice, id(dead)).message(t)})
	one, two := id(live), id(dead)
	tests := []struct {
		name   string
		first  io.Reader // of what is read, then the data
		grants []string
		want   error
	}{
		{"live", nil, []string{one, id(dying[0])}, nil},
		{"one that is not stored", nil, []string{"bafynone", one}, nil},
		{"no grants", nil, nil, nil},
		{"revoked", unreadable{t}, []string{two}, store.ErrRevoked},
		{"the first of two revoked", unreadable{t}, []string{two, one}, store.ErrRevoked},
		{"the last of two revoked", unreadable{t}, []string{one, two}, store.ErrRevoked},
		{"another one revoked", nil, []string{one}, nil},
	}
	for n, test := range tests {
		for i, size := range []int{100, 1<<20 + 500<<10} {
			data := randomData(uint64(40+2*n+i), size)
			c := naming(t, have, m, 20+2*n+i, data)
			var r io.Reader = bytes.NewReader(data)
			if test.first != nil {
				r = io.MultiReader(test.first, r)
			}
			if err := have.PutDataUnder(t.Context(), c, r, test.grants); !errors.Is(err, test.want) {
				t.Fatalf("%s, %d bytes: got %v, want %v", test.name, size, err, test.want)
			}
			if test.want == nil {
				m.data[c] = data
			}
			m.check(t, have)
			err := have.PutDataUnder(t.Context(), c, unreadable{t}, []string{two})
			if !errors.Is(err, store.ErrRevoked) {
				t.Errorf("%s, again under a revoked one: %v", test.name, err)
			}
		}
	}
	for i, size := range []int{100, 1<<20 + 500<<10} {
		data := randomData(uint64(70+i), size)
		c := naming(t, have, m, 70+i, data)
		end := calls(func() {
			m.putAll(t, have, store.Entry{Message: revocation(9+i, alice, id(dying[i])).message(t)})
		})
		err := have.PutDataUnder(t.Context(), c, io.MultiReader(bytes.NewReader(data), end), []string{one, id(dying[i])})
		if !errors.Is(err, store.ErrRevoked) {
			t.Errorf("%d bytes, revoked when they were read: got %v, want %v", size, err, store.ErrRevoked)
		}
		m.check(t, have)
	}
	b.reopen()
	m.check(t, b.Tenant(alice))
	checkSentUnder(t, b.Tenant(alice), m, one, two)
}

// checkSentUnder notes data as sent under a grant that is live, and not under one that is dead.
func checkSentUnder(t *testing.T, have store.Tenant, m *model, live, dead string) {
	t.Helper()
	data := randomData(80, 40_000)
	message := draft{n: 80, method: "Write", author: "bob", data: data}.message(t)
	m.putAll(t, have, store.Entry{Message: message})
	c, _ := message.Data()
	for range 2 { // before it is noted, and after
		if err := have.SentBy(t.Context(), "did:example:bob", c.CID, []string{live, dead}); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("SentBy under a revoked grant: %v", err)
		}
		m.check(t, have)
		if err := have.SentBy(t.Context(), "did:example:bob", c.CID, []string{live}); err != nil {
			t.Fatal(err)
		}
		m.sent[debt{"did:example:bob", c.CID}] = true
		m.check(t, have)
	}
}
