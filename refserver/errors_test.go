package refserver_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// draft is a sync request that a test spoils before it is sent.
type draft struct {
	signer      *auth.Signer
	claims      auth.InitClaims
	head        []wire.Frame
	items       []wire.Frame
	signedHead  []wire.Frame // what the token is signed for, if not head
	contentType string
}

func newDraft(t testing.TB, url string, signer *auth.Signer) *draft {
	t.Helper()
	claims, err := auth.NewClaims(url, signer.DID(), time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims.Nonce = nonceOf(t, url)
	return &draft{
		signer: signer, claims: auth.InitClaims{Claims: claims, Direction: auth.Both}, contentType: refserver.MediaType,
		head: []wire.Frame{body(t, wire.TypeInit, wire.Init{Version: wire.Version, Direction: wire.Both, Budget: 1 << 20})},
	}
}

func body(t testing.TB, typ wire.Type, v any) wire.Frame {
	t.Helper()
	f, err := wire.EncodeBody(typ, v)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (d *draft) bytes(t testing.TB) []byte {
	t.Helper()
	signed := d.head
	if d.signedHead != nil {
		signed = d.signedHead
	}
	d.claims.Frames = auth.Digest(wire.Hash(signed))
	token, err := d.signer.SignInit(d.claims)
	if err != nil {
		t.Fatal(err)
	}
	data := wire.Frame{Type: wire.TypeAuth, Body: []byte(token)}.Append(nil)
	for _, f := range append(d.head, d.items...) {
		data = f.Append(data)
	}
	return data
}

// post sends data as a sync and returns the status and what the problem says.
func post(t testing.TB, url, contentType string, data []byte) (int, refserver.Problem) {
	t.Helper()
	resp, err := http.Post(url+"/v1/sync", contentType, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return problem(t, resp)
}

func problem(t testing.TB, resp *http.Response) (int, refserver.Problem) {
	t.Helper()
	defer resp.Body.Close()
	var p refserver.Problem
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode < 400 {
		return resp.StatusCode, p
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if err := json.Unmarshal(text, &p); err != nil || p.Status != resp.StatusCode || p.Detail == "" || p.Title == "" {
		t.Errorf("problem %s: %v", text, err)
	}
	return resp.StatusCode, p
}

// TestSyncRefused: every way in which a sync request can be wrong has its status
// and code, and stores nothing.
func TestSyncRefused(t *testing.T) {
	signer := tenantKey(t)
	other, err := auth.GenerateSigner(auth.P256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	node := openNode(t)
	url := listen(t, node, refserver.ServerOptions{})
	good := wire.Frame{Type: wire.TypeItems, Body: []byte("no zstd")}
	filter := func(size uint64, data ...byte) []wire.Frame {
		return []wire.Frame{
			body(t, wire.TypeInit, wire.Init{Version: 1, Direction: wire.Both, Summary: &wire.Summary{Form: wire.FormFilter, Size: size}}),
			{Type: wire.TypeSummary, Body: data},
		}
	}
	for name, c := range map[string]struct {
		spoil  func(*draft)
		status int
		code   string
	}{
		"nothing spoiled": {func(*draft) {}, 200, ""},
		"media type":      {func(d *draft) { d.contentType = "application/json" }, 415, "media-type"},
		"other DID":       {func(d *draft) { d.signer = other }, 403, "forbidden"},
		"other audience":  {func(d *draft) { d.claims.Audience = "http://127.0.0.1:1" }, 401, "audience"},
		"expired": {func(d *draft) {
			d.claims.IssuedAt = time.Now().Add(-200 * time.Second)
			d.claims.Expires = time.Now().Add(-100 * time.Second)
		}, 401, "expired"},
		"too long a life": {func(d *draft) { d.claims.Expires = d.claims.IssuedAt.Add(121 * time.Second) }, 401, "expired"},
		"from the future": {func(d *draft) {
			d.claims.IssuedAt = time.Now().Add(90 * time.Second)
			d.claims.Expires = time.Now().Add(100 * time.Second)
		}, 401, "expired"},
		"hash of other frames": {func(d *draft) { d.signedHead = []wire.Frame{} }, 401, "hash"},
		"direction differs":    {func(d *draft) { d.claims.Direction = auth.Pull }, 400, "protocol"},
		"no INIT":              {func(d *draft) { d.head = nil }, 400, "frame-order"},
		"two INITs":            {func(d *draft) { d.head = append(d.head, d.head[0]) }, 400, "frame-order"},
		"wire version":         {func(d *draft) { d.head[0] = body(t, wire.TypeInit, wire.Init{Version: 99, Direction: wire.Both}) }, 400, "protocol"},
		"ACK in a request":     {func(d *draft) { d.head = append(d.head, body(t, wire.TypeDone, wire.End{})) }, 400, "frame-order"},
		"ERROR in a request":   {func(d *draft) { d.head = append(d.head, body(t, wire.TypeError, wire.Error{})) }, 400, "protocol"},
		"summary is missing":   {func(d *draft) { d.head = filter(5)[:1] }, 400, "frame-order"},
		"summary too short":    {func(d *draft) { d.head = filter(5, 1, 2, 3) }, 400, "frame"},
		"summary too long":     {func(d *draft) { d.head = filter(2, 1, 2, 3) }, 400, "frame"},
		"summary of 2^40":      {func(d *draft) { d.head = filter(1<<40, 1, 2, 3) }, 413, "too-large"},
		"filter is noise":      {func(d *draft) { d.head = filter(3, 1, 2, 3) }, 400, "filter"},
		"items are noise":      {func(d *draft) { d.items = []wire.Frame{good} }, 400, "frame"},
		"summary after items":  {func(d *draft) { d.items = []wire.Frame{good, {Type: wire.TypeSummary}} }, 400, "frame"},
		"unannounced secret": {func(d *draft) {
			d.head = append(d.head, body(t, wire.TypeSecret, wire.Secret{SecretName: wire.SecretName{Generation: 1 << 40}}))
		}, 400, "protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft(t, url, signer)
			c.spoil(d)
			status, p := post(t, url, d.contentType, d.bytes(t))
			if status != c.status || p.Code != c.code {
				t.Errorf("got %d %+v, want %d %s", status, p, c.status, c.code)
			}
		})
	}
	if keys := keysOf(t, node, signer.DID()); len(keys) != 0 {
		t.Errorf("%d messages were stored", len(keys))
	}
}

// TestSyncTruncated: a request that ends anywhere is refused.
func TestSyncTruncated(t *testing.T) {
	signer := tenantKey(t)
	url := listen(t, openNode(t), refserver.ServerOptions{})
	whole := newDraft(t, url, signer).bytes(t)
	for cut := 0; cut < len(whole); cut += 7 {
		d := newDraft(t, url, signer).bytes(t)
		if status, p := post(t, url, refserver.MediaType, d[:min(cut, len(d)-1)]); status != 400 && status != 401 {
			t.Fatalf("cut at %d: %d %+v", cut, status, p)
		}
	}
}

// TestReplay: the same bytes are taken once, and a retry signed anew is taken.
func TestReplay(t *testing.T) {
	signer := tenantKey(t)
	url := listen(t, openNode(t), refserver.ServerOptions{})
	data := newDraft(t, url, signer).bytes(t)
	for i, want := range []int{200, 401, 401} {
		if status, p := post(t, url, refserver.MediaType, data); status != want || want == 401 && p.Code != "replay" {
			t.Errorf("time %d: %d %+v", i, status, p)
		}
	}
	if status, p := post(t, url, refserver.MediaType, newDraft(t, url, signer).bytes(t)); status != 200 {
		t.Errorf("signed anew: %d %+v", status, p)
	}
	elsewhere := listen(t, openNode(t), refserver.ServerOptions{})
	if status, p := post(t, elsewhere, refserver.MediaType, newDraft(t, url, signer).bytes(t)); status != 401 || p.Code != "audience" {
		t.Errorf("at another server: %d %+v", status, p)
	}
}

// TestGate: a tenant that the gate refuses looks the same whether it is known or not.
func TestGate(t *testing.T) {
	signer := tenantKey(t)
	node := openNode(t)
	gate, err := auth.NewGate(auth.GateOptions{Present: node.Store.Has})
	if err != nil {
		t.Fatal(err)
	}
	url := listen(t, node, refserver.ServerOptions{Gate: gate})
	status, unknown := post(t, url, refserver.MediaType, newDraft(t, url, signer).bytes(t))
	if status != 403 || unknown.Code != "not-admitted" {
		t.Errorf("%d %+v", status, unknown)
	}
	fill(t, node, signer.DID(), generated(t, 3))
	if status, p := post(t, url, refserver.MediaType, newDraft(t, url, signer).bytes(t)); status != 200 {
		t.Errorf("with data here: %d %+v", status, p)
	}
}

// nonceOf returns the newest nonce of the server: within a minute of its start it takes no
// token without one.
func nonceOf(t testing.TB, url string) string {
	t.Helper()
	resp, err := http.Get(url + "/v1/info")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get(refserver.NonceHeader)
}

// request makes a signed call that is no sync; token is spoiled by spoil.
func request(t testing.TB, signer *auth.Signer, method, url, path string, data []byte, spoil func(*auth.RequestClaims)) (int, refserver.Problem) {
	t.Helper()
	claims, err := auth.NewClaims(url, signer.DID(), time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims.Nonce = nonceOf(t, url)
	c := auth.RequestClaims{Claims: claims, Method: method, URL: url + path, Body: auth.DigestOf(data)}
	if spoil != nil {
		spoil(&c)
	}
	token, err := signer.SignRequest(c)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, url+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "DWN "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return problem(t, resp)
}

// recordOf returns the JSON record of e, with data if it has some.
func recordOf(t testing.TB, tenant string, e store.Entry) []byte {
	t.Helper()
	text, err := json.Marshal(refserver.NewRecord(tenant, e.Message, e.Data))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// withData returns an initial write among entries that has data.
func withData(t testing.TB, entries []store.Entry) store.Entry {
	t.Helper()
	for _, e := range entries {
		if e.Message.IsInitialWrite() && len(e.Data) > 10 {
			return e
		}
	}
	t.Fatal("no message with data")
	return store.Entry{}
}

// TestCallsRefused: the same for the calls that are no sync.
func TestCallsRefused(t *testing.T) {
	signer := tenantKey(t)
	node := openNode(t)
	url := listen(t, node, refserver.ServerOptions{})
	entries := generated(t, 30)
	e := withData(t, entries)
	good := recordOf(t, signer.DID(), e)
	changed := func(old, replacement string) []byte {
		text := strings.Replace(string(good), old, replacement, 1)
		if text == string(good) {
			t.Fatalf("no %q in %s", old, good)
		}
		return []byte(text)
	}
	named, _ := e.Message.Data()
	unknown := dwn.CIDOf(dwn.ID{1}).String()
	query := []byte(`{"message":{"descriptor":{"interface":"Records","method":"Query","messageTimestamp":"2025-01-01T00:00:00.000000Z","filter":{}}}}`)
	wrongData := refserver.NewRecord(signer.DID(), e.Message, []byte("other bytes"))
	wrongText, err := json.Marshal(wrongData)
	if err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(good, &read); err != nil {
		t.Fatal(err)
	}
	delete(read, "cid")
	read["message"].(map[string]any)["descriptor"].(map[string]any)["dataFormat"] = "text/forged"
	forged, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, path string
		data         []byte
		spoil        func(*auth.RequestClaims)
		status       int
		code         string
	}{
		"GET nothing here":    {"GET", "/v1/messages/" + unknown, nil, nil, 404, "not-found"},
		"GET no CID":          {"GET", "/v1/messages/hello", nil, nil, 400, "cid"},
		"GET data CID":        {"GET", "/v1/messages/" + named.CID.String(), nil, nil, 400, "cid"},
		"GET upper case CID":  {"GET", "/v1/messages/" + strings.ToUpper(unknown), nil, nil, 400, "cid"},
		"data not here":       {"GET", "/v1/data/" + named.CID.String(), nil, nil, 404, "not-found"},
		"other method":        {"GET", "/v1/messages/" + unknown, nil, func(c *auth.RequestClaims) { c.Method = "POST" }, 401, "audience"},
		"other URL":           {"GET", "/v1/messages/" + unknown, nil, func(c *auth.RequestClaims) { c.URL += "x" }, 401, "audience"},
		"other body":          {"POST", "/v1/messages", good, func(c *auth.RequestClaims) { c.Body = auth.DigestOf(nil) }, 401, "hash"},
		"no JSON":             {"POST", "/v1/messages", []byte("{"), nil, 400, "record"},
		"no message":          {"POST", "/v1/messages", []byte("{}"), nil, 400, "record"},
		"other CID":           {"POST", "/v1/messages", changed(e.Message.CID().String(), unknown), nil, 400, "record"},
		"a query":             {"POST", "/v1/messages", query, nil, 422, "not-stored"},
		"forged":              {"POST", "/v1/messages", forged, nil, 422, "message-signature"},
		"other data":          {"POST", "/v1/messages", wrongText, nil, 422, "data-mismatch"},
		"too long":            {"POST", "/v1/messages", bytes.Repeat([]byte(" "), 4<<20), nil, 413, "too-large"},
		"data of nobody":      {"PUT", "/v1/data/" + named.CID.String(), e.Data, nil, 404, "not-found"},
		"another DID's":       {"GET", "/v1/messages/" + unknown, nil, func(c *auth.RequestClaims) { c.Tenant = "did:example:bob" }, 403, "forbidden"},
		"large data in place": {"POST", "/v1/messages", recordOf(t, signer.DID(), store.Entry{Message: e.Message, Data: make([]byte, 30001)}), nil, 413, "inline"},
	} {
		t.Run(name, func(t *testing.T) {
			status, p := request(t, signer, c.method, url, c.path, c.data, c.spoil)
			if status != c.status || p.Code != c.code {
				t.Errorf("got %d %+v, want %d %s", status, p, c.status, c.code)
			}
		})
	}
	if keys := keysOf(t, node, signer.DID()); len(keys) != 0 {
		t.Errorf("%d messages were stored", len(keys))
	}
	resp, err := http.Get(url + "/v1/data")
	if err != nil {
		t.Fatal(err)
	}
	if status, p := problem(t, resp); status != 401 || p.Code != "token" || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("without a token: %d %+v", status, p)
	}
}

// TestFull: with the disk nearly full writes are refused with 507, and reading and
// pulling from the node go on.
func TestFull(t *testing.T) {
	signer := tenantKey(t)
	free := uint64(1 << 40)
	s, err := badger.Open(t.TempDir(), badger.Options{FreeSpace: func(string) (uint64, error) { return free, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	node := refserver.Node{Store: s}
	entries := generated(t, 30)
	fill(t, node, signer.DID(), entries[:10])
	url := listen(t, node, refserver.ServerOptions{})
	client := clientOf(t, url, signer.DID(), signer, nil)
	here := openNode(t)
	if _, err := client.Sync(t.Context(), here, refserver.SyncOptions{}); err != nil {
		t.Fatal(err)
	}
	free = 1000
	if status, p := request(t, signer, "POST", url, "/v1/messages", recordOf(t, signer.DID(), entries[20]), nil); status != 507 || p.Code != "full" || strings.Contains(p.Detail, "MiB") {
		t.Errorf("POST: %d %+v", status, p)
	}
	fill(t, here, signer.DID(), entries[20:])
	r, err := client.Sync(t.Context(), here, refserver.SyncOptions{})
	if err == nil || !strings.Contains(err.Error(), "507") || r.Complete {
		t.Errorf("push: %+v, %v", r, err)
	}
	if _, err := client.Sync(t.Context(), openNode(t), refserver.SyncOptions{Direction: "pull"}); err != nil {
		t.Errorf("pull: %v", err)
	}
}
