package refserver

import (
	"errors"
	"net/http"
	"sync"

	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// NonceHeader is the header of every answer with the server's newest nonce, which a
// token may have to repeat, see SPEC.md §10.1.
const NonceHeader = "DWN-Nonce"

// codeNonce tells that a token has to be signed again, with the nonce of the answer.
const codeNonce = "nonce"

// nonceError is a refusal with the nonce to sign with. It unwraps to the Problem.
type nonceError struct {
	*Problem
	nonce string
}

func (e *nonceError) Unwrap() error { return e.Problem }

// nonces is what a client knows of its server's nonces. It signs without one until it
// is asked for one, so that it can speak with several servers behind one origin, and
// from then on with the last it heard. The zero value is ready, for concurrent use.
type nonces struct {
	mu    sync.Mutex
	asked bool
	last  string
}

// hear keeps the nonce of an answer and returns it; "" where there is none of good form.
func (n *nonces) hear(h http.Header) string {
	nonce := h.Get(NonceHeader)
	if auth.CheckNonce(nonce) != nil {
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = nonce
	return nonce
}

// do makes a request, and once more where the server refuses it for its nonce: whatever
// the server says then, that is all.
func (n *nonces) do(request func(nonce string) error) error {
	err := request(n.toSign())
	stale, ok := errors.AsType[*nonceError](err)
	if !ok {
		return err
	}
	n.mu.Lock()
	n.asked = true
	n.mu.Unlock()
	return request(stale.nonce)
}

// toSign returns the nonce for the next token, or "".
func (n *nonces) toSign() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.asked {
		return ""
	}
	return n.last
}
