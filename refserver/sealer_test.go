package refserver

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

func sealerOf(t *testing.T, key store.SealKey, tenant, label, requester string) sealer {
	t.Helper()
	s, err := newSealer(key, tenant, []byte(label), requester)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSealer: a token is opened by whom it was made for, of one length whatever is in it,
// never the same twice, and by nobody else and in no other form.
func TestSealer(t *testing.T) {
	key := store.SealKey{1}
	mine := sealerOf(t, key, "did:a", `{"x":1}`, "did:r")
	for _, size := range []int{0, 1, 17, 41, wire.MaxCursor - sealOverhead} {
		var before []byte
		for fill := range 3 {
			plain := bytes.Repeat([]byte{byte(fill)}, size)
			token, err := mine.Seal(plain)
			if err != nil || len(token) != size+sealOverhead || bytes.Equal(token, before) {
				t.Fatalf("%d bytes: a token of %d, or the same again (%v)", size, len(token), err)
			}
			if got, ok := mine.Open(token); !ok || !bytes.Equal(got, plain) {
				t.Fatalf("%d bytes: %x, %t", size, got, ok)
			}
			before = token
		}
	}
	token, err := mine.Seal([]byte("position"))
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]sealer{
		"key":       sealerOf(t, store.SealKey{2}, "did:a", `{"x":1}`, "did:r"),
		"tenant":    sealerOf(t, key, "did:b", `{"x":1}`, "did:r"),
		"scope":     sealerOf(t, key, "did:a", ``, "did:r"),
		"requester": sealerOf(t, key, "did:a", `{"x":1}`, "did:s"),
		"border":    sealerOf(t, key, "did:a{", `"x":1}`, "did:r"),
	} {
		if plain, ok := other.Open(token); ok {
			t.Errorf("with another %s it opens: %q", name, plain)
		}
	}
	for i := range token {
		changed := slices.Clone(token)
		changed[i] ^= 0x10
		for _, bad := range [][]byte{changed, token[:i], append(token[:len(token):len(token)], token[:i+1]...)} {
			if _, ok := mine.Open(bad); ok {
				t.Errorf("changed at byte %d it opens", i)
			}
		}
	}
}

// noSeal is a store without a key and without room for one.
type noSeal struct{ store.Store }

func (noSeal) SealKey(context.Context) (store.SealKey, error) {
	return store.SealKey{}, store.ErrFull
}

// TestServerSealer: a node that keeps summaries has cursors, of one key however often it is
// started, and goes on without where there is no room for the key.
func TestServerSealer(t *testing.T) {
	n, _ := keptNode(t)
	claims := auth.InitClaims{Claims: auth.Claims{Tenant: "did:a", Signer: "did:r"}, Scope: dwn.Scope{}}
	var tokens [][]byte
	for range 2 {
		s, err := NewServer(n, ServerOptions{Origins: []string{"http://127.0.0.1:1"}})
		if err != nil {
			t.Fatal(err)
		}
		sealing := s.sealer(t.Context(), claims)
		token, err := sealing.Seal([]byte("position"))
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range append(tokens, token) {
			if plain, ok := sealing.Open(token); !ok || string(plain) != "position" {
				t.Errorf("%q, %t", plain, ok)
			}
		}
		tokens = append(tokens, token)
	}
	for name, without := range map[string]Node{"no Keeper": {Store: n.Store}, "no key": {Store: noSeal{n.Store}, Keeper: n.Keeper}} {
		s, err := NewServer(without, ServerOptions{Origins: []string{"http://127.0.0.1:1"}})
		if err != nil {
			t.Fatal(err)
		}
		if sealing := s.sealer(t.Context(), claims); sealing != nil {
			t.Errorf("%s: there is a sealer", name)
		}
	}
}

// TestCursorNames: what is remembered of one server, signer, scope and direction is not
// taken for that of another, and its name is one that a store takes.
func TestCursorNames(t *testing.T) {
	did, signer := generatedSigner(t, 0)
	_, other := generatedSigner(t, 1)
	scope, err := dwn.ParseScope([]byte(`{"method":"Delete"}`))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range []struct {
		origin string
		signer *auth.Signer
	}{{"http://a.example", signer}, {"http://b.example", signer}, {"http://a.example", other}} {
		client, err := NewClient(c.origin, did, c.signer, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, opt := range []SyncOptions{{}, {Scope: scope}, {Direction: "pull"}, {Direction: "push"}} {
			name := client.cursorName(opt)
			if err := store.CheckFoldName(name); err != nil || seen[name] {
				t.Errorf("%q again: %t (%v)", name, seen[name], err)
			}
			seen[name] = true
		}
		if client.cursorName(SyncOptions{Direction: "both"}) != client.cursorName(SyncOptions{}) {
			t.Error("no direction is not both")
		}
	}
}

// brokenFolds is a node whose folds are damaged, or cannot be read.
type brokenFolds struct {
	store.Store
	err error
}

func (b brokenFolds) Tenant(did string) store.Tenant { return brokenFold{b.Store.Tenant(did), b.err} }

type brokenFold struct {
	store.Tenant
	err error
}

func (b brokenFold) Fold(context.Context, string) (uint64, []byte, bool, error) {
	return 0, nil, false, b.err
}

// TestCursorDamaged: a damaged memory is none.
func TestCursorDamaged(t *testing.T) {
	did, signer := generatedSigner(t, 0)
	client, err := NewClient("http://a.example", did, signer, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := emptyNode(t)
	for _, c := range []struct{ fold, want error }{{store.ErrFoldDamaged, nil}, {store.ErrClosed, store.ErrClosed}} {
		memory, err := client.Cursor(t.Context(), Node{Store: brokenFolds{n.Store, c.fold}}, SyncOptions{})
		if !errors.Is(err, c.want) || memory == nil {
			t.Errorf("%v: %v, %v", c.fold, memory, err)
		}
	}
	if err := client.KeepCursor(t.Context(), n, SyncOptions{}); err != nil {
		t.Error(err)
	}
}
