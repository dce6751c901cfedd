package refserver_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestNoLeakByCursor (I6): a cursor costs a grantee the same, whatever became of what it may
// not read: here a hidden delete gets its record 8 200 hidden messages later.
func TestNoLeakByCursor(t *testing.T) {
	b := newLeakBed(t)
	const between = 8200 // above what the log is searched for the tenant
	late := written{protocol: leakHidden, path: "note", data: []byte("late"), at: time.Now()}.by(t, b.tenant)
	hidden := []store.Entry{written{first: late.Message}.by(t, b.tenant)}
	for n := range between {
		hidden = append(hidden, written{protocol: leakHidden, path: "note", data: fmt.Appendf(nil, "between %d", n)}.by(t, b.tenant))
	}
	next := written{protocol: leakVisible, path: "note", data: []byte("next")}.by(t, b.tenant)
	var results [2]refserver.SyncResult
	for i, more := range [][]store.Entry{nil, {late}} {
		there := b.node(t, slices.Concat(hidden[:i*len(hidden)], b.visible))
		client := granteeClient(t, listen(t, there, refserver.ServerOptions{}), b.tenant.DID(), b.grantee, b.grants...)
		here := keepOpen(t, openNode(t))
		opt := refserver.SyncOptions{
			Strategy: engine.StrategyCursor, Direction: engine.Pull, Scope: scopeOf(t, `{"protocol":"`+leakVisible+`"}`), Cursor: new(engine.CursorMemory),
		}
		for n := range 2 {
			result, err := client.Sync(t.Context(), here, opt)
			if err != nil || n > 0 && (result.Rounds != 1 || result.MessagesReceived != 1) {
				t.Fatalf("store %d, sync %d: %+v, %v", i, n, result, err)
			}
			results[i] = result
			results[i].ElapsedMS, results[i].BytesUp = 0, 0 // the token has the port of the server
			if n == 0 {
				b.fill(t, there, append(more, next))
			}
		}
	}
	if !reflect.DeepEqual(results[0], results[1]) {
		t.Errorf("the answers differ:\n%+v\n%+v", results[0], results[1])
	}
}

// slowAnswer is a client that takes its time after the first bytes of data.
type slowAnswer struct {
	*httptest.ResponseRecorder
	pause func()
}

func (s *slowAnswer) Write(p []byte) (int, error) {
	if s.pause != nil && s.Header().Get("Content-Type") == "application/octet-stream" {
		s.pause()
		s.pause = nil
	}
	return s.ResponseRecorder.Write(p)
}

// TestDataEndsWithGrant: data that is read slowly comes to an end with the grant.
func TestDataEndsWithGrant(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	const place = "https://example.org/here"
	n := openNode(t)
	read := grantTo(t, n, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: place})
	large := make([]byte, 1<<20)
	e := written{protocol: place, path: "note", data: large}.by(t, tenant)
	fill(t, n, tenant.DID(), []store.Entry{e})
	d, _ := e.Message.Data()
	if err := n.Store.Tenant(tenant.DID()).PutData(t.Context(), d.CID, bytes.NewReader(large)); err != nil {
		t.Fatal(err)
	}
	b := &leakBed{tenant: tenant, grantee: grantee, grants: []auth.Grant{read}}
	server := b.serve(t, n)
	get := func(pause func()) (size int, aborted any) {
		w := &slowAnswer{httptest.NewRecorder(), pause}
		defer func() { size, aborted = w.Body.Len(), recover() }()
		server.ServeHTTP(w, b.signed(t, http.MethodGet, "/v1/data/"+d.CID.String(), nil, nil))
		return
	}
	if size, aborted := get(nil); size != len(large) || aborted != nil {
		t.Fatalf("%d bytes, %v", size, aborted)
	}
	size, aborted := get(func() {
		revoke(t, n, tenant, read)
		time.Sleep(1100 * time.Millisecond)
	})
	if size > len(large)/2 || aborted != http.ErrAbortHandler {
		t.Errorf("%d bytes after the revocation, %v", size, aborted)
	}
}
