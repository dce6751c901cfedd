package summary_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// history plays what bytes say against the slow reference: a leaf size, then steps of
// two bytes, what and with which of the odd keys.
type history struct {
	t    *testing.T
	leaf int
	tree *summary.Tree
	m    treeModel
	kept []*history
	keys []summary.Key
}

// maxHistory bounds what a fuzzer makes of a history: 600 steps.
const maxHistory = 1 + 2*600

func playHistory(t *testing.T, data []byte) {
	if len(data) == 0 {
		return
	}
	leaf := 1 + int(data[0]%4)
	h := &history{t: t, leaf: leaf, tree: summary.NewTree(leaf), keys: edgeKeys()}
	for steps := data[1:min(len(data), maxHistory)]; len(steps) >= 2; steps = steps[2:] {
		h.step(steps[0], h.keys[steps[1]])
		if _, err := h.tree.Check(); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range append(h.kept, h) {
		sound(t, end.tree, end.m, leaf)
		refine(t, end.tree, end.m)
		settled(t, end.tree, end.m, leaf)
	}
}

func (h *history) step(what byte, k summary.Key) {
	switch what % 10 {
	case 0, 1, 2, 3, 4:
		h.toggle(k)
	case 5:
		h.removeAbsent(k)
	case 6:
		h.refineOne(k)
	case 7:
		refine(h.t, h.tree, h.m)
		sound(h.t, h.tree, h.m, h.leaf)
	case 8:
		if len(h.kept) < 8 {
			h.kept = append(h.kept, &history{tree: h.tree.Snapshot(), m: slices.Clone(h.m)})
		}
	case 9:
		decoded, err := summary.DecodeTree(h.tree.AppendBinary(nil))
		if err != nil {
			h.t.Fatal(err)
		}
		h.tree = decoded
	}
}

// toggle inserts what is not there and removes what is.
func (h *history) toggle(k summary.Key) {
	item := itemOf(k)
	if _, held := h.m.find(k); !held {
		h.m.insert(item)
		h.tree.Insert(k, item.Fingerprint)
		return
	}
	h.m.remove(k)
	if err := h.tree.Remove(k, item.Fingerprint); err != nil {
		h.t.Fatal(err)
	}
}

// removeAbsent removes what is not there. Either the tree can tell, and has not changed,
// or the leaf has several items, and putting the same in mends it.
func (h *history) removeAbsent(k summary.Key) {
	if _, held := h.m.find(k); held {
		return
	}
	item := itemOf(k)
	before := h.tree.AppendBinary(nil)
	_, around := h.tree.Around(k)
	leaf := around.Count
	err := h.tree.Remove(k, item.Fingerprint)
	switch {
	case leaf < 2:
		if !errors.Is(err, summary.ErrAbsent) || !bytes.Equal(h.tree.AppendBinary(nil), before) {
			h.t.Fatalf("%v of a leaf of %d: %v", k, leaf, err)
		}
	case err != nil:
		h.t.Fatal(err)
	default:
		h.tree.Insert(k, item.Fingerprint)
	}
}

// refineOne refines one leaf, after it was offered what is not in it.
func (h *history) refineOne(k summary.Key) {
	overfull := h.tree.Overfull(len(h.m))
	if len(overfull) == 0 {
		return
	}
	b := overfull[int(k.ID[31]^byte(k.Time))%len(overfull)]
	before := h.tree.AppendBinary(nil)
	wrong := h.m.in(b)
	wrong[0].Fingerprint[7]++
	for _, items := range []treeModel{wrong, wrong[1:], append(wrong, itemOf(k))} {
		if err := h.tree.Refine(b, slices.Clone(items)); !errors.Is(err, summary.ErrMismatch) {
			h.t.Fatal(err)
		}
	}
	if !bytes.Equal(h.tree.AppendBinary(nil), before) {
		h.t.Fatal("a refused Refine has changed the tree")
	}
	if err := h.tree.Refine(b, h.m.in(b)); err != nil {
		h.t.Fatal(err)
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 6, 0, 8, 0, 0, 1, 5, 9})
	f.Add([]byte{1, 0, 0, 0, 8, 0, 16, 0, 128, 7, 0, 8, 0, 0, 0, 0, 8, 9, 0, 5, 3})
	for i := range 8 {
		f.Add(randomHistory(uint64(i), 120))
	}
	f.Fuzz(playHistory)
}

func randomHistory(seed uint64, steps int) []byte {
	data := make([]byte, 1+2*steps)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(data)
	return data
}

// TestTreeHistories plays random histories against the slow reference, more of them and
// longer ones with DWNSYNC_LONG=1.
func TestTreeHistories(t *testing.T) {
	histories, steps := 80, 200
	if os.Getenv("DWNSYNC_LONG") == "1" {
		histories, steps = 3000, 600
	}
	for seed := range histories {
		playHistory(t, randomHistory(uint64(seed+100), steps))
	}
}
