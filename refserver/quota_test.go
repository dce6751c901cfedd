package refserver_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// openQuota is openNode where each tenant has a quota.
func openQuota(t *testing.T, dir string, quota store.Quota) refserver.Node {
	t.Helper()
	s, err := badger.Open(dir, badger.Options{Quota: quota})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return refserver.Node{Store: s}
}

// notesBy returns n records that s writes, each with its number as data.
func notesBy(t *testing.T, s *auth.Signer, n int) (all []store.Entry) {
	t.Helper()
	for i := range n {
		at := time.Now().Add(time.Duration(i-n) * time.Millisecond)
		all = append(all, written{protocol: "https://example.org/quota", path: "note", data: []byte(strings.Repeat("x", i+1)), at: at}.by(t, s))
	}
	return all
}

// TestQuotaOfMessages: who has used up its quota is told so, may repeat, read, delete and revoke, and
// disturbs nobody else.
func TestQuotaOfMessages(t *testing.T) {
	tenant, other := tenantKey(t), granteeKey(t, 1)
	there := openQuota(t, t.TempDir(), store.Quota{Messages: 6})
	url := listen(t, there, refserver.ServerOptions{})
	given := grantTo(t, there, tenant, auth.Grant{Grantee: granteeKey(t, 0).DID(), Interface: "Messages", Method: "Read"})
	mine, theirs := notesBy(t, tenant, 7), notesBy(t, other, 6)
	expect := func(what string, s *auth.Signer, e store.Entry, want int, code string) {
		t.Helper()
		if status, p := request(t, s, "POST", url, "/v1/messages", recordOf(t, s.DID(), e), nil); status != want || p.Code != code {
			t.Fatalf("%s: %d %s, want %d %s", what, status, p.Code, want, code)
		}
	}
	for i := range 5 {
		expect("room", tenant, mine[i], 201, "")
	}
	expect("one too many", tenant, mine[5], 507, "quota")
	expect("known", tenant, mine[0], 200, "")
	for i := range 6 {
		expect("another tenant", other, theirs[i], 201, "")
	}
	expect("another tenant, one too many", other, notesBy(t, other, 1)[0], 507, "quota")
	if status, _ := request(t, tenant, "GET", url, "/v1/messages/"+mine[0].Message.CID().String(), nil, nil); status != 200 {
		t.Errorf("reading: %d", status)
	}
	expect("a delete", tenant, written{first: mine[0].Message}.by(t, tenant), 201, "")
	m, data, err := auth.MakeRevocation(tenant, given, "no more", time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	expect("a revocation", tenant, store.Entry{Message: m, Data: data}, 201, "")
	if _, revoked, err := there.Store.Tenant(tenant.DID()).Grant(t.Context(), given.ID); err != nil || !revoked {
		t.Errorf("the grant goes on: %v, %v", revoked, err)
	}
	expect("one too many, after that", tenant, mine[6], 507, "quota")
}

// TestQuotaOfData: record data that has no room is refused unread, and the room of another is
// its own.
func TestQuotaOfData(t *testing.T) {
	tenant, other := tenantKey(t), granteeKey(t, 1)
	there := openQuota(t, t.TempDir(), store.Quota{Bytes: 200_000})
	url := listen(t, there, refserver.ServerOptions{})
	put := func(s *auth.Signer, e store.Entry, data []byte) (int, string) {
		t.Helper()
		d, _ := e.Message.Data()
		status, p := request(t, s, "PUT", url, "/v1/data/"+d.CID.String(), data, nil)
		return status, p.Code
	}
	write := func(s *auth.Signer, data []byte) store.Entry {
		t.Helper()
		e := written{protocol: "https://example.org/quota", path: "note", data: data}.by(t, s)
		fill(t, there, s.DID(), []store.Entry{e})
		return e
	}
	first, second := bytes.Repeat([]byte("a"), 120_000), bytes.Repeat([]byte("b"), 120_000)
	for _, s := range []*auth.Signer{tenant, other} {
		a, b := write(s, first), write(s, second)
		if status, code := put(s, a, first); status != 204 {
			t.Fatalf("%d %s", status, code)
		}
		if status, code := put(s, b, second); status != 507 || code != "quota" {
			t.Fatalf("without room: %d %s", status, code)
		}
		if status, code := put(s, a, first); status != 204 {
			t.Errorf("held: %d %s", status, code)
		}
		d, _ := a.Message.Data()
		if status, _ := request(t, s, "GET", url, "/v1/data/"+d.CID.String(), nil, nil); status != 200 {
			t.Errorf("reading: %d", status)
		}
	}
}

// TestQuotaOfSync: what does not fit is refused item by item, each once in a sync; all else moves in both
// directions, nothing that was there is lost, and with room again the rest follows.
func TestQuotaOfSync(t *testing.T) {
	signer := tenantKey(t)
	did := signer.DID()
	entries := notesBy(t, signer, 700)
	large := written{protocol: "https://example.org/quota", path: "note", data: bytes.Repeat([]byte("large"), 100_000)}.by(t, signer)
	dir := t.TempDir()
	server := openQuota(t, dir, store.Quota{Messages: 301, Bytes: 600_000})
	url := listen(t, server, refserver.ServerOptions{})
	fill(t, server, did, entries[600:])
	here := openNode(t)
	fill(t, here, did, append(entries[:600:600], large))
	d, _ := large.Message.Data()
	if err := here.Store.Tenant(did).PutData(t.Context(), d.CID, bytes.NewReader(bytes.Repeat([]byte("large"), 100_000))); err != nil {
		t.Fatal(err)
	}
	for _, strategy := range []engine.Strategy{engine.StrategyList, engine.StrategySketch, engine.StrategyRibbon, engine.StrategyAuto} {
		before := keysOf(t, server, did)
		r, err := clientOf(t, url, did, signer, nil).Sync(t.Context(), here, refserver.SyncOptions{Strategy: strategy})
		if !errors.Is(err, engine.ErrIncomplete) || r.RefusedMessages == 0 || r.Rounds > 12 {
			t.Fatalf("%s: %+v, %v", strategy, r, err)
		}
		for _, refused := range r.Refused {
			if refused.By != "responder" || refused.Reason != store.ErrQuota.Error() {
				t.Fatalf("%s: %+v", strategy, refused)
			}
		}
		after := keysOf(t, server, did)
		if all := r.RefusedMessages + len(after); all != 701 {
			t.Errorf("%s: %d refused and %d there, want 701 in all", strategy, r.RefusedMessages, len(after))
		}
		got := keysOf(t, here, did)
		if !slices.Equal(union(after, before), after) || !slices.Equal(union(got, keysOfEntries(entries[600:]...)), got) {
			t.Errorf("%s: something is lost, or the pull did not go on", strategy)
		}
		if u, err := server.Store.Tenant(did).Usage(t.Context()); err != nil || u.Messages > 301 || u.Bytes > 600_000 {
			t.Errorf("%s: %+v, %v", strategy, u, err)
		}
	}
	if err := server.Store.Close(); err != nil {
		t.Fatal(err)
	}
	server = openQuota(t, dir, store.Quota{Messages: 701, Bytes: 10 << 20})
	r, err := clientOf(t, listen(t, server, refserver.ServerOptions{}), did, signer, nil).Sync(t.Context(), here, refserver.SyncOptions{})
	if err != nil || !r.Complete || r.DataSent != 1 || !slices.Equal(keysOf(t, server, did), keysOf(t, here, did)) {
		t.Errorf("with room again: %+v, %v", r, err)
	}
}

// TestQuotaOfPull: an initiator whose own quota is used up says so and keeps what it has. So it is with record data.
func TestQuotaOfPull(t *testing.T) {
	signer := tenantKey(t)
	did := signer.DID()
	there := openNode(t)
	large := bytes.Repeat([]byte("large"), 100_000)
	e := written{protocol: "https://example.org/quota", path: "note", data: large}.by(t, signer)
	fill(t, there, did, append(notesBy(t, signer, 50), e))
	d, _ := e.Message.Data()
	if err := there.Store.Tenant(did).PutData(t.Context(), d.CID, bytes.NewReader(large)); err != nil {
		t.Fatal(err)
	}
	url := listen(t, there, refserver.ServerOptions{})
	here := openQuota(t, t.TempDir(), store.Quota{Messages: 20})
	r, err := clientOf(t, url, did, signer, nil).Sync(t.Context(), here, refserver.SyncOptions{})
	if !errors.Is(err, engine.ErrIncomplete) || r.RefusedMessages != 31 || len(keysOf(t, here, did)) != 20 {
		t.Errorf("messages: %+v, %v", r, err)
	}
	here = openQuota(t, t.TempDir(), store.Quota{Bytes: 200_000})
	r, err = clientOf(t, url, did, signer, nil).Sync(t.Context(), here, refserver.SyncOptions{})
	if err != nil || r.DataRefused != 1 || r.DataReceived != 0 || len(keysOf(t, here, did)) != 51 {
		t.Errorf("data, from there: %+v, %v", r, err)
	}
	back := openQuota(t, t.TempDir(), store.Quota{Bytes: 200_000})
	r, err = clientOf(t, listen(t, back, refserver.ServerOptions{}), did, signer, nil).Sync(t.Context(), there, refserver.SyncOptions{})
	if err != nil || r.DataRefused != 1 || r.DataSent != 0 {
		t.Errorf("data, to there: %+v, %v", r, err)
	}
}

// TestQuotaTellsGrantee: a grantee of a tenant with little room left is told the same whether data
// that it sends is held or not, and leaves the tenant the last of its quota.
func TestQuotaTellsGrantee(t *testing.T) {
	const here, elsewhere = "https://example.org/here", "https://example.org/elsewhere"
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	var answers []string
	for _, held := range []bool{false, true} {
		there := openQuota(t, t.TempDir(), store.Quota{Bytes: 320_000})
		url := listen(t, there, refserver.ServerOptions{})
		read := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Protocol: here})
		write := grantTo(t, there, tenant, auth.Grant{Grantee: grantee.DID(), Interface: "Records", Method: "Write", Protocol: here})
		data, small := bytes.Repeat([]byte("hidden"), 10_000), bytes.Repeat([]byte("small"), 5000)
		hidden := []store.Entry{{}, {}}
		for i, content := range [][]byte{data, small} {
			hidden[i] = written{protocol: elsewhere, path: "note", data: content}.by(t, tenant)
		}
		fill(t, there, tenant.DID(), []store.Entry{{Message: hidden[0].Message}, {Message: hidden[1].Message}})
		d, _ := hidden[0].Message.Data()
		if held {
			fill(t, there, tenant.DID(), hidden[1:])
			if err := there.Store.Tenant(tenant.DID()).PutData(t.Context(), d.CID, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
		}
		bait := written{protocol: here, path: "note", data: data}.by(t, grantee)
		fill(t, there, tenant.DID(), []store.Entry{bait})
		for i := 0; ; i++ { // to the same sixteenth, whatever is held
			u, err := there.Store.Tenant(tenant.DID()).Usage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if u.Bytes > 300_000-5000 {
				break
			}
			fill(t, there, tenant.DID(), []store.Entry{written{protocol: elsewhere, path: "note", data: bytes.Repeat([]byte{byte(i)}, 3000)}.by(t, tenant)})
		}
		status, p := putData(t, grantee, url, tenant.DID(), d.CID.String(), data, read, write)
		answer := http.StatusText(status) + p.Detail
		client := granteeClient(t, url, tenant.DID(), grantee, read, write)
		for _, content := range [][]byte{small, []byte("x")} {
			e := written{protocol: here, path: "note", data: content}.by(t, grantee)
			_, err := client.PostMessage(t.Context(), refserver.NewRecord(tenant.DID(), e.Message, e.Data))
			if err != nil {
				answer += err.Error()
			}
		}
		answers = append(answers, answer)
	}
	if answers[0] != answers[1] || strings.Count(answers[0], store.ErrQuota.Error()) < 2 {
		t.Errorf("not held: %s\nheld: %s", answers[0], answers[1])
	}
}

