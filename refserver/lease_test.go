package refserver

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// TestExpiresMidway: a request that was decided in time, and is read slowly, stores and tells
// nothing once its grant has expired.
func TestExpiresMidway(t *testing.T) {
	n, _ := keptNode(t)
	did, entries := someMessages(t, 20)
	const grantee = "did:example:grantee"
	now := int64(50)
	d, err := auth.Decide(auth.Request{Tenant: did, Signer: grantee, Direction: auth.Both, Now: now, Grants: []auth.NamedGrant{{Grant: auth.Grant{
		ID: "a grant", Grantor: did, Grantee: grantee, Granted: 1, Expires: 100, Interface: "Messages", Method: "Read",
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	by := &access{Grants: d.Grants, Until: d.Until, parts: []auth.Decision{d}, signer: grantee, tenant: n.Store.Tenant(did), clock: func() time.Time { return time.UnixMicro(now) }}
	r := n.lendReplica(did, dwn.Scope{}, by)
	put := func(from, to int) error {
		var payloads [][]byte
		for _, e := range entries[from:to] {
			payloads = append(payloads, appendPayload(nil, e))
		}
		_, err := r.Put(t.Context(), payloads)
		return err
	}
	if err := put(0, 10); err != nil {
		t.Fatal(err)
	}
	view, err := r.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := view.Keys(t.Context())
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	data := by.reader(t.Context(), bytes.NewReader([]byte("some data")))
	if _, err := data.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}

	now = 100
	if err := put(10, 20); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a push: %v", err)
	}
	if _, err := r.View(t.Context()); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a view: %v", err)
	}
	for _, err := range view.Items(t.Context(), keys) {
		if !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("an item: %v", err)
		}
	}
	if _, err := io.ReadAll(data); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("data: %v", err)
	}
	if after, _, err := n.Store.Tenant(did).Keys(t.Context(), dwn.Scope{}); err != nil || len(after) != len(keys) {
		t.Errorf("%d messages after, %d before, %v", len(after), len(keys), err)
	}
}
