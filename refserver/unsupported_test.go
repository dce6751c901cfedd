package refserver_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver"
)

// lesser is a server that does not read segmented filters, as SPEC.md allows.
type lesser struct{ refused int }

func (l *lesser) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/v1/sync" {
		return http.DefaultTransport.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	for f, err := range wire.Decode(bytes.NewReader(body)) {
		var init wire.Init
		if err == nil && f.Type == wire.TypeInit && wire.DecodeBody(f, &init) == nil && init.Summary != nil && init.Summary.Form == wire.FormSegments {
			l.refused++
			problem := `{"type":"about:blank","title":"Bad Request","status":400,"detail":"no segments here","code":"unsupported"}`
			return &http.Response{
				StatusCode: http.StatusBadRequest, Request: r, Body: io.NopCloser(strings.NewReader(problem)),
				Header: http.Header{"Content-Type": {"application/problem+json"}},
			}, nil
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// TestUnsupported: a server that refuses segmented filters is synced with by others,
// and not troubled with them again.
func TestUnsupported(t *testing.T) {
	signer, entries := tenantKey(t), generated(t, 40)
	did := signer.DID()
	here, there := openNode(t), openNode(t)
	put(t, here, did, entries[:30])
	put(t, there, did, entries[10:])
	server := new(lesser)
	client := clientOf(t, listen(t, there, refserver.ServerOptions{}), did, signer, server)
	memory := new(engine.SegmentMemory)
	for range 2 {
		r, err := client.Sync(t.Context(), here, refserver.SyncOptions{Strategy: engine.StrategySegmented, Segments: memory})
		if err != nil || !r.Complete || !r.RootsEqual {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if server.refused != 1 {
		t.Errorf("%d segmented filters were sent, want 1", server.refused)
	}
}
