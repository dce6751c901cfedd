package refserver_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// countingStore counts the messages that are read of it, and the keys that are asked for.
type countingStore struct {
	store.Store
	read, keys *atomic.Int64
}

func (s countingStore) Tenant(did string) store.Tenant { return countingTenant{s.Store.Tenant(did), s} }

type countingTenant struct {
	store.Tenant
	by countingStore
}

func (t countingTenant) Get(ctx context.Context, ids []dwn.ID) iter.Seq2[store.Entry, error] {
	t.by.read.Add(int64(len(ids)))
	return t.Tenant.Get(ctx, ids)
}

func (t countingTenant) Keys(ctx context.Context, scope dwn.Scope) ([]dwn.Key, uint64, error) {
	t.by.keys.Add(1)
	return t.Tenant.Keys(ctx, scope)
}

// owedBed is a node that a grantee may read and write records of one protocol on.
type owedBed struct {
	t               *testing.T
	tenant, grantee *auth.Signer
	there           refserver.Node
	url             string
	read, write     auth.Grant
	free            atomic.Uint64 // bytes on the disk
}

const (
	owedHere      = "https://example.org/here"
	owedElsewhere = "https://example.org/elsewhere"
)

func newOwedBed(t *testing.T) *owedBed {
	t.Helper()
	b := &owedBed{t: t, tenant: tenantKey(t), grantee: granteeKey(t, 0)}
	b.free.Store(1 << 40)
	s, err := badger.Open(t.TempDir(), badger.Options{FreeSpace: func(string) (uint64, error) { return b.free.Load(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b.there.Store = countingStore{s, new(atomic.Int64), new(atomic.Int64)}
	b.url = listen(t, b.there, refserver.ServerOptions{})
	b.read = grantTo(t, b.there, b.tenant, auth.Grant{Grantee: b.grantee.DID(), Interface: "Messages", Method: "Read", Protocol: owedHere})
	b.write = grantTo(t, b.there, b.tenant, auth.Grant{Grantee: b.grantee.DID(), Interface: "Records", Method: "Write", Protocol: owedHere})
	return b
}

func (b *owedBed) client() *refserver.Client {
	return granteeClient(b.t, b.url, b.tenant.DID(), b.grantee, b.read, b.write)
}

// post stores a message of the grantee's without its data.
func (b *owedBed) post(w written) store.Entry {
	b.t.Helper()
	w.protocol, w.path = owedHere, "note"
	e := w.by(b.t, b.grantee)
	if _, err := b.client().PostMessage(b.t.Context(), refserver.NewRecord(b.tenant.DID(), e.Message, nil)); err != nil {
		b.t.Fatal(err)
	}
	return e
}

// hold stores data that a message of the tenant's names which the grantee may not read.
func (b *owedBed) hold(data []byte) {
	b.t.Helper()
	e := written{protocol: owedElsewhere, path: "note", data: data}.by(b.t, b.tenant)
	fill(b.t, b.there, b.tenant.DID(), []store.Entry{e})
	d, _ := e.Message.Data()
	if err := b.there.Store.Tenant(b.tenant.DID()).PutData(b.t.Context(), d.CID, bytes.NewReader(data)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *owedBed) put(e store.Entry, data []byte) (int, refserver.Problem) {
	b.t.Helper()
	d, _ := e.Message.Data()
	return putData(b.t, b.grantee, b.url, b.tenant.DID(), d.CID.String(), data, b.read, b.write)
}

// asked returns what the grantee is asked for.
func (b *owedBed) asked() []refserver.WantedData {
	b.t.Helper()
	var wanted []refserver.WantedData
	if err := json.Unmarshal([]byte(callAs(b.t, b.grantee, b.tenant.DID(), b.url, "/v1/data", b.read, b.write)), &wanted); err != nil {
		b.t.Fatal(err)
	}
	return wanted
}

// callAs returns the body of the answer to a GET under grants.
func callAs(t *testing.T, signer *auth.Signer, tenant, url, path string, grants ...auth.Grant) string {
	t.Helper()
	claims, err := auth.NewClaims(url, tenant, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims.Nonce = nonceOf(t, url)
	for _, g := range grants {
		claims.Grants = append(claims.Grants, g.ID)
	}
	slices.Sort(claims.Grants)
	token, err := signer.SignRequest(auth.RequestClaims{Claims: claims, Method: http.MethodGet, URL: url + path, Body: auth.DigestOf(nil)})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "DWN "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", resp.StatusCode, body.String(), err)
	}
	return body.String()
}

// TestOwedOnce: a grantee is asked for its large data once, whether a message that it may not
// read had brought it or not, and not again when another of its messages names it.
func TestOwedOnce(t *testing.T) {
	data := bytes.Repeat([]byte("large"), 10_000)
	for name, held := range map[string]bool{"held": true, "not held": false} {
		b := newOwedBed(t)
		if held {
			b.hold(data)
		}
		here := openNode(t)
		rows := here.Store.Tenant(b.tenant.DID())
		opt := refserver.SyncOptions{Direction: engine.Push, Scope: scopeOf(t, `{"protocol":"`+owedHere+`"}`)}
		for n, want := range []int{1, 0, 0} {
			if n != 1 { // the first and the last bring a message
				e := written{protocol: owedHere, path: "note", data: data, at: time.Now().Add(time.Duration(n) * time.Second)}.by(t, b.grantee)
				fill(t, here, b.tenant.DID(), []store.Entry{e})
				d, _ := e.Message.Data()
				if err := rows.PutData(t.Context(), d.CID, bytes.NewReader(data)); err != nil {
					t.Fatal(err)
				}
			}
			result, err := b.client().Sync(t.Context(), here, opt)
			if err != nil || result.DataSent != want || result.DataBytesUp != int64(want*len(data)) {
				t.Errorf("%s, push %d: sent %d data of %d bytes, want %d: %v", name, n, result.DataSent, result.DataBytesUp, want, err)
			}
		}
	}
}

// TestOwedAlike: what a grantee is asked for, and told when it sends it, is the same whether
// the data is held or not, and names only what it may read.
func TestOwedAlike(t *testing.T) {
	data, other := bytes.Repeat([]byte("large"), 10_000), bytes.Repeat([]byte("other"), 10_000)
	var told [2]string
	at := time.Now()
	for i := range told {
		b := newOwedBed(t)
		if i == 0 {
			b.hold(data)
			b.hold(other)
		}
		say := func() { told[i] += fmt.Sprintln(b.asked()) }
		say()
		e := b.post(written{data: data, at: at})
		b.post(written{data: other, size: 60_000, at: at})
		outside := written{protocol: owedElsewhere, path: "note", data: append([]byte("x"), data...), at: at}.by(t, b.grantee)
		larger := written{protocol: owedElsewhere, path: "note", data: data, size: 99_999, at: at}.by(t, b.grantee)
		fill(t, b.there, b.tenant.DID(), []store.Entry{outside, larger})
		say()
		for _, bytes := range [][]byte{data[1:], data, data} {
			status, p := b.put(e, bytes)
			told[i] += fmt.Sprintln(status, p)
			say()
		}
	}
	if told[0] != told[1] || strings.Count(told[0], "50000") != 2 || strings.Contains(told[0], "99999") || strings.Count(told[0], "60000") != 4 {
		t.Errorf("told with the data held:\n%s\nand not:\n%s", told[0], told[1])
	}
}

// TestOwedCost: what is asked for is found without reading what the grantee may read.
func TestOwedCost(t *testing.T) {
	b := newOwedBed(t)
	counts := b.there.Store.(countingStore)
	rows := counts.Store.Tenant(b.tenant.DID())
	size := 10_000
	if testing.Short() || refserver.Raced {
		size = 500
	}
	batch := make([]store.Entry, 0, store.MaxBatch)
	for n := range size {
		batch = append(batch, written{protocol: owedHere, path: "note", data: fmt.Append(nil, n)}.by(t, b.grantee))
		if len(batch) == store.MaxBatch || n == size-1 {
			if _, err := rows.Put(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	open := 3
	var posted []store.Entry
	var data [][]byte
	for n := range open {
		data = append(data, bytes.Repeat([]byte{byte(n)}, 40_000))
		posted = append(posted, b.post(written{data: data[n]}))
	}
	for ; open >= 0; open-- {
		counts.read.Store(0)
		counts.keys.Store(0)
		got := len(b.asked())
		if got != open || counts.read.Load() != int64(open) || counts.keys.Load() != 0 {
			t.Errorf("asked for %d, %d messages read and keys %d times; want %d, %d and 0", got, counts.read.Load(), counts.keys.Load(), open, open)
		}
		if open > 0 {
			if status, p := b.put(posted[open-1], data[open-1]); status != http.StatusNoContent {
				t.Fatal(status, p)
			}
		}
	}
}

// TestFullAlike: on a disk that is full, or that the data would fill, a grantee is told the
// same of data that is held and of data that is not.
func TestFullAlike(t *testing.T) {
	b := newOwedBed(t)
	small, large := []byte("a hidden text"), bytes.Repeat([]byte("hidden"), 500_000)
	type sent struct {
		e    store.Entry
		data []byte
		held bool
	}
	var all []sent
	for _, data := range [][]byte{small, large} {
		missing := append([]byte("x"), data[1:]...)
		b.hold(data)
		all = append(all, sent{b.post(written{data: data}), data, true}, sent{b.post(written{data: missing}), missing, false})
	}
	for _, c := range []struct {
		free  uint64
		fills int // bytes that are too many
	}{{0, 1}, {badger.DefaultMinFree - 1, 1}, {badger.DefaultMinFree + 1<<20, len(large)}} {
		b.free.Store(c.free)
		for _, s := range all {
			right, wrong := http.StatusNoContent, http.StatusUnprocessableEntity
			if len(s.data) >= c.fills {
				right, wrong = http.StatusInsufficientStorage, http.StatusInsufficientStorage
			}
			if got, p := b.put(s.e, append([]byte("y"), s.data[1:]...)); got != wrong {
				t.Errorf("%d bytes free, %d wrong bytes, held %v: %d %+v, want %d", c.free, len(s.data), s.held, got, p, wrong)
			}
			if got, p := b.put(s.e, s.data); got != right {
				t.Errorf("%d bytes free, %d bytes, held %v: %d %+v, want %d", c.free, len(s.data), s.held, got, p, right)
			}
		}
	}
	b.free.Store(1 << 40)
	for _, s := range all {
		if got, p := b.put(s.e, s.data); got != http.StatusNoContent {
			t.Errorf("with room: %d %+v", got, p)
		}
	}
	if got := b.asked(); len(got) != 0 {
		t.Errorf("asked for %v after all was sent", got)
	}
}

// TestDeletedGrant: a grant ends when the tenant deletes its record, which rotates the lent
// secret and tells the Keeper, and not when the grantee, or somebody else, does.
func TestDeletedGrant(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	there := keepOpen(t, openNode(t))
	url := listen(t, there, refserver.ServerOptions{})
	fill(t, there, tenant.DID(), generated(t, 40))
	g := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read"})
	sync := func() error {
		_, err := granteeClient(t, url, tenant.DID(), grantee, g).Sync(t.Context(), openNode(t), refserver.SyncOptions{Direction: engine.Pull})
		return err
	}
	secret := func() store.Secret {
		s, _, err := there.Store.Tenant(tenant.DID()).Secret(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if err := sync(); err != nil {
		t.Fatal(err)
	}
	before := secret()
	var record *dwn.Message
	for e, err := range there.Store.Tenant(tenant.DID()).Grants(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Message.RecordID() == g.ID {
			record = e.Message
		}
	}
	for _, by := range []*auth.Signer{grantee, granteeKey(t, 1)} {
		fill(t, there, tenant.DID(), []store.Entry{written{first: record}.by(t, by)})
		if err := sync(); err != nil || secret() != before {
			t.Errorf("after a delete by %.20s: %v, secret %v, before %v", by.DID(), err, secret(), before)
		}
	}
	fill(t, there, tenant.DID(), []store.Entry{written{first: record}.by(t, tenant)})
	if err := sync(); !isForbidden(err) || secret().Generation != before.Generation+1 {
		t.Errorf("after the tenant's delete: %v, secret %v, before %v", err, secret(), before)
	}
}