// slowPut begins a PUT of data and returns what ends it.
func slowPut(t *testing.T, url string, signer *auth.Signer, tenant, path string, data []byte, grants ...string) (end func() int) {
	t.Helper()
	claims, err := auth.NewClaims(url, tenant, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims.Nonce, claims.Grants = nonceOf(t, url), grants
	token, err := signer.SignRequest(auth.RequestClaims{Claims: claims, Method: "PUT", URL: url + path, Body: auth.DigestOf(data)})
	if err != nil {
		t.Fatal(err)
	}
	read, write := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", url+path, read)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "DWN "+token)
	status := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	if _, err := write.Write(data[:len(data)/2]); err != nil {
		t.Fatal(err)
	}
	return func() int {
		_, err := write.Write(data[len(data)/2:])
		if err = errors.Join(err, write.Close()); err != nil {
			t.Error(err)
		}
		return <-status
	}
}

// TestBusyWrites: a tenant that has all its places with slow uploads is told that the node is busy,
// before its next call is read; another tenant's messages and data are taken meanwhile.
func TestBusyWrites(t *testing.T) {
	flooding, other := tenantKey(t), granteeKey(t, 1)
	there := openNode(t)
	url := listen(t, there, refserver.ServerOptions{MaxSyncs: 4}) // 16 places, 2 of a tenant
	var path string
	data := bytes.Repeat([]byte("flood"), 20_000)
	for _, s := range []*auth.Signer{flooding, other} {
		e := written{protocol: "https://example.org/quota", path: "note", data: data}.by(t, s)
		fill(t, there, s.DID(), []store.Entry{e})
		d, _ := e.Message.Data()
		path = "/v1/data/" + d.CID.String()
	}
	ends := []func() int{
		slowPut(t, url, flooding, flooding.DID(), path, data),
		slowPut(t, url, flooding, flooding.DID(), path, data),
	}
	mine, theirs := notesBy(t, flooding, 1)[0], notesBy(t, other, 1)[0]
	post := func(s *auth.Signer, e store.Entry) (int, string) {
		status, p := request(t, s, "POST", url, "/v1/messages", recordOf(t, s.DID(), e), nil)
		return status, p.Code
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if status, code := post(flooding, mine); status == 503 && code == "busy" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the flooding tenant: %d %s", status, code)
		}
	}
	if status, p := request(t, flooding, "PUT", url, path, data, nil); status != 503 || p.Code != "busy" {
		t.Errorf("its data: %d %s", status, p.Code)
	}
	if status, code := post(other, theirs); status != 201 {
		t.Errorf("another tenant: %d %s", status, code)
	}
	if status, p := request(t, other, "PUT", url, path, data, nil); status != 204 {
		t.Errorf("another tenant's data: %d %s", status, p.Code)
	}
	for _, end := range ends {
		if status := end(); status != 204 {
			t.Errorf("a slow upload: %d", status)
		}
	}
	if status, code := post(flooding, mine); status != 200 && status != 201 {
		t.Errorf("afterwards: %d %s", status, code)
	}
}

