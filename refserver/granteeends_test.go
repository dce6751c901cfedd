package refserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// batchStore calls a function before the second batch that is stored under grants, or the second
// time that they are only looked at.
type batchStore struct {
	store.Store
	looks bool
	count *atomic.Int64
	call  func()
}

func (s batchStore) Tenant(did string) store.Tenant { return batchTenant{s.Store.Tenant(did), s} }

type batchTenant struct {
	store.Tenant
	by batchStore
}

func (t batchTenant) PutUnder(ctx context.Context, batch []store.Entry, grants []string) ([]store.Outcome, error) {
	if len(grants) > 0 && (len(batch) == 0) == t.by.looks && t.by.count.Add(1) == 2 {
		t.by.call()
	}
	return t.Tenant.PutUnder(ctx, batch, grants)
}

// TestWritingGrantEnds: when a grant ends that a sync does not read by, the sync goes on; what may be
// pushed no more is refused one by one.
func TestWritingGrantEnds(t *testing.T) {
	const each = 260 // by the tenant and by the grantee
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	var all []store.Entry
	for n := range each {
		all = append(all,
			written{protocol: owedHere, path: "note", data: fmt.Append(nil, "mine", n)}.by(t, grantee),
			written{protocol: owedHere, path: "note", data: fmt.Append(nil, "theirs", n)}.by(t, tenant))
	}
	for _, revoked := range []bool{true, false} {
		for _, midway := range []string{"push", "pull"} {
			there, here := keepOpen(t, openNode(t)), openNode(t)
			now := time.Now()
			var later atomic.Int64 // than now, in nanoseconds
			read := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: owedHere})
			write := grantTo(t, there, tenant, auth.Grant{
				Grantee: grantee.DID(), Interface: "Records", Method: "Write", Protocol: owedHere,
				Granted: now.Add(-time.Hour).UnixMicro(), Expires: now.Add(time.Minute).UnixMicro(),
			})
			end := func() {
				if revoked {
					revoke(t, there, tenant, write)
				} else {
					later.Store(int64(2 * time.Minute))
				}
			}
			opt := refserver.SyncOptions{Direction: engine.Both, Scope: scopeOf(t, `{"protocol":"`+owedHere+`"}`)}
			fill(t, map[string]refserver.Node{"push": here, "pull": there}[midway], tenant.DID(), all)
			node := there
			var count atomic.Int64
			node.Store = batchStore{there.Store, midway == "pull", &count, end}
			url := listen(t, node, refserver.ServerOptions{Clock: func() time.Time { return now.Add(time.Duration(later.Load())) }})
			result, err := granteeClient(t, url, tenant.DID(), grantee, read, write).Sync(t.Context(), here, opt)
			switch refused := result.RefusedMessages; {
			case count.Load() < 2:
				t.Errorf("revoked %v, a %s: the grant did not end", revoked, midway)
			case midway == "pull" && (err != nil || !result.Complete || result.MessagesReceived != 2*each):
				t.Errorf("revoked %v, a pull: %+v, %v", revoked, result, err)
			case midway == "push" && (!errors.Is(err, engine.ErrIncomplete) || refused == 0 || refused >= each || len(keysOf(t, there, tenant.DID())) < 2*each-refused):
				t.Errorf("revoked %v, a push: %d refused, %d stored, %v", revoked, refused, len(keysOf(t, there, tenant.DID())), err)
			}
			for _, r := range result.Refused {
				if r.Reason != auth.ErrForbidden.Error() {
					t.Errorf("refused because %q", r.Reason)
				}
			}
		}
	}
}

// onceStore calls a function before the first call of one kind.
type onceStore struct {
	store.Store
	kind string
	once *sync.Once
	call func()
}

func (s onceStore) Tenant(did string) store.Tenant { return onceTenant{s.Store.Tenant(did), s} }

func (s onceStore) before(kind string) {
	if kind == s.kind {
		s.once.Do(s.call)
	}
}

type onceTenant struct {
	store.Tenant
	by onceStore
}

func (t onceTenant) PutUnder(ctx context.Context, batch []store.Entry, grants []string) ([]store.Outcome, error) {
	if len(batch) > 0 && len(grants) > 0 {
		t.by.before("put")
	}
	return t.Tenant.PutUnder(ctx, batch, grants)
}

func (t onceTenant) PutDataUnder(ctx context.Context, c cid.Cid, r io.Reader, grants []string) error {
	t.by.before("data")
	return t.Tenant.PutDataUnder(ctx, c, r, grants)
}

func (t onceTenant) OpenData(ctx context.Context, c cid.Cid) (io.ReadCloser, int64, error) {
	t.by.before("open")
	return t.Tenant.OpenData(ctx, c)
}

