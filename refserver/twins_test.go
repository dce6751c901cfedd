package refserver_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// twins sends every request to two servers and compares what they answer, byte by byte but
// for sealed tokens and nonces, of which it compares the lengths. Each server gets the tokens
// that it made itself.
type twins struct {
	t        *testing.T
	servers  [2]*refserver.Server
	signer   *auth.Signer // who makes the requests
	verifier *auth.Verifier
	cursors  map[string][]byte // of the second server, by that of the first in the same reply
	what     string
	calls    uint64
	byCursor int // replies that say by a cursor alone what the initiator lacks
}

func newTwins(t *testing.T, signer *auth.Signer, servers [2]*refserver.Server) *twins {
	t.Helper()
	v, err := auth.NewVerifier(auth.VerifierOptions{Audience: []string{leakOrigin}, Clock: longAgo()})
	if err != nil {
		t.Fatal(err)
	}
	return &twins{t: t, servers: servers, signer: signer, verifier: v, cursors: map[string][]byte{}}
}

// longAgo returns a clock that first tells a time an hour ago and then the right one: who
// starts by it needs no nonces.
func longAgo() func() time.Time {
	var asked atomic.Bool
	return func() time.Time {
		if asked.CompareAndSwap(false, true) {
			return time.Now().Add(-time.Hour)
		}
		return time.Now()
	}
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
	cursor := false
	for i, s := range tw.servers {
		if i == 1 && req.URL.Path == "/v1/sync" {
			body, cursor = tw.forSecond(req, body)
		}
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], tw.calls)
		s.SetRandom(rand.NewChaCha8(seed))
		again := req.Clone(req.Context())
		again.Body, again.RequestURI = io.NopCloser(bytes.NewReader(body)), req.URL.RequestURI()
		answers[i] = httptest.NewRecorder()
		s.ServeHTTP(answers[i], again)
	}
	a, first := tw.seen(answers[0])
	b, second := tw.seen(answers[1])
	if a != b {
		tw.t.Fatalf("%s: %s %s: the answers differ:\n%.600s\n%.600s", tw.what, req.Method, req.URL.Path, a, b)
	}
	if len(first.Cursor) > 0 {
		tw.cursors[string(first.Cursor)] = second.Cursor
	}
	if cursor && first.Plan == nil && first.Through != nil {
		tw.byCursor++
	}
	return answers[0].Result(), nil
}

// forSecond returns a sync's request with the second server's cursor in the place of that
// of the first, signed again, and whether it has one.
func (tw *twins) forSecond(req *http.Request, body []byte) ([]byte, bool) {
	tw.t.Helper()
	var frames []wire.Frame
	for f, err := range wire.Decode(bytes.NewReader(body)) {
		if err != nil {
			tw.t.Fatal(err)
		}
		frames = append(frames, f)
	}
	var init wire.Init
	if err := wire.DecodeBody(frames[1], &init); err != nil {
		tw.t.Fatal(err)
	}
	cursor, ok := tw.cursors[string(init.Cursor)]
	if !ok {
		return body, false
	}
	claims, err := tw.verifier.VerifyInit(req.Context(), string(frames[0].Body))
	if err != nil {
		tw.t.Fatal(err)
	}
	init.Cursor = cursor
	if frames[1], err = wire.EncodeBody(wire.TypeInit, init); err != nil {
		tw.t.Fatal(err)
	}
	head := 1
	for head < len(frames) && frames[head].Type != wire.TypeItems {
		head++
	}
	claims.Frames = auth.Digest(wire.Hash(frames[1:head]))
	token, err := tw.signer.SignInit(claims)
	if err != nil {
		tw.t.Fatal(err)
	}
	frames[0].Body = []byte(token)
	body = nil
	for _, f := range frames {
		body = f.Append(body)
	}
	return body, true
}

// seen returns what a requester sees of an answer, with what is random in it made the same,
// and the ACK in it.
func (tw *twins) seen(r *httptest.ResponseRecorder) (text string, ack wire.Ack) {
	tw.t.Helper()
	nonce := r.Header().Get(refserver.NonceHeader)
	text = fmt.Sprintf("%d, nonce of %d, %s\n", r.Code, len(nonce), r.Header().Get("Content-Type"))
	if r.Header().Get("Content-Type") != refserver.MediaType {
		return text + r.Body.String(), ack
	}
	for f, err := range wire.Decode(bytes.NewReader(r.Body.Bytes())) {
		if err != nil {
			return text + err.Error(), ack
		}
		if f.Type == wire.TypeAck {
			if err := wire.DecodeBody(f, &ack); err != nil {
				tw.t.Fatal(err)
			}
			same := ack
			same.Cursor = make([]byte, len(ack.Cursor))
			if f, err = wire.EncodeBody(f.Type, same); err != nil {
				tw.t.Fatal(err)
			}
			said, err := json.Marshal(same)
			if err != nil {
				tw.t.Fatal(err)
			}
			text += string(said) + "\n"
		}
		text += fmt.Sprintf("%v %d %x\n", f.Type, len(f.Body), sha256.Sum256(f.Body))
	}
	return text, ack
}
