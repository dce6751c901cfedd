package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestMethods(t *testing.T) {
	h := newHost(0)
	m := Methods{"key": Offline{}, "jwk": Offline{}, "web": h, "off": nil}
	s := testSigner(t, Ed25519, "methods")
	for did, want := range map[string]error{
		s.DID(): nil, "did:web:a": nil, "did:dht:a": ErrUnsupportedMethod, "did:off:a": ErrUnsupportedMethod, "did:webs:a": ErrUnsupportedMethod,
		"did:Web:a": ErrDID, "web": ErrDID, "": ErrDID, "did:key:z1": ErrKey,
	} {
		if doc, err := m.Resolve(t.Context(), did); !errors.Is(err, want) || err == nil && doc.DID != did {
			t.Errorf("%s: got %v, want %v", did, err, want)
		}
	}
	for _, r := range []Resolver{Methods(nil), Offline{}} {
		for did, tells := range map[string]bool{"did:web:a": true, "did:webs:a": false, "did:dht:a": false} {
			_, err := r.Resolve(t.Context(), did)
			if !errors.Is(err, ErrUnsupportedMethod) || strings.Contains(err.Error(), "-did-web") != tells {
				t.Errorf("%T %s: got %v, want %v, and whether -did-web would help: %v", r, did, err, ErrUnsupportedMethod, tells)
			}
		}
	}
	h.expect(t, "did:web:a", 1)
}
