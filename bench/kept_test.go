package bench

import (
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestKeeper: a keeper keeps the contract of a Replica.
func TestKeeper(t *testing.T) {
	_, there := newSets(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: 400, D: 100})
	var payloads [][]byte
	for _, k := range allOf(there) {
		payloads = append(payloads, payloadOf(k))
	}
	enginetest.TestReplica(t, enginetest.Fixture{
		Open: func(*testing.T) engine.Replica {
			return &keeper{all: allOf(there), in: make([]bool, len(allOf(there)))}
		},
		Payloads:  payloads,
		Bad:       []byte("short"),
		KeepsRoot: true,
	})
}

// TestKeeperLinear: what a keeper keeps is what its keys come to, after it was made to lack
// others and others came, and a view that was taken before tells what it was.
func TestKeeperLinear(t *testing.T) {
	_, there := newSets(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: 2000})
	k := newKeeper(allOf(there), secretOf(1))
	for _, lacked := range [][]uint32{{3, 5, 1999}, {5, 7, 8, 9}, sampled(chacha(1), 0, 2000, 1500), nil, {0, 1000}} {
		if err := k.lack(lacked); err != nil {
			t.Fatal(err)
		}
		before := linearOf(t, k)
		checkKeeper(t, k, before, lacked)
		half := lacked[len(lacked)/2:]
		if err := k.arrive(half); err != nil {
			t.Fatal(err)
		}
		checkKeeper(t, k, before, lacked)
		after := linearOf(t, k)
		checkKeeper(t, k, after, lacked[:len(lacked)/2])
		added, removed, ok, err := after.Since(t.Context(), before.Position())
		if err != nil || !ok || removed > 0 || len(added) != len(half) {
			t.Errorf("%d keys came, %d went (%t, %v), want %d to have come", len(added), removed, ok, err, len(half))
		}
		if _, _, ok, _ := after.Since(t.Context(), before.Position()-1); ok {
			t.Error("the log tells of before it began")
		}
	}
}

func linearOf(t *testing.T, k *keeper) linearView {
	t.Helper()
	view, err := k.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return view.(linearView)
}

// checkKeeper compares a view with all keys but those of some indices.
func checkKeeper(t *testing.T, k *keeper, v linearView, lacked []uint32) {
	t.Helper()
	var want []engine.Key
	for i, key := range k.all {
		if !slices.Contains(lacked, uint32(i)) {
			want = append(want, key)
		}
	}
	key := summary.Derive(k.secret.Key, nil)
	if got := allOf(v); !slices.Equal(got, want) || v.snapshot.Root() != summary.NewHasher(key).Root(want) {
		t.Errorf("%d keys, a root that counts %d, want %d", len(got), v.snapshot.Root().Count, len(want))
	}
	expander := summary.NewExpander(key, v.snapshot.Params())
	var shorts []uint64
	for _, key := range k.all {
		shorts = append(shorts, expander.Key(key).Short)
	}
	found, unknown, err := v.Resolve(t.Context(), shorts)
	if err != nil || !slices.Equal(found, want) || len(unknown) != len(lacked) {
		t.Errorf("%d short IDs are resolved and %d unknown, want %d and %d; %v", len(found), len(unknown), len(want), len(lacked), err)
	}
	from, to := k.all[100], k.all[900]
	some, err := v.KeysIn(t.Context(), from, to)
	inside := slices.DeleteFunc(slices.Clone(want), func(k engine.Key) bool { return k.Compare(from) < 0 || k.Compare(to) > 0 })
	if err != nil || !slices.Equal(some, inside) {
		t.Errorf("%d keys lie between two, want %d; %v", len(some), len(inside), err)
	}
}
