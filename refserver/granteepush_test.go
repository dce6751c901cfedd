package refserver_test

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestGranteePushes: a grantee's own records go where its Records.Write grant is for, those
// of the tenant wherever it may read, and nothing else; what may not is refused one by one.
func TestGranteePushes(t *testing.T) {
	tenant, grantee, other := tenantKey(t), granteeKey(t, 0), granteeKey(t, 1)
	const here, elsewhere = "https://example.org/here", "https://example.org/elsewhere"
	there := keepOpen(t, openNode(t))
	url := listen(t, there, refserver.ServerOptions{})
	read := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: here})
	write := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Records", Method: "Write", Protocol: here, ProtocolPath: "note"})
	mine := written{protocol: here, path: "note", data: []byte("mine")}.by(t, grantee)
	tenants := written{protocol: here, path: "album", data: []byte("the tenant's")}.by(t, tenant)
	notMine := written{protocol: here, path: "note", data: []byte("another's")}.by(t, other)
	wrongPath := written{protocol: here, path: "album", data: []byte("wrong path")}.by(t, grantee)
	outside := written{protocol: elsewhere, path: "note", data: []byte("outside")}.by(t, grantee)
	deletion := written{first: tenants.Message, at: time.Now().Add(time.Second)}.by(t, grantee)
	stored := keysOf(t, there, tenant.DID())

	node := openNode(t)
	fill(t, node, tenant.DID(), []store.Entry{mine, tenants, notMine, wrongPath, outside, deletion})
	scope := scopeOf(t, `{"protocol":"`+here+`"}`)
	result, err := granteeClient(t, url, tenant.DID(), grantee, read, write).Sync(t.Context(), node, refserver.SyncOptions{Direction: engine.Push, Scope: scope})
	if !errors.Is(err, engine.ErrIncomplete) || result.RefusedMessages != 3 {
		t.Fatalf("%+v, %v", result, err)
	}
	for _, r := range result.Refused {
		if r.Reason != auth.ErrForbidden.Error() {
			t.Errorf("refused because %q", r.Reason)
		}
	}
	want := slices.Concat(stored, keysOfEntries(mine, tenants))
	slices.SortFunc(want, dwn.Key.Compare)
	if got := keysOf(t, there, tenant.DID()); !slices.Equal(got, want) {
		t.Errorf("%d messages there, want %d", len(got), len(want))
	}

	// With the reading grant alone, what the grantee signed goes nowhere.
	second := written{protocol: here, path: "note", data: []byte("second")}.by(t, grantee)
	client := granteeClient(t, url, tenant.DID(), grantee, read)
	for name, e := range map[string]store.Entry{"under no writing grant": second, "outside": outside, "known, outside of the grant": notMine} {
		_, err := client.PostMessage(t.Context(), refserver.NewRecord(tenant.DID(), e.Message, e.Data))
		if p := (*refserver.Problem)(nil); !errors.As(err, &p) || p.Code != "forbidden" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := granteeClient(t, url, tenant.DID(), grantee, read, write).PostMessage(t.Context(), refserver.NewRecord(tenant.DID(), second.Message, second.Data)); err != nil {
		t.Error(err)
	}
}

