package refserver

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// retold is a real replica whose keys were read once for all syncs, and of whose items only
// the IDs move: what the messages say has no part in rounds, 1 MB of 64 in one reply.
type retold struct {
	engine.Replica
	view  engine.View
	keys  []engine.Key
	times map[engine.ID]int64
}

func retell(t *testing.T, r engine.Replica) retold {
	t.Helper()
	view, err := r.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := view.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := retold{r, view, keys, map[engine.ID]int64{}}
	for _, k := range keys {
		told.times[k.ID] = k.Time
	}
	return told
}

func (r retold) View(context.Context) (engine.View, error) {
	return retoldView{r.view.Label(), r.keys}, nil
}

type retoldView struct {
	label []byte
	keys  []engine.Key
}

func (v retoldView) Keys(context.Context) ([]engine.Key, error) { return v.keys, nil }
func (v retoldView) Label() []byte                              { return v.label }

func (v retoldView) Items(_ context.Context, keys []engine.Key) iter.Seq2[engine.Item, error] {
	return func(yield func(engine.Item, error) bool) {
		for _, k := range keys {
			if !yield(engine.Item{Key: k, Payload: k.ID[:]}, nil) {
				return
			}
		}
	}
}

// half is a replica of which the initiator has only a half.
type half struct {
	retold
	missing map[engine.Key]bool
}

func (h half) View(context.Context) (engine.View, error) {
	keys := slices.DeleteFunc(slices.Clone(h.keys), func(k engine.Key) bool { return h.missing[k] })
	return retoldView{h.view.Label(), keys}, nil
}

// Put takes each message once, and nothing else.
func (h half) Put(_ context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	receipts := make([]engine.Receipt, len(payloads))
	for i, p := range payloads {
		k := engine.Key{ID: engine.ID(p)}
		k.Time = h.times[k.ID]
		if !h.missing[k] {
			return nil, fmt.Errorf("%x is none of the missing", p)
		}
		receipts[i].Key = k
		delete(h.missing, k)
	}
	return receipts, nil
}

// TestRoundsOfHalf: between nodes that share the secret, a pull of the 1431
// retained messages of a corpus tenant by a node that has half of them takes at
// most 2 rounds with 95 % of 60 salts and 3 with all, whatever the strategy.
func TestRoundsOfHalf(t *testing.T) {
	if raced {
		t.Skip("600 syncs of 700 keys: there is nothing to race")
	}
	s, err := badger.Open(t.TempDir(), badger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	did := datasets.CorpusTenants()[0]
	for batch := range slices.Chunk(retainedOf(t, did), store.MaxBatch) {
		if _, err := s.Tenant(did).Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	full := retell(t, Node{Store: s}.Replica(did, dwn.Scope{}))
	t.Cleanup(func() { s.Close() }) // the secret is read from it
	if _, err := full.KeepSecret(t.Context(), engine.Secret{Key: [32]byte{7}}); err != nil {
		t.Fatal(err)
	}
	for _, strategy := range engine.Strategies() {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			testRoundsOfHalf(t, full, strategy)
		})
	}
}

func testRoundsOfHalf(t *testing.T, full retold, strategy engine.Strategy) {
	const salts = 60
	rounds := map[int]int{}
	for salt := range uint64(salts) {
		random := rand.New(rand.NewPCG(salt, 5))
		missing := map[engine.Key]bool{}
		for _, i := range random.Perm(len(full.keys))[:len(full.keys)/2] {
			missing[full.keys[i]] = true
		}
		want := len(missing)
		seed := [32]byte{byte(salt), 1}
		r, err := engine.Sync(t.Context(), half{full, missing},
			engine.Direct{Replica: full, Options: engine.RespondOptions{Random: rand.NewChaCha8(seed)}},
			engine.Options{Strategy: strategy, Direction: engine.Pull, Random: rand.NewChaCha8(seed)})
		if err != nil || r.Received != want || len(missing) != 0 {
			t.Fatalf("salt %d: %+v, %v", salt, r, err)
		}
		rounds[r.Rounds]++
	}
	t.Logf("rounds and how often: %v", rounds)
	if two := rounds[1] + rounds[2]; two < salts*95/100 || two+rounds[3] != salts {
		t.Errorf("rounds and how often: %v", rounds)
	}
}

func retainedOf(t *testing.T, did string) []store.Entry {
	t.Helper()
	var entries []store.Entry
	for m, err := range datasets.Corpus() {
		if err != nil {
			t.Fatal(err)
		}
		if m.Tenant == did && m.Retained {
			entries = append(entries, store.Entry{Message: m.Message})
		}
	}
	if len(entries) < 1429 {
		t.Fatalf("%d messages", len(entries))
	}
	return entries
}

func FuzzPayload(f *testing.F) {
	n := 0
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: 20}) {
		if err != nil {
			f.Fatal(err)
		}
		e := store.Entry{Message: m.Message, Data: m.Data, DataHeld: n%2 == 0}
		f.Add(appendPayload(nil, e))
		n++
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := parsePayload(payload)
		if err != nil {
			return
		}
		if again := appendPayload(nil, e); string(again) != string(payload) {
			t.Fatalf("%x reads as what writes %x", payload, again)
		}
	})
}

func FuzzRecord(f *testing.F) {
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: 20}) {
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(`{"cid":"` + m.Message.CID().String() + `","message":` + string(m.Message.AppendJSON(nil)) + `,"dataBase64":""}`))
	}
	f.Add([]byte(`{"message":null}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, e, err := ParseRecord(text)
		if err != nil {
			return
		}
		if r.CID != "" && r.CID != e.Message.CID().String() {
			t.Fatalf("CID %s of message %s", r.CID, e.Message.CID())
		}
		again := NewRecord(r.Tenant, e.Message, e.Data)
		if (again.Data == nil) != (r.Data == nil) {
			t.Fatalf("data %v became %v", r.Data, again.Data)
		}
	})
}
