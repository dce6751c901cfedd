package refserver_test

import (
	"bytes"
	crand "crypto/rand"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// welch returns Welch's t for two samples of durations, each cut at its share of the lowest,
// and their means in µs. Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?", 2017.
func welch(a, b []time.Duration, share float64) (t, meanA, meanB float64) {
	moments := func(of []time.Duration) (mean, variance float64) {
		of = slices.Sorted(slices.Values(of))[:int(share*float64(len(of)))]
		for _, d := range of {
			mean += float64(d) / 1000 / float64(len(of))
		}
		for _, d := range of {
			variance += math.Pow(float64(d)/1000-mean, 2) / float64(len(of)-1)
		}
		return mean, variance / float64(len(of))
	}
	meanA, va := moments(a)
	meanB, vb := moments(b)
	return (meanB - meanA) / math.Sqrt(va+vb), meanA, meanB
}

// initRequest returns a grantee's pull with no summary, as the first of a sync.
func (b *leakBed) initRequest(t *testing.T) *http.Request {
	t.Helper()
	claims, err := auth.NewClaims(leakOrigin, b.tenant.DID(), time.Now(), crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claims.Grants = b.grantIDs()
	init, err := wire.EncodeBody(wire.TypeInit, wire.Init{Version: wire.Version, Direction: wire.Pull, Budget: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	token, err := b.grantee.SignInit(auth.InitClaims{Claims: claims, Scope: scopeOf(t, `{"protocol":"`+leakVisible+`"}`), Direction: auth.Pull, Frames: auth.Digest(wire.Hash([]wire.Frame{init}))})
	if err != nil {
		t.Fatal(err)
	}
	body := init.Append(wire.Frame{Type: wire.TypeAuth, Body: []byte(token)}.Append(nil))
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, leakOrigin+"/v1/sync", bytes.NewReader(body))
	req.Header.Set("Content-Type", refserver.MediaType)
	return req
}

// TestLeakTiming measures how much the time of an answer tells of hidden messages. It reports
// and judges nothing: on a machine with other work a bound would fail by chance.
func TestLeakTiming(t *testing.T) {
	if os.Getenv("DWNSYNC_LONG") != "1" {
		t.Skip("a measurement of some minutes: DWNSYNC_LONG=1")
	}
	b := &leakBed{tenant: tenantKey(t), grantee: granteeKey(t, 0), other: granteeKey(t, 1)}
	b.makeVisible(t)
	b.hide(t, 10_000)
	nodes := [2]refserver.Node{b.node(t, b.visible), b.node(t, slices.Concat(b.hidden, b.visible))}
	absent := written{protocol: leakVisible, path: "note", data: []byte("nowhere")}.by(t, b.tenant)
	hidden := b.hidden[slices.IndexFunc(b.hidden, func(e store.Entry) bool { d, ok := e.Message.Data(); return ok && d.Size < 30 })]
	get := func(path string) func() *http.Request {
		return func() *http.Request {
			req := b.signed(t, http.MethodGet, path, nil, nil)
			req.RequestURI = req.URL.RequestURI()
			return req
		}
	}
	dataOf := func(e store.Entry) string { d, _ := e.Message.Data(); return "/v1/data/" + d.CID.String() }
	requests := []struct {
		name string
		make func() *http.Request
	}{
		{"sync", func() *http.Request { return b.initRequest(t) }},
		{"message that neither has", get("/v1/messages/" + absent.Message.CID().String())},
		{"message that is hidden", get("/v1/messages/" + hidden.Message.CID().String())},
		{"data that neither has", get(dataOf(absent))},
		{"data that is hidden", get(dataOf(hidden))},
		{"data wanted", get("/v1/data")},
	}
	times := 2000
	if n, err := strconv.Atoi(os.Getenv("DWNSYNC_TIMINGS")); err == nil {
		times = n
	}
	for _, kept := range []bool{true, false} {
		if !kept {
			nodes[0].Keeper, nodes[1].Keeper = nil, nil
		}
		servers := [2]*refserver.Server{b.serve(t, nodes[0]), b.serve(t, nodes[1])}
		for _, r := range requests {
			var took [2][]time.Duration
			for n := range times + 20 {
				for _, i := range [2][2]int{{0, 1}, {1, 0}}[rand.N(2)] {
					req, w := r.make(), httptest.NewRecorder()
					start := time.Now()
					servers[i].ServeHTTP(w, req)
					if d := time.Since(start); n >= 20 { // the first ones warm up
						took[i] = append(took[i], d)
					}
					if w.Code == 401 || w.Code >= 500 {
						t.Fatalf("%s: %d %s", r.name, w.Code, w.Body)
					}
				}
			}
			all, _, _ := welch(took[0], took[1], 1)
			cut, lean, full := welch(took[0], took[1], 0.9)
			t.Logf("summaries kept %-5t %-26s n=%d: %8.1f µs and, with 10^4 hidden, %8.1f µs; t = %.1f, of the lower 90 of 100 %.1f", kept, r.name, times, lean, full, all, cut)
		}
	}
}
