package refserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// TestBusy: more syncs than the server takes at once are told to come back, and a
// stranger takes no place.
func TestBusy(t *testing.T) {
	signer := tenantKey(t)
	url := listen(t, openNode(t), refserver.ServerOptions{MaxSyncs: 1})
	_, stranger := hold(t, url, []byte{0x82})
	defer stranger()
	if status, p := post(t, url, refserver.MediaType, newDraft(t, url, signer).bytes(t)); status != 200 {
		t.Fatalf("beside a stranger: %d %+v", status, p)
	}
	answered, release := hold(t, url, newDraft(t, url, signer).bytes(t))
	until := func(want int, code string) {
		deadline := time.Now().Add(20 * time.Second)
		for {
			select {
			case <-answered: // it met another's sync: hold again
				release()
				answered, release = hold(t, url, newDraft(t, url, signer).bytes(t))
			case <-time.After(20 * time.Millisecond):
			}
			status, p := post(t, url, refserver.MediaType, newDraft(t, url, signer).bytes(t))
			if status == want && p.Code == code {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d %+v, want %d %s", status, p, want, code)
			}
		}
	}
	until(503, "busy")
	release()
	answered = nil
	until(200, "")
}

// hold begins a sync with data and keeps its request open until release is called.
// answered is closed when the server has answered all the same.
func hold(t *testing.T, url string, data []byte) (answered chan struct{}, release func()) {
	t.Helper()
	r, w := io.Pipe()
	answered = make(chan struct{})
	go func() {
		defer close(answered)
		if resp, err := http.Post(url+"/v1/sync", refserver.MediaType, r); err == nil {
			resp.Body.Close()
		}
	}()
	go func() {
		_, _ = w.Write(data) // the server may have answered before it read all
	}()
	done := answered
	return answered, func() {
		w.Close()
		<-done
	}
}

// TestHalfOpen: a stranger who begins a request and sends no more is answered and
// let go, on every route. The wait is the server's tokenTime, for all at once.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	url := listen(t, openNode(t), refserver.ServerOptions{})
	host := strings.TrimPrefix(url, "http://")
	requests := []string{
		"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
		"GET /v1/info HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
		"POST /v1/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
		"POST /v1/sync HTTP/1.1\r\nHost: x\r\nContent-Type: " + refserver.MediaType + "\r\nContent-Length: 100\r\n\r\n\x82",
		"PUT /v1/data/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
	}
	ended := make(chan error, len(requests))
	for _, request := range requests {
		go func() { ended <- halfOpen(host, request) }()
	}
	for range requests {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// halfOpen sends request and returns an error unless the server ends the connection.
func halfOpen(host, request string) error {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, bufio.NewReader(conn)); err != nil {
		return fmt.Errorf("%.30q: %w", request, err)
	}
	return nil
}

// TestNoSuchCall: what is no call is told like every other error.
func TestNoSuchCall(t *testing.T) {
	url := listen(t, openNode(t), refserver.ServerOptions{})
	for _, path := range []string{"/", "/v1/nope", "/v1/sync"} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		if status, p := problem(t, resp); status != 404 || p.Code != "route" {
			t.Errorf("%s: %d %+v", path, status, p)
		}
	}
}

// TestPutOtherHash: data that fits its CID but not its token is not taken.
func TestPutOtherHash(t *testing.T) {
	signer := tenantKey(t)
	node := openNode(t)
	url := listen(t, node, refserver.ServerOptions{})
	e := withData(t, generated(t, 30))
	data := e.Data
	e.Data = nil
	fill(t, node, signer.DID(), []store.Entry{e})
	c, _ := e.Message.Data()
	path := "/v1/data/" + c.CID.String()
	other := func(c *auth.RequestClaims) { c.Body = auth.DigestOf([]byte("other")) }
	if status, p := request(t, signer, "PUT", url, path, data, other); status != 401 || p.Code != "hash" {
		t.Errorf("%d %+v", status, p)
	}
	if status, _ := request(t, signer, "GET", url, path, nil, nil); status != 404 {
		t.Errorf("afterwards: %d", status)
	}
}

// TestNoRedirects: a token is good for one origin, so no other is called.
func TestNoRedirects(t *testing.T) {
	called := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/v1/sync", http.StatusTemporaryRedirect))
	defer server.Close()
	signer := tenantKey(t)
	_, err := clientOf(t, server.URL, signer.DID(), signer, nil).Sync(t.Context(), openNode(t), refserver.SyncOptions{})
	if !errors.Is(err, refserver.ErrServer) || called {
		t.Errorf("%v, called elsewhere: %t", err, called)
	}
}

// failing is a store whose disk fails in the middle of a read.
type failing struct{ store.Store }

type failingTenant struct{ store.Tenant }

var errDisk = errors.New("the disk at /secret/path is broken")

func (f failing) Tenant(did string) store.Tenant { return failingTenant{f.Store.Tenant(did)} }

func (f failingTenant) Get(ctx context.Context, ids []dwn.ID) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		n := 0
		for e, err := range f.Tenant.Get(ctx, ids) {
			if n++; n > 100 {
				e, err = store.Entry{}, errDisk
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// lines is a log that can be read while it is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// TestBreaksOff: a fault of the server in the middle of a reply is told as an ERROR
// frame without what only its log should know, and the sync is not complete.
func TestBreaksOff(t *testing.T) {
	signer := tenantKey(t)
	node := openNode(t)
	fill(t, node, signer.DID(), generated(t, 200))
	log := make(chan string, 10)
	url := listen(t, refserver.Node{Store: failing{node.Store}}, refserver.ServerOptions{Logger: slog.New(slog.NewTextHandler(lines(log), nil))})
	here := openNode(t)
	r, err := clientOf(t, url, signer.DID(), signer, nil).Sync(t.Context(), here, refserver.SyncOptions{})
	var broke *wire.Error
	if !errors.As(err, &broke) || broke.Code != "internal" || r.Complete {
		t.Fatalf("%+v, %v", r, err)
	}
	if logged := <-log; strings.Contains(err.Error(), "secret") || !strings.Contains(logged, "secret") {
		t.Errorf("told %q, logged %q", err, logged)
	}
}

// TestInsatiable: a server that wants the same data again and again gets it once.
func TestInsatiable(t *testing.T) {
	signer := tenantKey(t)
	here := openNode(t)
	e := withData(t, generated(t, 30))
	fill(t, here, signer.DID(), []store.Entry{e})
	named, _ := e.Message.Data()
	honest := openNode(t)
	fill(t, honest, signer.DID(), []store.Entry{e})
	gate, err := auth.NewGate(auth.GateOptions{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	handler, err := refserver.NewServer(honest, refserver.ServerOptions{Origins: []string{url}, Gate: gate})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"cid":"` + named.CID.String() + `","size":1}`
	puts := 0
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/data":
			_, _ = io.WriteString(w, "["+strings.Repeat(want+",", 50_000)+want+"]")
		case r.Method == http.MethodPut:
			puts++
			w.WriteHeader(http.StatusNoContent)
		default:
			handler.ServeHTTP(w, r)
		}
	})
	server.Start()
	defer server.Close()
	r, err := clientOf(t, url, signer.DID(), signer, nil).Sync(t.Context(), here, refserver.SyncOptions{})
	if err != nil || puts != 1 || r.DataSent != 1 {
		t.Errorf("%d PUTs, %+v, %v", puts, r, err)
	}
}
