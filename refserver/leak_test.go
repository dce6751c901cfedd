package refserver_test

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// hiddenMessages is how many messages more the fuller of the two stores has that the
// requester may not read.
func hiddenMessages() int {
	if testing.Short() {
		return 300
	}
	return 3000
}

// twins sends every request to two servers and compares what they answer, byte by byte but
// for sealed tokens and nonces, of which it compares the lengths.
type twins struct {
	t       *testing.T
	servers [2]*refserver.Server
	what    string
	calls   uint64
}

// RoundTrip implements http.RoundTripper with the answer of the first.
func (tw *twins) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	tw.calls++
	var answers [2]*httptest.ResponseRecorder
	for i, s := range tw.servers {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], tw.calls)
		s.SetRandom(rand.NewChaCha8(seed))
		again := req.Clone(req.Context())
		again.Body, again.RequestURI = io.NopCloser(bytes.NewReader(body)), req.URL.RequestURI()
		answers[i] = httptest.NewRecorder()
		s.ServeHTTP(answers[i], again)
	}
	a, b := tw.seen(answers[0]), tw.seen(answers[1])
	if a != b {
		tw.t.Fatalf("%s: %s %s: the answers differ:\n%.600s\n%.600s", tw.what, req.Method, req.URL.Path, a, b)
	}
	return answers[0].Result(), nil
}

// seen returns what a requester sees of an answer, with what is random in it made the same.
func (tw *twins) seen(r *httptest.ResponseRecorder) string {
	tw.t.Helper()
	nonce := r.Header().Get(refserver.NonceHeader)
	text := fmt.Sprintf("%d, nonce of %d, %s\n", r.Code, len(nonce), r.Header().Get("Content-Type"))
	if r.Header().Get("Content-Type") != refserver.MediaType {
		return text + r.Body.String()
	}
	for f, err := range wire.Decode(bytes.NewReader(r.Body.Bytes())) {
		if err != nil {
			return text + err.Error()
		}
		if f.Type == wire.TypeAck {
			var ack wire.Ack
			if err := wire.DecodeBody(f, &ack); err != nil {
				tw.t.Fatal(err)
			}
			ack.Cursor = make([]byte, len(ack.Cursor))
			if f, err = wire.EncodeBody(f.Type, ack); err != nil {
				tw.t.Fatal(err)
			}
			said, err := json.Marshal(ack)
			if err != nil {
				tw.t.Fatal(err)
			}
			text += string(said) + "\n"
		}
		text += fmt.Sprintf("%v %d %x\n", f.Type, len(f.Body), sha256.Sum256(f.Body))
	}
	return text
}

// leakBed is what both servers have in common.
type leakBed struct {
	tenant, grantee *auth.Signer
	grants          []auth.Grant
	visible, hidden []store.Entry
}

const (
	leakOrigin  = "http://node.example"
	leakVisible = "https://example.org/visible"
	leakHidden  = "https://example.org/hidden"
)