// TestLongestRevocation: whatever grant there can be, its tenant can revoke it when its quota is
// used up.
func TestLongestRevocation(t *testing.T) {
	tenant, grantee := tenantKey(t), granteeKey(t, 0)
	grantOf := func(protocol int) (g auth.Grant, e store.Entry, err error) {
		g = auth.Grant{
			Grantee: grantee.DID(), Interface: "Messages", Method: "Read", Granted: time.Now().UnixMicro(), Expires: time.Now().Add(time.Hour).UnixMicro(),
			Protocol: "https://example.org/" + strings.Repeat("p", protocol),
		}
		if e.Message, e.Data, err = auth.MakeGrant(tenant, g); err == nil {
			g, err = auth.ParseGrant(e.Message, e.Data)
		}
		return g, e, err
	}
	longest := sort.Search(auth.MaxGrantData, func(n int) bool { _, _, err := grantOf(n + 1); return err != nil })
	g, e, err := grantOf(longest)
	if err != nil || longest < auth.MaxGrantData*9/10 {
		t.Fatalf("a protocol of %d bytes: %v", longest, err)
	}
	there := openQuota(t, t.TempDir(), store.Quota{Messages: 3})
	fill(t, there, tenant.DID(), append(notesBy(t, tenant, 2), e))
	m, data, err := auth.MakeRevocation(tenant, g, "", time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	revocation := store.Entry{Message: m, Data: data}
	const keyID = 3072 * 4 / 3 // the longest in base64, in the place of the tenant's
	if size := revocation.Size() + keyID; size > store.MaxAlways {
		t.Errorf("a revocation may have %d bytes, %d are always taken", size, store.MaxAlways)
	}
	results, err := there.Write(t.Context(), tenant.DID(), []store.Entry{revocation})
	if err != nil || results[0].Err != nil {
		t.Errorf("%d bytes: %+v, %v", revocation.Size(), results, err)
	}
}
