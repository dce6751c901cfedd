package refserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/refserver"
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
