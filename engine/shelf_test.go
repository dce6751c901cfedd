package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

// shelf is a replica that is made of the library's parts: SecretKeeper and KeysView.
type shelf struct {
	engine.SecretKeeper
	mu    sync.Mutex
	items map[engine.Key][]byte
}

func (s *shelf) View(context.Context) (engine.View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := maps.Clone(s.items)
	return engine.KeysView{
		Sorted:  slices.SortedFunc(maps.Keys(held), engine.Key.Compare),
		Payload: func(_ context.Context, k engine.Key) ([]byte, error) { return held[k], nil },
		Name:    "shelf",
	}, nil
}

func (s *shelf) Put(_ context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	receipts := make([]engine.Receipt, len(payloads))
	for i, p := range payloads {
		key, err := enginetest.KeyOf(p)
		if receipts[i] = (engine.Receipt{Key: key, Err: err}); err == nil {
			s.items[key] = p
		}
	}
	return receipts, nil
}

// TestKeysView: a replica of the library's parts keeps what replicas promise.
func TestKeysView(t *testing.T) {
	f := enginetest.Fixture{
		Open: func(*testing.T) engine.Replica { return &shelf{items: map[engine.Key][]byte{}} },
		Bad:  []byte("short"),
	}
	for i := range 60 {
		f.Payloads = append(f.Payloads, enginetest.Payload(int64(i/3), fmt.Sprint(i)))
	}
	enginetest.TestReplica(t, f)
}

// TestNewSealer: a token opens under its own key and what it is bound to, and as it is.
func TestNewSealer(t *testing.T) {
	seal := func(key byte, bound ...string) engine.KeySealer {
		s, err := engine.NewSealer([32]byte{key}, bound...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	token, err := seal(1, "ab", "c").Seal([]byte("plain"))
	if err != nil || len(token) != 5+28 {
		t.Fatalf("%d bytes, %v", len(token), err)
	}
	if plain, ok := seal(1, "ab", "c").Open(token); !ok || string(plain) != "plain" {
		t.Errorf("opened as %q, %t", plain, ok)
	}
	for name, other := range map[string]engine.KeySealer{"key": seal(2, "ab", "c"), "bound": seal(1, "a", "bc"), "less bound": seal(1, "ab")} {
		if _, ok := other.Open(token); ok {
			t.Errorf("opens under another %s", name)
		}
	}
	for i := range token {
		changed := bytes.Clone(token)
		changed[i] ^= 1
		if _, ok := seal(1, "ab", "c").Open(changed); ok {
			t.Errorf("opens with byte %d changed", i)
		}
	}
	if _, ok := seal(1, "ab", "c").Open(nil); ok {
		t.Error("nothing opens")
	}
}

// TestKeysViewItems: an error of Payload ends the items, and the label is the name.
func TestKeysViewItems(t *testing.T) {
	gone := errors.New("gone")
	view := engine.KeysView{Name: "shelf", Payload: func(_ context.Context, k engine.Key) ([]byte, error) {
		if k.Time == 2 {
			return nil, gone
		}
		return []byte{byte(k.Time)}, nil
	}}
	var times []int64
	var failed error
	for item, err := range view.Items(t.Context(), []engine.Key{{Time: 1}, {Time: 2}, {Time: 3}}) {
		times, failed = append(times, item.Key.Time), err
	}
	if !slices.Equal(times, []int64{1, 2}) || failed != gone || string(view.Label()) != "shelf" {
		t.Errorf("times %v, %v, label %q", times, failed, view.Label())
	}
}
