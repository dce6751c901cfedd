package refserver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// meanwhileStore calls a function just before data that is sent under a grant is stored.
type meanwhileStore struct {
	store.Store
	call func()
}

func (s meanwhileStore) Tenant(did string) store.Tenant {
	return meanwhileTenant{s.Store.Tenant(did), s.call}
}

type meanwhileTenant struct {
	store.Tenant
	call func()
}

func (t meanwhileTenant) PutDataUnder(ctx context.Context, c cid.Cid, r io.Reader, grants []string) error {
	t.call()
	return t.Tenant.PutDataUnder(ctx, c, r, grants)
}

// TestHeldMeanwhile: bytes that are wrong are refused although the data becomes held by other
// ways while they are sent, and they do not count as sent.
func TestHeldMeanwhile(t *testing.T) {
	data := bytes.Repeat([]byte("hidden"), 10_000)
	for what, c := range map[string]struct {
		sent []byte
		want int
	}{"wrong": {append([]byte("x"), data[1:]...), 422}, "short": {data[1:], 422}, "none": {nil, 422}, "right": {data, 204}} {
		b := newOwedBed(t)
		e := b.post(written{data: data})
		url := listen(t, refserver.Node{Store: meanwhileStore{b.there.Store, func() { b.hold(data) }}}, refserver.ServerOptions{})
		d, _ := e.Message.Data()
		if status, p := putData(t, b.grantee, url, b.tenant.DID(), d.CID.String(), c.sent, b.read, b.write); status != c.want {
			t.Errorf("%s bytes: %d %+v, want %d", what, status, p, c.want)
		}
		if asked := len(b.asked()); (asked == 0) != (c.want == 204) {
			t.Errorf("%s bytes: asked for %d afterwards", what, asked)
		}
	}
}

// checkedStore calls a function when a request has looked at its grants so many times, the storing
// of data included.
type checkedStore struct {
	store.Store
	left *atomic.Int64
	call func()
}

func (s checkedStore) Tenant(did string) store.Tenant { return checkedTenant{s.Store.Tenant(did), s} }

func (s checkedStore) looked() {
	if s.left.Add(-1) == 0 {
		s.call()
	}
}

type checkedTenant struct {
	store.Tenant
	by checkedStore
}

func (t checkedTenant) PutUnder(ctx context.Context, batch []store.Entry, grants []string) ([]store.Outcome, error) {
	defer t.by.looked()
	return t.Tenant.PutUnder(ctx, batch, grants)
}

func (t checkedTenant) PutDataUnder(ctx context.Context, c cid.Cid, r io.Reader, grants []string) error {
	defer t.by.looked()
	return t.Tenant.PutDataUnder(ctx, c, r, grants)
}

// TestDataAfterRevocation: data that is sent under a grant is not stored, and not noted as sent, once
// the grant is revoked, at whatever moment that is: 403.
func TestDataAfterRevocation(t *testing.T) {
	for size, repeat := range map[string]int{"small": 1, "large": 10_000} {
		data := bytes.Repeat([]byte("mine"), repeat)
		before, after := 0, 0 // it was stored
		for checks := int64(1); ; checks++ {
			b := newOwedBed(t)
			e := b.post(written{data: data})
			d, _ := e.Message.Data()
			var left atomic.Int64
			left.Store(checks)
			stored := false // when the grant was revoked
			s := checkedStore{b.there.Store, &left, func() {
				revoke(t, b.there, b.tenant, b.write)
				stored = b.holds(d.CID)
			}}
			url := listen(t, refserver.Node{Store: s}, refserver.ServerOptions{})
			status, p := putData(t, b.grantee, url, b.tenant.DID(), d.CID.String(), data, b.read, b.write)
			if left.Load() > 0 { // the request was over before
				if status != 204 {
					t.Errorf("%s, not revoked: %d %+v", size, status, p)
				}
				break
			}
			if stored {
				after++
			} else {
				before++
			}
			if held := b.holds(d.CID); status != 403 || p.Code != "forbidden" || held != stored {
				t.Errorf("%s, revoked after check %d: %d %s, held %v, before %v", size, checks, status, p.Code, held, stored)
			}
			if asked := owedBy(t, b); len(data) > dwn.MaxInlineData && asked != 1 {
				t.Errorf("%s, revoked after check %d: %d are asked for, want 1", size, checks, asked)
			}
		}
		if before == 0 || after != 1 {
			t.Errorf("%s: revoked %d times before it was stored and %d times after", size, before, after)
		}
	}
}

// holds reports whether the node of a bed holds the data.
func (b *owedBed) holds(c cid.Cid) bool {
	b.t.Helper()
	r, _, err := b.there.Store.Tenant(b.tenant.DID()).OpenData(b.t.Context(), c)
	if err == nil {
		err = r.Close()
	} else if errors.Is(err, store.ErrNotFound) {
		return false
	}
	if err != nil {
		b.t.Error(err)
	}
	return true
}

// owedBy returns how much the grantee of a bed is asked for, whatever its grants are.
func owedBy(t *testing.T, b *owedBed) (n int) {
	t.Helper()
	for _, err := range b.there.Store.Tenant(b.tenant.DID()).WantedOf(t.Context(), b.grantee.DID()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
