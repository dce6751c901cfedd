package refserver_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

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
