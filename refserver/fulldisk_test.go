package refserver_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// revocationOf returns what revokes a grant of the bed's.
func (b *owedBed) revocationOf(g auth.Grant) store.Entry {
	b.t.Helper()
	m, data, err := auth.MakeRevocation(b.tenant, g, "", time.Now().UnixMicro())
	if err != nil {
		b.t.Fatal(err)
	}
	return store.Entry{Message: m, Data: data}
}

// grant returns the first write of a grant of the bed's.
func (b *owedBed) grant(g auth.Grant) *dwn.Message {
	b.t.Helper()
	e, _, err := b.there.Store.Tenant(b.tenant.DID()).Grant(b.t.Context(), g.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return e.Message
}

// TestFullRevoke: on a disk that is nearly full the tenant can end grants, and nothing else;
// whose grant is revoked reads no more.
func TestFullRevoke(t *testing.T) {
	b := newOwedBed(t)
	did := b.tenant.DID()
	note := written{protocol: owedHere, path: "note", data: []byte("x")}.by(t, b.tenant)
	fill(t, b.there, did, []store.Entry{note})
	get := func() int {
		status, _ := request(t, b.grantee, http.MethodGet, b.url, "/v1/messages/"+note.Message.CID().String(), nil, func(c *auth.RequestClaims) {
			c.Tenant, c.Grants = did, []string{b.read.ID}
		})
		return status
	}
	post := func(what string, e store.Entry, want int, code string) {
		t.Helper()
		if status, p := request(t, b.tenant, http.MethodPost, b.url, "/v1/messages", recordOf(t, did, e), nil); status != want || p.Code != code {
			t.Errorf("%s: %d %s, want %d %q", what, status, p.Code, want, code)
		}
	}
	revocation := b.revocationOf(b.read)
	b.free.Store(badger.DefaultMinFree - 1)
	post("a note", written{protocol: owedHere, path: "note", data: []byte("y")}.by(t, b.tenant), 507, "full")
	if got := get(); got != 200 {
		t.Errorf("before the revocation: %d", got)
	}
	b.free.Store(0)
	post("a revocation with no room at all", revocation, 507, "full")
	b.free.Store(badger.DefaultMinFree / 2)
	post("a revocation", revocation, 201, "")
	post("the same again", revocation, 200, "")
	if got := get(); got != 403 {
		t.Errorf("after the revocation: %d, want 403", got)
	}
	if _, err := b.client().Sync(t.Context(), openNode(t), refserver.SyncOptions{Direction: engine.Pull}); !isForbidden(err) {
		t.Errorf("a sync after the revocation: %v", err)
	}
	post("a delete of a note", written{first: note.Message}.by(t, b.tenant), 507, "full")
	given := b.grant(b.write)
	post("a delete of a grant", written{first: given}.by(t, b.tenant), 201, "")
	post("another delete of it", written{first: given, at: time.Now().Add(time.Second)}.by(t, b.tenant), 507, "full")
}

// TestFullMixed: what is always taken is stored, though the sync that brings it with more breaks
// off; a grantee that brings it is told that the disk is full.
func TestFullMixed(t *testing.T) {
	b := newOwedBed(t)
	did := b.tenant.DID()
	note := written{protocol: owedHere, path: "note", data: []byte("x")}.by(t, b.tenant)
	fill(t, b.there, did, []store.Entry{note})
	before := len(keysOf(t, b.there, did))
	revocation, deletion := b.revocationOf(b.write), written{first: note.Message}.by(t, b.tenant)
	b.free.Store(badger.DefaultMinFree - 1)
	if status, p := request(t, b.grantee, http.MethodPost, b.url, "/v1/messages", recordOf(t, did, deletion), func(c *auth.RequestClaims) {
		c.Tenant, c.Grants = did, []string{b.read.ID}
	}); status != 507 || p.Code != "full" {
		t.Errorf("the tenant's delete, brought by a grantee: %d %+v", status, p)
	}
	here := openNode(t)
	fill(t, here, did, append(notesBy(t, b.tenant, 5), revocation))
	_, err := clientOf(t, b.url, did, b.tenant, nil).Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Push})
	if err == nil {
		t.Error("a push onto a full disk ended well")
	}
	if got := len(keysOf(t, b.there, did)); got != before+1 {
		t.Errorf("%d messages more, want the revocation", got-before)
	}
	if _, revoked, err := b.there.Store.Tenant(did).Grant(t.Context(), b.write.ID); err != nil || !revoked {
		t.Errorf("revoked %v, %v", revoked, err)
	}
	local, _ := b.there.Write(t.Context(), did, []store.Entry{written{first: b.grant(b.read)}.by(t, b.tenant)})
	if len(local) != 1 || local[0].Err != nil || local[0].Outcome != store.Accepted {
		t.Errorf("the delete of a grant alone: %+v", local)
	}
	if _, err := b.there.Write(t.Context(), did, notesBy(t, b.tenant, 2)); !errors.Is(err, store.ErrFull) {
		t.Errorf("two notes: %v", err)
	}
}

// TestFullFirstPull: who may read can read although the disk is nearly full, the first time
// under its grant as well, and where nobody has made the tenant's secret yet.
func TestFullFirstPull(t *testing.T) {
	for _, kept := range []bool{false, true} {
		for _, made := range []bool{false, true} {
			b := newOwedBed(t)
			there, did := b.there, b.tenant.DID()
			if kept {
				there = keepOpen(t, there)
			}
			url := listen(t, there, refserver.ServerOptions{})
			fill(t, there, did, generated(t, 50))
			g := grantTo(t, there, b.tenant, auth.Grant{Grantee: b.grantee.DID(), Interface: "Messages", Method: "Read"})
			if made {
				if _, err := clientOf(t, url, did, b.tenant, nil).Sync(t.Context(), openNode(t), refserver.SyncOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			b.free.Store(badger.DefaultMinFree - 1)
			for _, strategy := range []engine.Strategy{engine.StrategyList, engine.StrategySketch} {
				here := openNode(t)
				fill(t, here, did, generated(t, 30))
				r, err := granteeClient(t, url, did, b.grantee, g).Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Pull, Strategy: strategy})
				if want := len(keysOf(t, there, did)) - 30; err != nil || r.MessagesReceived != want {
					t.Errorf("kept %v, secret made %v, %s: %d messages, want %d: %v", kept, made, strategy, r.MessagesReceived, want, err)
				}
			}
		}
	}
}
