package refserver_test

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// leakBed is what both servers have in common.
type leakBed struct {
	tenant, grantee, other *auth.Signer
	grants                 []auth.Grant
	visible, hidden        []store.Entry
	largeVisible           []byte   // data of a visible message, held by both
	hiddenData             [][]byte // large, held by the fuller one
	samples                []sample // of what is hidden, one of each kind
}

const (
	leakOrigin  = "http://node.example"
	leakVisible = "https://example.org/visible"
	leakHidden  = "https://example.org/hidden"

	leakNotes = 2 // where the visible notes begin, after the grants
)

func newLeakBed(t *testing.T) *leakBed {
	t.Helper()
	if refserver.Raced {
		t.Skip("about bytes alone, and minutes long with the race detector: scripts/test runs it without")
	}
	b := &leakBed{tenant: tenantKey(t), grantee: granteeKey(t, 0), other: granteeKey(t, 1)}
	b.makeVisible(t)
	b.hide(t, hiddenMessages())
	return b
}

// makeVisible makes the grants and what they show.
func (b *leakBed) makeVisible(t *testing.T) {
	t.Helper()
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
	for n := range 20 {
		first := b.visible[leakNotes+n].Message
		b.visible = append(b.visible, written{first: first, at: time.Now().Add(time.Duration(n) * time.Microsecond)}.by(t, b.tenant))
	}
	b.largeVisible = bytes.Repeat([]byte("large and visible, "), 3000)
	for _, large := range [][]byte{b.largeVisible, bytes.Repeat([]byte("large and missing, "), 3000)} {
		b.visible = append(b.visible, written{protocol: leakVisible, path: "note", data: large, at: moment()}.by(t, b.tenant))
	}
}

// nodes returns a node that has the visible messages, and one that has the hidden ones as well
// and has refused more.
func (b *leakBed) nodes(t *testing.T) [2]refserver.Node {
	t.Helper()
	lean, full := b.node(t, b.visible), b.node(t, slices.Concat(b.hidden, b.visible))
	for _, data := range b.hiddenData {
		b.putData(t, full, data)
	}
	b.refuse(t, full)
	return [2]refserver.Node{lean, full}
}

// node returns a node that has these entries.
func (b *leakBed) node(t *testing.T, entries []store.Entry) refserver.Node {
	t.Helper()
	n := keepOpen(t, openNode(t))
	if _, err := n.Store.Tenant(b.tenant.DID()).KeepSecret(t.Context(), nil, store.Secret{Generation: 3, Key: [32]byte{4}}); err != nil {
		t.Fatal(err)
	}
	b.fill(t, n, entries)
	b.putData(t, n, b.largeVisible)
	return n
}