// TestGranteeReadsByCID: single messages and data are shown as in a sync.
func TestGranteeReadsByCID(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	const here, elsewhere = "https://example.org/here", "https://example.org/elsewhere"
	there := openNode(t)
	url := listen(t, there, refserver.ServerOptions{})
	read := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: here})
	write := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Records", Method: "Write", Protocol: here})
	seen, hidden := bytes.Repeat([]byte("seen"), 10_000), bytes.Repeat([]byte("hidden"), 10_000)
	inside := written{protocol: here, path: "note", data: seen}.by(t, tenant)
	outside := written{protocol: elsewhere, path: "note", data: hidden}.by(t, tenant)
	small := written{protocol: elsewhere, path: "note", data: []byte("a hidden text")}.by(t, tenant)
	fill(t, there, tenant.DID(), []store.Entry{inside, outside, small})
	for _, data := range [][]byte{seen, hidden} {
		c, _, err := datacid.Of(bytes.NewReader(data))
		if err == nil {
			err = there.Store.Tenant(tenant.DID()).PutData(t.Context(), c, bytes.NewReader(data))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	client := granteeClient(t, url, tenant.DID(), grantee, read, write)
	status := func(err error) int {
		p := (*refserver.Problem)(nil)
		if errors.As(err, &p) {
			return p.Status
		}
		if err != nil {
			t.Fatal(err)
		}
		return http.StatusOK
	}
	// Naming hidden data in a message of one's own shows nothing of it.
	bait := written{protocol: here, path: "note", data: hidden, at: time.Now().Add(time.Second)}.by(t, grantee)
	smallBait := written{protocol: here, path: "note", data: []byte("a hidden text"), at: time.Now().Add(time.Second)}.by(t, grantee)
	for _, e := range []store.Entry{bait, smallBait} {
		if _, err := client.PostMessage(t.Context(), refserver.NewRecord(tenant.DID(), e.Message, nil)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		what string
		e    store.Entry
		want int
	}{{"inside", inside, 200}, {"outside", outside, 404}, {"of its own", bait, 200}} {
		r, err := client.Message(t.Context(), c.e.Message.CID().String())
		if status(err) != c.want || r.Data != nil {
			t.Errorf("message %s: %v, %v", c.what, r, err)
		}
	}
	if r, err := client.Message(t.Context(), smallBait.Message.CID().String()); err != nil || r.Data != nil {
		t.Errorf("small bait: %v, %v", r, err)
	}
	node := openNode(t)
	fill(t, node, tenant.DID(), []store.Entry{inside, outside})
	for _, c := range []struct {
		what string
		e    store.Entry
		want int
	}{{"inside", inside, 200}, {"hidden, and named by the grantee itself", outside, 404}} {
		d, _ := c.e.Message.Data()
		if _, err := client.GetData(t.Context(), node.Store.Tenant(tenant.DID()), d.CID); status(err) != c.want {
			t.Errorf("data %s: %v", c.what, err)
		}
	}
	// Sending it tells no more: bytes that are not those named are refused, held or not.
	d, _ := bait.Message.Data()
	for what, c := range map[string]struct {
		data []byte
		want int
	}{"wrong": {append([]byte("x"), hidden[1:]...), 422}, "short": {hidden[1:], 422}, "long": {append([]byte("x"), hidden...), 422}, "right": {hidden, 204}} {
		if got, _ := putData(t, grantee, url, tenant.DID(), d.CID.String(), c.data, read, write); got != c.want {
			t.Errorf("%s bytes for held data: %d, want %d", what, got, c.want)
		}
	}
}

// TestRevokedMidway: a pull under way ends within 256 messages of the revocation of its
// grant, and so does one whose grant expires.
func TestRevokedMidway(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	there := keepOpen(t, openNode(t))
	fill(t, there, tenant.DID(), generated(t, 2000))
	now := time.Now()
	for name, end := range map[string]func(g auth.Grant){
		"revoked": func(g auth.Grant) { revoke(t, there, tenant, g) },
		"expired": func(auth.Grant) { now = now.Add(2 * time.Hour) },
	} {
		now = time.Now()
		url := listen(t, there, refserver.ServerOptions{Clock: func() time.Time { return now }})
		g := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Description: name})
		client := granteeClient(t, url, tenant.DID(), grantee, g)
		done, last := false, 0
		_, err := client.Sync(t.Context(), openNode(t), refserver.SyncOptions{Direction: engine.Pull, Progress: func(received, _ int) {
			if last = received; !done {
				done = true
				end(g)
			}
		}})
		if err == nil || !done {
			t.Fatalf("%s: %d messages, %v", name, last, err)
		}
		if last > 2*engine.BatchItems {
			t.Errorf("%s: ended after %d messages", name, last)
		}
		if _, err := client.Sync(t.Context(), openNode(t), refserver.SyncOptions{Direction: engine.Pull}); err == nil {
			t.Errorf("%s: the next sync goes on", name)
		}
	}
}

// putData sends data with a token that names grants, and returns the status of the answer.
func putData(t *testing.T, signer *auth.Signer, url, tenant, cid string, data []byte, grants ...auth.Grant) (int, refserver.Problem) {
	t.Helper()
	return request(t, signer, http.MethodPut, url, "/v1/data/"+cid, data, func(c *auth.RequestClaims) {
		c.Tenant = tenant
		for _, g := range grants {
			c.Grants = append(c.Grants, g.ID)
		}
		slices.Sort(c.Grants)
	})
}
