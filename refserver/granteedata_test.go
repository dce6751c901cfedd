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

// checkedStore calls a function when a request has looked at its grants so many times.
type checkedStore struct {
	store.Store
	left *atomic.Int64
	call func()
}

func (s checkedStore) Tenant(did string) store.Tenant { return checkedTenant{s.Store.Tenant(did), s} }

type checkedTenant struct {
	store.Tenant
	by checkedStore
}

func (t checkedTenant) PutUnder(ctx context.Context, batch []store.Entry, grants []string) ([]store.Outcome, error) {
	outcomes, err := t.Tenant.PutUnder(ctx, batch, grants)
	if t.by.left.Add(-1) == 0 {
		t.by.call()
	}
	return outcomes, err
}

// TestDataAfterRevocation: data that is sent under a grant is not stored, and not noted as sent, once
// the grant is revoked, at whatever moment that is: 403.
func TestDataAfterRevocation(t *testing.T) {
	for size, repeat := range map[string]int{"small": 1, "large": 10_000} {
		data := bytes.Repeat([]byte("mine"), repeat)
		for checks := int64(1); ; checks++ {
			b := newOwedBed(t)
			e := b.post(written{data: data})
			var left atomic.Int64
			left.Store(checks)
			s := checkedStore{b.there.Store, &left, func() { revoke(t, b.there, b.tenant, b.write) }}
			url := listen(t, refserver.Node{Store: s}, refserver.ServerOptions{})
			d, _ := e.Message.Data()
			status, p := putData(t, b.grantee, url, b.tenant.DID(), d.CID.String(), data, b.read, b.write)
			if left.Load() > 0 { // the request was over before
				if status != 204 || checks == 1 {
					t.Errorf("%s, not revoked: %d %+v, %d checks", size, status, p, checks-1)
				}
				break
			}
			r, _, err := b.there.Store.Tenant(b.tenant.DID()).OpenData(t.Context(), d.CID)
			if err == nil {
				_ = r.Close()
			}
			if status != 403 || p.Code != "forbidden" || !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s, revoked after check %d: %d %s, held %v", size, checks, status, p.Code, err == nil)
			}
			if asked := owedBy(t, b); len(data) > dwn.MaxInlineData && asked != 1 {
				t.Errorf("%s, revoked after check %d: %d are asked for, want 1", size, checks, asked)
			}
		}
	}
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