func (b *leakBed) putData(t *testing.T, n refserver.Node, data []byte) {
	t.Helper()
	c, _, err := datacid.Of(bytes.NewReader(data))
	if err == nil {
		err = n.Store.Tenant(b.tenant.DID()).PutData(t.Context(), c, bytes.NewReader(data))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (b *leakBed) serve(t *testing.T, n refserver.Node) *refserver.Server {
	t.Helper()
	gate, err := auth.NewGate(auth.GateOptions{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := refserver.NewServer(n, refserver.ServerOptions{Origins: []string{leakOrigin}, Gate: gate, Clock: longAgo()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// leakRun is what TestNoLeak makes of two nodes, by a client of the grantee.
type leakRun struct {
	*leakBed
	t      *testing.T
	nodes  [2]refserver.Node
	tw     *twins
	client *refserver.Client
	made   int // messages
}

func (b *leakBed) run(t *testing.T, nodes [2]refserver.Node) *leakRun {
	tw := newTwins(t, b.grantee, [2]*refserver.Server{b.serve(t, nodes[0]), b.serve(t, nodes[1])})
	return &leakRun{leakBed: b, t: t, nodes: nodes, tw: tw, client: b.client(t, tw)}
}

func (r *leakRun) write(by *auth.Signer, protocol string) store.Entry {
	r.made++
	return written{protocol: protocol, path: "note", data: fmt.Appendf(nil, "%s, then %d", r.tw.what, r.made), at: time.Now()}.by(r.t, by)
}

// grow stores visible messages on both nodes, and hidden ones between them on one.
func (r *leakRun) grow() {
	for range 3 {
		r.fill(r.t, r.nodes[1], []store.Entry{r.write(r.tenant, leakHidden), r.write(r.grantee, leakHidden)})
		seen := []store.Entry{r.write(r.tenant, leakVisible)}
		r.fill(r.t, r.nodes[0], seen)
		r.fill(r.t, r.nodes[1], seen)
	}
}

// sync syncs three times, of which the last two may go by cursor.
func (r *leakRun) sync(strategy engine.Strategy, direction engine.Direction, have int) {
	r.t.Helper()
	r.tw.what = fmt.Sprintf("%s, %s, %d thirds", strategy, direction, have)
	here := keepOpen(r.t, openNode(r.t))
	r.fill(r.t, here, r.visible[:leakNotes+have*300])
	opt := refserver.SyncOptions{
		Strategy: strategy, Direction: direction, Scope: scopeOf(r.t, `{"protocol":"`+leakVisible+`"}`),
		Cursor: new(engine.CursorMemory), Segments: new(engine.SegmentMemory),
	}
	for range 3 {
		if direction != engine.Pull {
			r.fill(r.t, here, []store.Entry{r.write(r.grantee, leakVisible)})
		}
		if result, err := r.client.Sync(r.t.Context(), here, opt); err != nil || !result.Complete {
			r.t.Fatalf("%s: %+v, %v", r.tw.what, result, err)
		}
		r.grow()
	}
}

// TestNoLeak (I6): two stores that a requester may read the same of answer with the same
// bytes, whatever else one of them has: for every strategy and direction, first contact,
// cursors, pushes, single messages and data, with summaries that are kept and without.
func TestNoLeak(t *testing.T) {
	b := newLeakBed(t)
	start := time.Now()
	nodes := b.nodes(t)
	t.Logf("stored %d hidden messages in %s", len(b.hidden), time.Since(start))
	r := b.run(t, nodes)
	for i, strategy := range engine.Strategies() {
		for j, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
			r.sync(strategy, direction, (i+j)%3)
		}
	}
	if r.tw.byCursor < 10 { // each of the strategies cursor and auto has six that could
		t.Errorf("cursors were taken %d times", r.tw.byCursor)
	}
	r.tw.what = "more than the grants cover"
	if result, err := r.client.Sync(t.Context(), openNode(t), refserver.SyncOptions{Direction: engine.Pull}); err != nil || result.Scope == nil {
		t.Fatalf("%+v, %v", result, err)
	}
	b.calls(t, r.tw, r.client)
	b.callsOfKinds(t, r.tw, r.client)
	if r.tw.calls < 200 {
		t.Errorf("%d calls", r.tw.calls)
	}
	t.Logf("%d calls, %d by cursor, %d hidden messages", r.tw.calls, r.tw.byCursor, len(b.hidden))
	nodes[0].Keeper, nodes[1].Keeper = nil, nil
	r = b.run(t, nodes)
	for _, strategy := range engine.Strategies() {
		r.sync(strategy, engine.Both, 1)
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
		outcomes, err := n.Store.Tenant(b.tenant.DID()).Put(t.Context(), batch)
		if err != nil || slices.ContainsFunc(outcomes, func(o store.Outcome) bool { return o != store.Accepted }) {
			t.Fatalf("%v, %v", outcomes, err)
		}
	}
}

// calls makes the calls that are no syncs, about what is hidden on one side only.
func (b *leakBed) calls(t *testing.T, tw *twins, client *refserver.Client) {
	t.Helper()
	ctx := context.Background()
	notes := slices.DeleteFunc(slices.Clone(b.hidden), func(e store.Entry) bool {
		return e.Message.Signer() != b.tenant.DID() || !bytes.HasPrefix(e.Data, []byte("hidden "))
	})
	hidden, seen := notes[0], b.visible[leakNotes+25]
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
	second := written{protocol: leakVisible, path: "note", data: notes[1].Data, at: time.Now().Add(time.Minute)}.by(t, b.grantee)
	for _, data := range [][]byte{nil, second.Data} {
		if _, err := client.PostMessage(ctx, refserver.NewRecord(b.tenant.DID(), second.Message, data)); err != nil {
			t.Error(err)
		}
	}
	tw.what = "bait of another size"
	third := written{protocol: leakVisible, path: "note", data: notes[2].Data, size: int64(len(notes[2].Data)) + 5}.by(t, b.grantee)
	if _, err := client.PostMessage(ctx, refserver.NewRecord(b.tenant.DID(), third.Message, nil)); err != nil {
		t.Error(err)
	}
	if d, _ = third.Message.Data(); b.call(t, tw, http.MethodPut, "/v1/data/"+d.CID.String(), notes[2].Data) != 422 {
		t.Error("data of a size that no message of the grantee's states was taken")
	}
	if got := b.call(t, tw, http.MethodGet, "/v1/data", nil); got != 200 {
		t.Errorf("what is wanted: %d", got)
	}
}

// callsOfKinds asks for, pushes and sends the data of what is hidden, of every kind.
func (b *leakBed) callsOfKinds(t *testing.T, tw *twins, client *refserver.Client) {
	t.Helper()
	ctx := t.Context()
	for _, s := range b.samples {
		tw.what = "hidden: " + s.kind
		if _, err := client.Message(ctx, s.Message.CID().String()); err == nil {
			t.Errorf("%s: the message was told", s.kind)
		}
		for _, data := range [][]byte{nil, s.Data} {
			if _, err := client.PostMessage(ctx, refserver.NewRecord(b.tenant.DID(), s.Message, data)); err == nil {
				t.Errorf("%s: the message was taken", s.kind)
			}
		}
		tw.what += ", a delete of its record"
		gone := written{first: s.Message}.by(t, b.grantee)
		if _, err := client.PostMessage(ctx, refserver.NewRecord(b.tenant.DID(), gone.Message, nil)); err == nil {
			t.Errorf("%s: a delete was taken", s.kind)
		}
		d, ok := s.Message.Data()
		if !ok {
			continue
		}
		tw.what = "data of " + s.kind
		visible := strings.HasSuffix(s.kind, "a visible one")
		if got := b.call(t, tw, http.MethodGet, "/v1/data/"+d.CID.String(), nil); (got == 200) != visible {
			t.Errorf("%s: data: %d", s.kind, got)
		}
		if got := b.call(t, tw, http.MethodPut, "/v1/data/"+d.CID.String(), s.Data); got != 404 {
			t.Errorf("%s: data sent: %d", s.kind, got)
		}
	}
	for _, data := range b.hiddenData[:2] {
		tw.what = "bait for large data"
		bait := written{protocol: leakVisible, path: "note", data: data, at: time.Now()}.by(t, b.grantee)
		if _, err := client.PostMessage(ctx, refserver.NewRecord(b.tenant.DID(), bait.Message, nil)); err != nil {
			t.Error(err)
		}
		d, _ := bait.Message.Data()
		for _, c := range []struct {
			method string
			data   []byte
			want   int
		}{{"GET", nil, 404}, {"PUT", data[1:], 422}, {"PUT", data, 204}, {"GET", nil, 404}} {
			if got := b.call(t, tw, c.method, "/v1/data/"+d.CID.String(), c.data); got != c.want {
				t.Errorf("%s of %d bytes: %d, want %d", c.method, len(c.data), got, c.want)
			}
		}
		if got := b.call(t, tw, http.MethodGet, "/v1/data", nil); got != 200 {
			t.Errorf("what is wanted: %d", got)
		}
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

func (b *leakBed) grantIDs() (ids []string) {
	for _, g := range b.grants {
		ids = append(ids, g.ID)
	}
	slices.Sort(ids)
	return ids
}

// signed returns a request with a token that is for the body signedFor.
func (b *leakBed) signed(t *testing.T, method, path string, data, signedFor []byte) *http.Request {
	t.Helper()
	claims, err := auth.NewClaims(leakOrigin, b.tenant.DID(), time.Now(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims.Grants = b.grantIDs()
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
