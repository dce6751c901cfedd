package refserver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// failingResolver cannot get the document of one DID for as long as it is down.
type failingResolver struct {
	did  string
	down atomic.Bool
}

func (f *failingResolver) Resolve(ctx context.Context, did string) (auth.Document, error) {
	if did == f.did && f.down.Load() {
		return auth.Document{}, fmt.Errorf("%w: no answer", auth.ErrUnresolved)
	}
	return auth.Offline{}.Resolve(ctx, did)
}

// TestUnresolvedComesLater: a message that was refused because its author's DID did not
// resolve comes with the next sync in which it does, by every strategy and whatever an
// initiator remembers, also if other messages came in between.
func TestUnresolvedComesLater(t *testing.T) {
	tenant, author := tenantKey(t), granteeKey(t, 1)
	by := func(s *auth.Signer, text string) store.Entry {
		return written{protocol: "https://example.org/notes", path: "note", data: []byte(text)}.by(t, s)
	}
	for _, strategy := range []engine.Strategy{engine.StrategyCursor, engine.StrategySegmented, engine.StrategyAuto} {
		there, here := keepOpen(t, openNode(t)), keepOpen(t, openNode(t))
		resolver := &failingResolver{did: author.DID()}
		here.Resolver = resolver
		fill(t, there, tenant.DID(), append(generated(t, 50), by(tenant, "first")))
		client := clientOf(t, listen(t, there, refserver.ServerOptions{}), tenant.DID(), tenant, nil)
		opt := refserver.SyncOptions{Strategy: strategy, Direction: engine.Pull, Segments: new(engine.SegmentMemory)}
		sync := func() (result refserver.SyncResult, err error) {
			t.Helper()
			if opt.Cursor, err = client.Cursor(t.Context(), here, opt); err != nil {
				t.Fatal(err)
			}
			result, err = client.Sync(t.Context(), here, opt)
			// Kept after a sync that failed, too: more than the command does.
			if err := client.KeepCursor(t.Context(), here, opt); err != nil {
				t.Fatal(err)
			}
			return result, err
		}
		if _, err := sync(); err != nil {
			t.Fatal(err)
		}
		resolver.down.Store(true)
		late := by(author, "late")
		for n := range 2 {
			fill(t, there, tenant.DID(), []store.Entry{late, by(tenant, fmt.Sprint("between ", n))})
			result, err := sync()
			if !errors.Is(err, engine.ErrIncomplete) || result.MessagesReceived != 1 || result.RefusedMessages != 1 ||
				result.Refused[0].CID != late.Message.CID().String() || !strings.Contains(result.Refused[0].Reason, "no answer") {
				t.Fatalf("%s, down, sync %d: %+v, %v", strategy, n, result, err)
			}
		}
		resolver.down.Store(false)
		if result, err := sync(); err != nil || result.MessagesReceived != 1 || !result.RootsEqual {
			t.Errorf("%s, up again: %+v, %v", strategy, result, err)
		}
		if result, err := sync(); err != nil || result.MessagesReceived != 0 || result.Rounds != 1 {
			t.Errorf("%s, once more: %+v, %v", strategy, result, err)
		}
	}
}

// TestTokensAreResolvedApart: the keys of who signs tokens, who may be anybody, come from
// a resolver of their own, so however busy that is, messages are verified.
func TestTokensAreResolvedApart(t *testing.T) {
	tenant := tenantKey(t)
	down := &failingResolver{did: tenant.DID()}
	down.down.Store(true)
	for name, c := range map[string]struct {
		messages, tokens auth.Resolver
		want             string
	}{
		"messages only":   {auth.Offline{}, down, "did-unresolved"},
		"tokens only":     {down, auth.Offline{}, ""},
		"one, up":         {auth.Offline{}, nil, ""},
		"one, down":       {down, nil, "did-unresolved"},
		"none were given": {nil, nil, ""},
	} {
		there := openNode(t)
		there.Resolver = c.messages
		client := clientOf(t, listen(t, there, refserver.ServerOptions{TokenResolver: c.tokens}), tenant.DID(), tenant, nil)
		_, err := client.Sync(t.Context(), openNode(t), refserver.SyncOptions{Direction: engine.Pull})
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
