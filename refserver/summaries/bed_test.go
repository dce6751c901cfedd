package summaries

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

const alice = "did:example:alice"

var (
	secretA = store.Secret{Generation: 1, ID: [16]byte{1}, Key: [32]byte{1}}
	secretB = store.Secret{Generation: 2, ID: [16]byte{2}, Key: [32]byte{2}}
	secretC = store.Secret{Generation: 3, ID: [16]byte{3}, Key: [32]byte{3}}
)

// generated returns the messages of seed 0, made once.
var generated = sync.OnceValue(func() []store.Entry {
	var entries []store.Entry
	opt := datasets.GenerateOptions{N: 1500, Deletes: 0.3, Updates: 0.1, Protocol: 0.6, MaxData: 40}
	for m, err := range datasets.Generate(opt) {
		if err != nil {
			panic(err)
		}
		entries = append(entries, store.Entry{Message: m.Message})
	}
	return entries
})

// messages returns n generated messages in an order that has nothing to do with
// time, so that many a delete comes before its record's initial write.
func messages(rng *rand.Rand, n int) []store.Entry {
	entries := slices.Clone(generated())[:n]
	rng.Shuffle(n, func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	return entries
}

// scopes returns scopes that each select some messages, and deletes of them.
func scopes(tb testing.TB) []dwn.Scope {
	tb.Helper()
	texts := []string{`{"interface":"Records"}`, `{"method":"Delete"}`}
	protocols := make(map[string]bool)
	for _, e := range generated()[:300] {
		if p := e.Message.Attributes().Protocol; p != "" && !protocols[p] && len(protocols) < 2 {
			protocols[p] = true
			texts = append(texts, fmt.Sprintf(`{"protocol":%q}`, p))
		}
	}
	var all []dwn.Scope
	for _, text := range texts {
		scope, err := dwn.ParseScope([]byte(text))
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, scope)
	}
	if len(protocols) == 0 {
		tb.Fatal("no protocols in the messages: scopes show nothing")
	}
	return all
}