func newLeakBed(t *testing.T) *leakBed {
	t.Helper()
	b := &leakBed{tenant: tenantKey(t), grantee: granteeKey(t, 0)}
	for _, g := range []auth.Grant{{Interface: "Messages", Method: "Read", Protocol: leakVisible}, {Interface: "Records", Method: "Write", Protocol: leakVisible}} {
		g.Grantee, g.Granted, g.Expires = b.grantee.DID(), time.Now().Add(-time.Hour).UnixMicro(), time.Now().Add(time.Hour).UnixMicro()
		m, data, err := auth.MakeGrant(b.tenant, g)
		if err != nil {
			t.Fatal(err)
		}
		if g, err = auth.ParseGrant(m, data); err != nil {
			t.Fatal(err)
		}
		b.grants = append(b.grants, g)
		b.visible = append(b.visible, store.Entry{Message: m, Data: data})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	moment := func() time.Time { return time.Now().Add(-time.Duration(rng.Int64N(int64(1000 * time.Hour)))) }
	for n := range 600 {
		b.visible = append(b.visible, written{protocol: leakVisible, path: "note", data: fmt.Appendf(nil, "visible %d", n), at: moment()}.by(t, b.tenant))
	}
	for n := range hiddenMessages() {
		b.hidden = append(b.hidden, written{protocol: leakHidden, path: "note", data: fmt.Appendf(nil, "hidden %d", n), at: moment()}.by(t, b.tenant))
	}
	return b
}

// server returns a server of a node that has the visible messages and these.
func (b *leakBed) server(t *testing.T, more []store.Entry) *refserver.Server {
	t.Helper()
	return b.serve(t, b.node(t, slices.Concat(more, b.visible)))
}

// node returns a node that has these entries.
func (b *leakBed) node(t *testing.T, entries []store.Entry) refserver.Node {
	t.Helper()
	n := keepOpen(t, openNode(t))
	if _, err := n.Store.Tenant(b.tenant.DID()).KeepSecret(t.Context(), nil, store.Secret{Generation: 3, Key: [32]byte{4}}); err != nil {
		t.Fatal(err)
	}
	b.fill(t, n, entries)
	return n
}

func (b *leakBed) serve(t *testing.T, n refserver.Node) *refserver.Server {
	t.Helper()
	gate, err := auth.NewGate(auth.GateOptions{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().Add(-time.Hour) // long enough ago that no token needs a nonce
	s, err := refserver.NewServer(n, refserver.ServerOptions{Origins: []string{leakOrigin}, Gate: gate, Clock: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	return s
}

// TestNoLeak (I6): two stores that a requester may read the same of answer with the same
// bytes, whatever else one of them has: for every strategy and direction, first contact,
// cursors, pushes, single messages and data.
func TestNoLeak(t *testing.T) {
	b := newLeakBed(t)
	tw := &twins{t: t, servers: [2]*refserver.Server{b.server(t, nil), b.server(t, b.hidden)}}
	client := b.client(t, tw)
	visible, err := dwn.ParseScope([]byte(`{"protocol":"` + leakVisible + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	pushed := 0
	for _, strategy := range engine.Strategies() {
		for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			for have := range 3 {
				tw.what = fmt.Sprintf("%s, %s, %d thirds", strategy, direction, have)
				here := openNode(t)
				some := b.visible[:2+have*300]
				if direction != engine.Pull {
					pushed++
					some = append(slices.Clone(some), written{protocol: leakVisible, path: "note", data: fmt.Appendf(nil, "of the grantee %d", pushed), at: time.Now()}.by(t, b.grantee))
				}
				b.fill(t, here, some)
				opt := refserver.SyncOptions{Strategy: strategy, Direction: direction, Scope: visible, Cursor: new(engine.CursorMemory), Segments: new(engine.SegmentMemory)}
				for range 2 {
					if result, err := client.Sync(t.Context(), here, opt); err != nil || !result.Complete {
						t.Fatalf("%s: %+v, %v", tw.what, result, err)
					}
				}
			}
		}
	}
	tw.what = "more than the grants cover"
	if result, err := client.Sync(t.Context(), openNode(t), refserver.SyncOptions{Direction: engine.Pull}); err != nil || result.Scope == nil {
		t.Fatalf("%+v, %v", result, err)
	}
	b.calls(t, tw, client)
	if tw.calls < 200 {
		t.Errorf("%d calls", tw.calls)
	}
}

func (b *leakBed) client(t *testing.T, tw *twins) *refserver.Client {
	t.Helper()
	client, err := refserver.NewClient(leakOrigin, b.tenant.DID(), b.grantee, &http.Client{Transport: tw})
	if err == nil {
		err = client.UseGrants(b.grants[0].ID, b.grants[1].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (b *leakBed) fill(t *testing.T, n refserver.Node, entries []store.Entry) {
	t.Helper()
	for batch := range slices.Chunk(entries, store.MaxBatch) {
		if _, err := n.Store.Tenant(b.tenant.DID()).Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
}

// calls makes the calls that are no syncs, about what is hidden on one side only.
func (b *leakBed) calls(t *testing.T, tw *twins, client *refserver.Client) {
	t.Helper()
	ctx := context.Background()
	hidden, seen := b.hidden[0], b.visible[5]
	for what, e := range map[string]store.Entry{"hidden": hidden, "visible": seen} {
		tw.what = what
		_, err := client.Message(ctx, e.Message.CID().String())
		if (err == nil) != (what == "visible") {
			t.Errorf("message, %s: %v", what, err)
		}
		_, err = client.PostMessage(ctx, refserver.NewRecord(b.tenant.DID(), e.Message, e.Data))
		if (err == nil) != (what == "visible") {
			t.Errorf("post, %s: %v", what, err)
		}
		here := openNode(t)
		b.fill(t, here, []store.Entry{{Message: e.Message}})
		d, _ := e.Message.Data()
		_, err = client.GetData(ctx, here.Store.Tenant(b.tenant.DID()), d.CID)
		if (err == nil) != (what == "visible") {
			t.Errorf("data, %s: %v", what, err)
		}
	}
	// Messages of the grantee's that name hidden data, and the data itself, right and wrong.
	tw.what = "bait"
	bait := written{protocol: leakVisible, path: "note", data: hidden.Data, at: time.Now().Add(time.Minute)}.by(t, b.grantee)
	if _, err := client.PostMessage(ctx, refserver.NewRecord(b.tenant.DID(), bait.Message, nil)); err != nil {
		t.Error(err)
	}
	if _, err := client.Message(ctx, bait.Message.CID().String()); err != nil {
		t.Error(err)
	}
	d, _ := bait.Message.Data()
	if got := b.callSignedFor(t, tw, http.MethodPut, "/v1/data/"+d.CID.String(), hidden.Data, nil); got != 401 {
		t.Errorf("data that the token was not signed for: %d", got)
	}
	for _, data := range [][]byte{hidden.Data[1:], append([]byte("x"), hidden.Data[1:]...), hidden.Data} {
		if got := b.call(t, tw, http.MethodPut, "/v1/data/"+d.CID.String(), data); (got == 204) != bytes.Equal(data, hidden.Data) {
			t.Errorf("%d bytes of data: %d", len(data), got)
		}
	}
	tw.what = "bait, then its data"
	second := written{protocol: leakVisible, path: "note", data: b.hidden[1].Data, at: time.Now().Add(time.Minute)}.by(t, b.grantee)
	for _, data := range [][]byte{nil, second.Data} {
		if _, err := client.PostMessage(ctx, refserver.NewRecord(b.tenant.DID(), second.Message, data)); err != nil {
			t.Error(err)
		}
	}
	tw.what = "bait of another size"
	third := written{protocol: leakVisible, path: "note", data: b.hidden[2].Data, size: int64(len(b.hidden[2].Data)) + 5}.by(t, b.grantee)
	if _, err := client.PostMessage(ctx, refserver.NewRecord(b.tenant.DID(), third.Message, nil)); err != nil {
		t.Error(err)
	}
	if d, _ = third.Message.Data(); b.call(t, tw, http.MethodPut, "/v1/data/"+d.CID.String(), b.hidden[2].Data) != 422 {
		t.Error("data of a size that no message of the grantee's states was taken")
	}
	if got := b.call(t, tw, http.MethodGet, "/v1/data", nil); got != 200 {
		t.Errorf("what is wanted: %d", got)
	}
}

// call makes a signed call and returns the status of the answer.
func (b *leakBed) call(t *testing.T, tw *twins, method, path string, data []byte) int {
	t.Helper()
	return b.callSignedFor(t, tw, method, path, data, data)
}

// callSignedFor is call with a token that is for the body signedFor.
func (b *leakBed) callSignedFor(t *testing.T, tw *twins, method, path string, data, signedFor []byte) int {
	t.Helper()
	resp, err := tw.RoundTrip(b.signed(t, method, path, data, signedFor))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// signed returns a request with a token that is for the body signedFor.
func (b *leakBed) signed(t *testing.T, method, path string, data, signedFor []byte) *http.Request {
	t.Helper()
	claims, err := auth.NewClaims(leakOrigin, b.tenant.DID(), time.Now(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range b.grants {
		claims.Grants = append(claims.Grants, g.ID)
	}
	slices.Sort(claims.Grants)
	token, err := b.grantee.SignRequest(auth.RequestClaims{Claims: claims, Method: method, URL: leakOrigin + path, Body: auth.DigestOf(signedFor)})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, leakOrigin+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "DWN "+token)
	return req
}
