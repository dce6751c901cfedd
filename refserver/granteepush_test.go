package refserver_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
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

// owned returns m with an ownerSignature over n.
func owned(t *testing.T, m *dwn.Message, by *auth.Signer, n int) *dwn.Message {
	t.Helper()
	jws, err := by.SignMessage(fmt.Appendf(nil, `{"descriptorCid":%q,"n":%d}`, m.DescriptorCID(), n))
	if err != nil {
		t.Fatal(err)
	}
	return withOwner(t, m, jws)
}

func withOwner(t *testing.T, m *dwn.Message, jws dwn.JWS) *dwn.Message {
	t.Helper()
	var whole map[string]any
	if err := json.Unmarshal(m.AppendJSON(nil), &whole); err != nil {
		t.Fatal(err)
	}
	one := map[string]any{"protected": jws.Protected, "signature": jws.Signature}
	whole["authorization"].(map[string]any)["ownerSignature"] = map[string]any{"payload": jws.Payload, "signatures": []any{one}}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	other, err := dwn.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// TestReaderMakesNoMessages: who may only read cannot store other messages of the tenant's than the
// tenant made, one by one or by a sync, and fills no quota with them.
func TestReaderMakesNoMessages(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	const p = "https://example.org/a"
	there, here := openQuota(t, t.TempDir(), store.Quota{Messages: 64}), openNode(t)
	url := listen(t, there, refserver.ServerOptions{})
	read := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: p})
	e := written{protocol: p, path: "note", data: []byte("x")}.by(t, tenant)
	fill(t, there, tenant.DID(), []store.Entry{e})
	before := keysOf(t, there, tenant.DID())
	client := granteeClient(t, url, tenant.DID(), grantee, read)
	fill(t, here, tenant.DID(), []store.Entry{e})
	for n := range 10 {
		other := owned(t, e.Message, grantee, n)
		if _, err := client.PostMessage(t.Context(), refserver.NewRecord(tenant.DID(), other, nil)); !isForbidden(err) {
			t.Errorf("message %d: %v", n, err)
		}
		fill(t, here, tenant.DID(), []store.Entry{{Message: other}})
	}
	result, err := client.Sync(t.Context(), here, refserver.SyncOptions{Direction: engine.Push, Scope: scopeOf(t, `{"protocol":"`+p+`"}`)})
	if !errors.Is(err, engine.ErrIncomplete) || result.RefusedMessages != 10 {
		t.Errorf("%+v, %v", result, err)
	}
	if got := keysOf(t, there, tenant.DID()); !slices.Equal(got, before) {
		t.Errorf("%d messages, %d before", len(got), len(before))
	}
	if _, err := client.PostMessage(t.Context(), refserver.NewRecord(tenant.DID(), owned(t, e.Message, tenant, 1), nil)); err != nil {
		t.Errorf("with the tenant's own as owner: %v", err)
	}
}

// webNoting resolves as auth.Offline does, and notes which did:web it was asked for.
type webNoting struct {
	mu   sync.Mutex
	dids []string
}

func (n *webNoting) Resolve(_ context.Context, did string) (auth.Document, error) {
	if !strings.HasPrefix(did, "did:web:") {
		return auth.ParseDID(did)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dids = append(n.dids, did)
	return auth.Document{}, fmt.Errorf("%s: %w", did, auth.ErrUnresolved)
}

// TestNothingFetchedForForbidden: for an item that may not be pushed whatever its signatures are,
// nobody is asked for a document.
func TestNothingFetchedForForbidden(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	web := &webNoting{}
	there := openNode(t)
	there.Resolver = web
	url := listen(t, there, refserver.ServerOptions{})
	const p = "https://example.org/a"
	read := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: p})
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"kid":"did:web:slow.example#k","alg":"EdDSA"}`))
	here := openNode(t)
	for what, e := range map[string]store.Entry{
		"inside": written{protocol: p, path: "note", data: []byte("x")}.by(t, tenant), "its own": written{protocol: p, path: "note"}.by(t, grantee),
		"outside": written{protocol: "https://example.org/b", path: "note"}.by(t, tenant),
	} {
		payload := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"descriptorCid":%q}`, e.Message.DescriptorCID()))
		m := withOwner(t, e.Message, dwn.JWS{Payload: payload, Protected: header, Signature: base64.RawURLEncoding.EncodeToString(make([]byte, 64))})
		_, err := granteeClient(t, url, tenant.DID(), grantee, read).PostMessage(t.Context(), refserver.NewRecord(tenant.DID(), m, nil))
		if !isForbidden(err) || len(web.dids) > 0 {
			t.Errorf("%s: %v, asked for %v", what, err, web.dids)
		}
		if _, err := here.Store.Tenant(tenant.DID()).Put(t.Context(), []store.Entry{{Message: m}}); err != nil {
			t.Fatal(err)
		}
	}
	opt := refserver.SyncOptions{Direction: engine.Push, Scope: scopeOf(t, `{"protocol":"`+p+`"}`)}
	result, err := granteeClient(t, url, tenant.DID(), grantee, read).Sync(t.Context(), here, opt)
	if !errors.Is(err, engine.ErrIncomplete) || result.RefusedMessages != 2 || len(web.dids) > 0 {
		t.Errorf("a sync: %+v, %v, asked for %v", result, err, web.dids)
	}
	if _, err := clientOf(t, url, tenant.DID(), tenant, nil).Sync(t.Context(), here, opt); err == nil || len(web.dids) == 0 {
		t.Errorf("the tenant's own sync: %v, nobody was asked", err)
	}
}

// TestUpdateNeedsItsFirstWrite: an update that a grantee may push because of a first write in the
// same batch is refused with that where the quota has no room for it.
func TestUpdateNeedsItsFirstWrite(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	const p = "https://example.org/a"
	for _, room := range []bool{true, false} {
		there := openQuota(t, t.TempDir(), store.Quota{Bytes: 160_000})
		url := listen(t, there, refserver.ServerOptions{})
		read := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: p})
		write := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Records", Method: "Write", Protocol: p})
		rows := there.Store.Tenant(tenant.DID())
		for n := byte(0); !room; n++ {
			used, err := rows.Usage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if used.Bytes > 130_000 {
				break
			}
			fill(t, there, tenant.DID(), []store.Entry{written{protocol: "https://example.org/o", path: "n", data: bytes.Repeat([]byte{n}, 3000)}.by(t, tenant)})
		}
		first := written{protocol: p, path: "note", data: bytes.Repeat([]byte("a"), 25_000), at: time.Now().Add(-time.Minute)}.by(t, grantee)
		second := written{updates: first.Message, data: []byte("small")}.by(t, grantee)
		here := openNode(t)
		fill(t, here, tenant.DID(), []store.Entry{first, second})
		result, err := granteeClient(t, url, tenant.DID(), grantee, read, write).Sync(t.Context(), here, refserver.SyncOptions{Scope: scopeOf(t, `{"protocol":"`+p+`"}`), Direction: engine.Push})
		for _, e := range []store.Entry{first, second} {
			if held := slices.Contains(keysOf(t, there, tenant.DID()), e.Message.Key()); held != room {
				t.Errorf("room %v: %d bytes held %v", room, len(e.Data), held)
			}
		}
		if want := map[bool]int{true: 0, false: 2}[room]; result.RefusedMessages != want || room != (err == nil) {
			t.Errorf("room %v: %d refused, want %d: %v", room, result.RefusedMessages, want, err)
		}
		for _, r := range result.Refused {
			if r.Reason != store.ErrQuota.Error() {
				t.Errorf("refused because %q", r.Reason)
			}
		}
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