func (t onceTenant) Lend(ctx context.Context, grants []string) error {
	t.by.before("lend")
	return t.Tenant.Lend(ctx, grants)
}

// endsBefore returns a server of the bed's node where a grant is revoked before the first call of a
// kind.
func (b *owedBed) endsBefore(kind string, g auth.Grant) string {
	there := b.there
	there.Store = onceStore{there.Store, kind, new(sync.Once), func() { revoke(b.t, b.there, b.tenant, g) }}
	return listen(b.t, there, refserver.ServerOptions{})
}

// TestUnneededGrantEnds: a call by CID, and the first contact of a sync, go on when a grant ends that
// is named and that they do not rest on.
func TestUnneededGrantEnds(t *testing.T) {
	data := bytes.Repeat([]byte("mine"), 10_000)
	longer := func(b *owedBed, kind, method, protocol string) auth.Grant {
		return grantTo(t, b.there, b.tenant, auth.Grant{
			Grantee: b.grantee.DID(), Interface: kind, Method: method, Protocol: protocol, Description: "for longer",
			Granted: time.Now().Add(-time.Hour).UnixMicro(), Expires: time.Now().Add(1000 * time.Hour).UnixMicro(),
		})
	}
	post := func(b *owedBed, by *auth.Signer, ends auth.Grant) error {
		e := written{protocol: owedHere, path: "note", data: []byte("x")}.by(t, by)
		grants := []auth.Grant{b.read, b.write}
		if ends.ID != b.write.ID {
			grants = append(grants, ends)
		}
		_, err := granteeClient(t, b.endsBefore("put", ends), b.tenant.DID(), b.grantee, grants...).PostMessage(t.Context(), refserver.NewRecord(b.tenant.DID(), e.Message, e.Data))
		return err
	}
	b := newOwedBed(t)
	if err := post(b, b.grantee, longer(b, "Records", "Delete", owedHere)); err != nil {
		t.Errorf("POST of the grantee's, Records.Delete ends: %v", err)
	}
	if err := post(b, b.tenant, b.write); err != nil {
		t.Errorf("POST of the tenant's, Records.Write ends: %v", err)
	}
	b = newOwedBed(t)
	if err := post(b, b.grantee, b.write); !isForbidden(err) {
		t.Errorf("POST of the grantee's, Records.Write ends: %v", err)
	}

	b = newOwedBed(t)
	e := b.post(written{data: data})
	d, _ := e.Message.Data()
	fill(t, b.there, b.tenant.DID(), []store.Entry{written{protocol: owedElsewhere, path: "note", data: data}.by(t, b.grantee)})
	reads, writes := longer(b, "Messages", "Read", owedElsewhere), longer(b, "Records", "Write", owedElsewhere)
	if status, p := putData(t, b.grantee, b.endsBefore("data", b.read), b.tenant.DID(), d.CID.String(), data, b.read, b.write, reads, writes); status != 204 {
		t.Errorf("PUT of data that is named in two places, a grant for one ends: %d %+v", status, p)
	}

	b = newOwedBed(t)
	fill(t, b.there, b.tenant.DID(), []store.Entry{written{protocol: owedHere, path: "note", data: []byte("y")}.by(t, b.tenant)})
	opt := refserver.SyncOptions{Direction: engine.Both, Scope: scopeOf(t, `{"protocol":"`+owedHere+`"}`)}
	r, err := granteeClient(t, b.endsBefore("lend", b.write), b.tenant.DID(), b.grantee, b.read, b.write).Sync(t.Context(), openNode(t), opt)
	if err != nil || !r.Complete || r.MessagesReceived == 0 {
		t.Errorf("a sync, Records.Write ends at its first contact: %+v, %v", r, err)
	}
}

// TestReadingGrantEndsBeforeData: a call for data whose grant ends before its first byte is told so.
func TestReadingGrantEndsBeforeData(t *testing.T) {
	b := newOwedBed(t)
	data := bytes.Repeat([]byte("theirs"), 10_000)
	e := written{protocol: owedHere, path: "note", data: data}.by(t, b.tenant)
	fill(t, b.there, b.tenant.DID(), []store.Entry{e})
	b.hold(data)
	d, _ := e.Message.Data()
	here := openNode(t)
	fill(t, here, b.tenant.DID(), []store.Entry{e})
	_, err := granteeClient(t, b.endsBefore("open", b.read), b.tenant.DID(), b.grantee, b.read).GetData(t.Context(), here.Store.Tenant(b.tenant.DID()), d.CID)
	if !isForbidden(err) {
		t.Errorf("got %v", err)
	}
}