func openStore(tb testing.TB, dir string) store.Store {
	tb.Helper()
	s, err := badger.Open(dir, badger.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	keep(tb, s, alice, secretA)
	return s
}

// keep gives a tenant its secret: only what is of that is saved.
func keep(tb testing.TB, s store.Store, did string, secret store.Secret) {
	tb.Helper()
	if _, err := s.Tenant(did).KeepSecret(context.Background(), nil, secret); err != nil {
		tb.Fatal(err)
	}
}

// small are options under which everything happens early: leaves split, short IDs
// collide, saves are made.
func small() Options {
	return Options{
		SaveEvery: 60,
		Set:       summary.SetOptions{Leaf: 4, Params: summary.Params{ShortBits: 10, CheckBits: 8}},
	}
}

func openKeeper(tb testing.TB, s store.Store, opt Options) *Keeper {
	tb.Helper()
	k := Open(s, opt)
	tb.Cleanup(func() {
		if err := k.Close(); err != nil {
			tb.Error(err)
		}
	})
	return k
}

func put(tb testing.TB, s store.Store, did string, entries []store.Entry) {
	tb.Helper()
	for batch := range slices.Chunk(entries, store.MaxBatch) {
		if _, err := s.Tenant(did).Put(context.Background(), batch); err != nil {
			tb.Fatal(err)
		}
	}
}

func viewOf(tb testing.TB, k *Keeper, did string, scope dwn.Scope, secret store.Secret) *View {
	tb.Helper()
	v, err := k.View(context.Background(), did, scope, secret)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func storedKeys(tb testing.TB, s store.Store, did string, scope dwn.Scope) []dwn.Key {
	tb.Helper()
	keys, _, err := s.Tenant(did).Keys(context.Background(), scope)
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

// checkView compares a view of everything stored by now with what the stored keys
// give, part by part, and asks the Keeper to check itself.
func checkView(tb testing.TB, k *Keeper, s store.Store, did string, scope dwn.Scope, secret store.Secret) {
	tb.Helper()
	ctx := context.Background()
	view, want := viewOf(tb, k, did, scope, secret), storedKeys(tb, s, did, scope)
	key := summary.Derive(secret.Key, Label(scope))
	if root := summary.NewHasher(key).Root(want); view.Root != root || view.Snapshot.Root() != root {
		tb.Fatalf("root of %d, want %d, or another fingerprint", view.Root.Count, root.Count)
	}
	keys, err := view.Keys(ctx)
	if err != nil || !slices.Equal(keys, want) {
		tb.Fatalf("%d keys, want %d (%v)", len(keys), len(want), err)
	}
	checkParts(tb, view, reference(tb, s, did, want, key, k.opt.Set))
	checkResolve(tb, view, want, key)
	if err := k.Check(ctx, did); err != nil {
		tb.Fatal(err)
	}
}

// reference builds the summaries of keys from the plainest reading of the log.
func reference(tb testing.TB, s store.Store, did string, keys []dwn.Key, key [32]byte, opt summary.SetOptions) *summary.Set {
	tb.Helper()
	positions := make(map[dwn.Key]uint32)
	for e, err := range s.Tenant(did).Log(context.Background(), 0) {
		if err != nil {
			tb.Fatal(err)
		}
		if e.Event == store.EventAccepted {
			positions[e.Key] = uint32(e.Position)
		}
	}
	var items []summary.SetItem
	for _, k := range keys {
		items = append(items, summary.SetItem{Key: k, Position: positions[k]})
	}
	set, err := summary.NewSet(key, opt)
	if err != nil {
		tb.Fatal(err)
	}
	if err := set.Build(items); err != nil {
		tb.Fatal(err)
	}
	return set
}

func checkParts(tb testing.TB, view *View, set *summary.Set) {
	tb.Helper()
	have, want := view.Snapshot, set.Snapshot()
	if !bytes.Equal(have.Tree().AppendBinary(nil), want.Tree().AppendBinary(nil)) {
		tb.Fatal("the tree is not that of the messages, node by node")
	}
	if have.Estimators() != want.Estimators() {
		tb.Fatal("the estimators are not those of the messages")
	}
	a, err := have.Sketch(100)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := want.Sketch(100)
	if err != nil || !a.Equal(b) {
		tb.Fatalf("the sketch is not that of the messages (%v)", err)
	}
}

// checkResolve asks for every short ID, and for one that nothing has.
func checkResolve(tb testing.TB, view *View, keys []dwn.Key, key [32]byte) {
	tb.Helper()
	expander := summary.NewExpander(key, view.Params())
	byShort := make(map[uint64][]dwn.Key)
	for _, k := range keys {
		short := expander.Key(k).Short
		byShort[short] = append(byShort[short], k)
	}
	var shorts []uint64
	for short := range byShort {
		shorts = append(shorts, short)
	}
	absent := uint64(0)
	for byShort[absent] != nil {
		absent++
	}
	wrong := []uint64{absent}
	if bits := view.Params().ShortBits; bits < 64 && len(shorts) > 0 {
		wrong = append(wrong, shorts[0]|1<<bits) // wider than a short ID is
	}
	got, unknown, err := view.Resolve(context.Background(), slices.Concat(shorts, wrong, shorts)) // each twice
	if err != nil || !slices.Equal(unknown, wrong) {
		tb.Fatalf("unknown %v, want %v (%v)", unknown, wrong, err)
	}
	slices.SortFunc(got, dwn.Key.Compare)
	if !slices.Equal(got, keys) {
		tb.Fatalf("%d keys resolve, want %d", len(got), len(keys))
	}
}

// copyFolder copies a store as a crash of its process would leave it, at a moment at
// which no file of it comes or goes.
func copyFolder(tb testing.TB, dir string) string {
	tb.Helper()
	for {
		to, before := tb.TempDir(), listFolder(tb, dir)
		err := copyFiles(dir, to)
		if slices.Equal(before, listFolder(tb, dir)) {
			if err != nil {
				tb.Fatal(err)
			}
			return to
		}
	}
}

func listFolder(tb testing.TB, dir string) (names []string) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	return names
}

// copyFiles copies a folder. Badger's files end in megabytes of zeros, which are left
// as holes.
func copyFiles(dir, to string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		at := filepath.Join(to, strings.TrimPrefix(path, dir))
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(at, 0o700))
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(at, bytes.TrimRight(data, "\x00"), 0o600), os.Truncate(at, int64(len(data))))
	})
}

// spy is a store that counts what is read, and calls back before it is.
type spy struct {
	store.Store
	logged, scanned atomic.Int64 // entries of the log, calls of Keys
	keysIn          func()
	keys            func([]dwn.Key) []dwn.Key
	entry           func()
}

func (s *spy) Tenant(did string) store.Tenant { return spyTenant{s.Store.Tenant(did), s} }

type spyTenant struct {
	store.Tenant
	spy *spy
}

func (t spyTenant) Log(ctx context.Context, from uint64) iter.Seq2[store.LogEntry, error] {
	return func(yield func(store.LogEntry, error) bool) {
		for e, err := range t.Tenant.Log(ctx, from) {
			t.spy.logged.Add(1)
			if t.spy.entry != nil {
				t.spy.entry()
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func (t spyTenant) Keys(ctx context.Context, scope dwn.Scope) ([]dwn.Key, uint64, error) {
	t.spy.scanned.Add(1)
	keys, at, err := t.Tenant.Keys(ctx, scope)
	if t.spy.keys != nil {
		keys = t.spy.keys(keys)
	}
	return keys, at, err
}

func (t spyTenant) KeysIn(ctx context.Context, scope dwn.Scope, from, to dwn.Key) ([]dwn.Key, uint64, error) {
	if t.spy.keysIn != nil {
		t.spy.keysIn()
	}
	return t.Tenant.KeysIn(ctx, scope, from, to)
}

// record is a logger that keeps what it is told.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func (r *record) has(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.text.String(), text)
}
