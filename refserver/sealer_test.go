package refserver

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// noSeal is a store without a key and without room for one.
type noSeal struct{ store.Store }

func (noSeal) SealKey(context.Context) (store.SealKey, error) {
	return store.SealKey{}, store.ErrFull
}

// TestServerSealer: a token is of one length, and opened by whom it was made for alone, also
// after the server was started again. Where there is no room for a key, or no summaries are
// kept, the node goes on without.
func TestServerSealer(t *testing.T) {
	n, _ := keptNode(t)
	sealerOf := func(n Node, tenant, scope, requester string) engine.Sealer {
		t.Helper()
		s, err := NewServer(n, ServerOptions{Origins: []string{"http://127.0.0.1:1"}})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := dwn.ParseScope([]byte(scope))
		if err != nil {
			t.Fatal(err)
		}
		return s.sealer(t.Context(), auth.InitClaims{Claims: auth.Claims{Tenant: tenant, Signer: requester}, Scope: parsed})
	}
	const scope = `{"method":"Delete"}`
	seen := map[string]bool{}
	for plain := range byte(5) {
		token, err := sealerOf(n, "did:a", scope, "did:r").Seal(bytes.Repeat([]byte{plain}, 17))
		if err != nil || len(token) != 45 || seen[string(token)] {
			t.Fatalf("a token of %d bytes, or one of before (%v)", len(token), err)
		}
		seen[string(token)] = true
		if got, ok := sealerOf(n, "did:a", scope, "did:r").Open(token); !ok || !bytes.Equal(got, bytes.Repeat([]byte{plain}, 17)) {
			t.Errorf("%x, %t", got, ok)
		}
		other, _ := keptNode(t)
		for name, sealer := range map[string]engine.Sealer{
			"store": sealerOf(other, "did:a", scope, "did:r"), "tenant": sealerOf(n, "did:b", scope, "did:r"),
			"scope": sealerOf(n, "did:a", `{}`, "did:r"), "requester": sealerOf(n, "did:a", scope, "did:s"),
		} {
			if _, ok := sealer.Open(token); ok {
				t.Errorf("for another %s it opens", name)
			}
		}
	}
	for name, without := range map[string]Node{"no Keeper": {Store: n.Store}, "no key": {Store: noSeal{n.Store}, Keeper: n.Keeper}} {
		if sealer := sealerOf(without, "did:a", scope, "did:r"); sealer != nil {
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
