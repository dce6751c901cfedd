package refserver_test

import (
	"bytes"
	"context"
	"iter"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// getAs returns the status of the answer to a GET under grants.
func getAs(t *testing.T, signer *auth.Signer, url, tenant, path string, grants ...auth.Grant) (int, refserver.Problem) {
	t.Helper()
	return request(t, signer, http.MethodGet, url, path, nil, func(c *auth.RequestClaims) {
		c.Tenant = tenant
		for _, g := range grants {
			c.Grants = append(c.Grants, g.ID)
		}
		slices.Sort(c.Grants)
	})
}

// TestSeveralGrants: what a call by CID names has to be covered by any of the grants, whichever are
// named besides: naming one more takes nothing away, of syncs neither.
func TestSeveralGrants(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	there := openNode(t)
	url := listen(t, there, refserver.ServerOptions{})
	protocols := []string{"https://example.org/a", "https://example.org/b"}
	var reads, writes []auth.Grant
	var entries []store.Entry
	for _, p := range protocols {
		reads = append(reads, grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: p}))
		writes = append(writes, grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Records", Method: "Write", Protocol: p}))
		data := bytes.Repeat([]byte(p), 4000)
		e := written{protocol: p, path: "note", data: data}.by(t, tenant)
		fill(t, there, tenant.DID(), []store.Entry{e})
		d, _ := e.Message.Data()
		if err := there.Store.Tenant(tenant.DID()).PutData(t.Context(), d.CID, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	for i, p := range protocols {
		for what, c := range map[string]struct {
			grants []auth.Grant
			want   int
		}{"its grant": {reads[i : i+1], 200}, "both": {reads, 200}, "the other": {reads[1-i : 2-i], 404}} {
			d, _ := entries[i].Message.Data()
			for _, path := range []string{"/v1/messages/" + entries[i].Message.CID().String(), "/v1/data/" + d.CID.String()} {
				if got, problem := getAs(t, grantee, url, tenant.DID(), path, c.grants...); got != c.want {
					t.Errorf("%s by %s: %d %+v, want %d", path, what, got, problem, c.want)
				}
			}
		}
		client := granteeClient(t, url, tenant.DID(), grantee, slices.Concat(reads, writes)...)
		result, err := client.Sync(t.Context(), openNode(t), refserver.SyncOptions{Scope: scopeOf(t, `{"protocol":"`+p+`"}`), Direction: engine.Pull})
		if err != nil || result.MessagesReceived != 1 || result.DataReceived != 1 {
			t.Errorf("a sync of %s under both: %+v, %v", p, result, err)
		}
		mine := written{protocol: p, path: "note", data: bytes.Repeat([]byte("mine"+p), 4000)}.by(t, grantee)
		if _, err := client.PostMessage(t.Context(), refserver.NewRecord(tenant.DID(), mine.Message, nil)); err != nil {
			t.Errorf("a post into %s under both: %v", p, err)
		}
		d, _ := mine.Message.Data()
		if got, problem := putData(t, grantee, url, tenant.DID(), d.CID.String(), bytes.Repeat([]byte("mine"+p), 4000), slices.Concat(reads, writes)...); got != 204 {
			t.Errorf("data into %s under both: %d %+v", p, got, problem)
		}
	}
}

// TestUnusedGrantEnds: a call by CID goes on when a grant ends that it does not rest on.
func TestUnusedGrantEnds(t *testing.T) {
	b := newOwedBed(t)
	other := grantTo(t, b.there, b.tenant, auth.Grant{Grantee: b.grantee.DID(), Interface: "Messages", Method: "Read", Protocol: owedElsewhere})
	data := bytes.Repeat([]byte("mine"), 10_000)
	e := b.post(written{data: data})
	url := listen(t, refserver.Node{Store: meanwhileStore{Store: b.there.Store, call: func() { revoke(t, b.there, b.tenant, other) }}}, refserver.ServerOptions{})
	d, _ := e.Message.Data()
	if status, p := putData(t, b.grantee, url, b.tenant.DID(), d.CID.String(), data, b.read, b.write, other); status != 204 {
		t.Errorf("%d %+v", status, p)
	}
}

// waitingStore lets a message be read when it is told to, the first time.
type waitingStore struct {
	store.Store
	first           *atomic.Bool
	entered, goesOn chan struct{}
}

func (s waitingStore) Tenant(did string) store.Tenant { return waitingTenant{s.Store.Tenant(did), s} }

type waitingTenant struct {
	store.Tenant
	by waitingStore
}

func (t waitingTenant) Get(ctx context.Context, ids []dwn.ID) iter.Seq2[store.Entry, error] {
	if t.by.first.Swap(false) {
		close(t.by.entered)
		<-t.by.goesOn
	}
	return t.Tenant.Get(ctx, ids)
}

// TestBusyLookups: grantees look up by CID in the places of a tenant's that they have, and leave it
// its own.
func TestBusyLookups(t *testing.T) {
	b := newOwedBed(t)
	data := bytes.Repeat([]byte("large"), 10_000)
	e := written{protocol: owedHere, path: "note", data: data}.by(t, b.tenant)
	fill(t, b.there, b.tenant.DID(), []store.Entry{e})
	d, _ := e.Message.Data()
	if err := b.there.Store.Tenant(b.tenant.DID()).PutData(t.Context(), d.CID, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	held := waitingStore{b.there.Store, new(atomic.Bool), make(chan struct{}), make(chan struct{})}
	held.first.Store(true)
	url := listen(t, refserver.Node{Store: held}, refserver.ServerOptions{MaxSyncs: 2}) // one place of grantees
	message, bytes := "/v1/messages/"+e.Message.CID().String(), "/v1/data/"+d.CID.String()
	first := make(chan int)
	go func() {
		status, _ := getAs(t, b.grantee, url, b.tenant.DID(), message, b.read)
		first <- status
	}()
	<-held.entered
	for _, path := range []string{message, bytes, "/v1/data"} {
		if status, p := getAs(t, b.grantee, url, b.tenant.DID(), path, b.read, b.write); status != 503 || p.Code != "busy" {
			t.Errorf("%s by the grantee: %d %+v, want 503", path, status, p)
		}
		if status, p := getAs(t, b.tenant, url, b.tenant.DID(), path); status != 200 {
			t.Errorf("%s by the tenant: %d %+v", path, status, p)
		}
	}
	close(held.goesOn)
	if status := <-first; status != 200 {
		t.Errorf("the first: %d", status)
	}
	for _, path := range []string{message, bytes, "/v1/data"} {
		if status, p := getAs(t, b.grantee, url, b.tenant.DID(), path, b.read, b.write); status != 200 {
			t.Errorf("%s afterwards: %d %+v", path, status, p)
		}
	}
}
