package summary_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// checkDecodeError holds a refusal to its type and its figures.
func checkDecodeError(t testing.TB, s *summary.Sketch, d summary.Difference, err error) {
	t.Helper()
	var typed *summary.DecodeError
	if !errors.Is(err, summary.ErrUndecodable) || !errors.As(err, &typed) {
		t.Fatalf("got %v, want ErrUndecodable", err)
	}
	if d.Len() != 0 || typed.Cells != s.Cells() || typed.Left < 1 || typed.Left+typed.Found > typed.Cells {
		t.Fatalf("%v, with %v", typed, d)
	}
}

// TestDecodeSides: edge case 65, all on one side, on the other, one to one, and 1000 to one.
func TestDecodeSides(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 1))
	for _, p := range []summary.Params{{}, summary.WideParams()} {
		c := coderOf(1, p)
		for _, plus := range []float64{1, 0, 0.5, 0.999, 0.001} {
			for _, n := range []int{0, 1, 2, 3, 10, 100, 1001, 3000} {
				items := randomItems(random, c.Params(), n, plus)
				got, err := decodeChecked(t, c, sketchOf(t, c, 64+2*n, items))
				if err != nil || !maps.Equal(got, items) {
					t.Errorf("%v, %d items, share %v: got %d items, %v", p, n, plus, len(got), err)
				}
			}
		}
	}
}

// TestDecodeTiny enumerates all sets of up to three items of four bits, each on either
// side, in tables of some sizes. With checks of 24 bits a set decodes exactly if its
// items can be taken out one by one; with checks of two or four bits it decodes to
// something that adds up, or is refused, and both happen.
func TestDecodeTiny(t *testing.T) {
	for _, checkBits := range []int{2, 4, 24} {
		p := summary.Params{ShortBits: 4, CheckBits: checkBits}
		for secret := range byte(2) {
			c, slow := coderOf(secret, p), newSlowCoder([32]byte{secret}, p)
			for _, size := range []int{16, 23, 64} {
				total, right := 0, 0
				eachTinySet(func(items map[uint64]int) {
					got, err := decodeChecked(t, c, sketchOf(t, c, size, items))
					total++
					if err == nil && maps.Equal(got, items) {
						right++
					} else if checkBits == 24 && (err == nil || slow.decodes(items, size)) {
						t.Fatalf("%d cells of %v: got %v, %v", size, items, got, err)
					}
				})
				if total != 1+16*2+120*4+560*8 || right < total*9/10 {
					t.Errorf("checks of %d bits, %d cells: %d of %d are right", checkBits, size, right, total)
				}
			}
		}
	}
}

// eachTinySet yields every choice of at most three short IDs below 16 with signs.
func eachTinySet(yield func(map[uint64]int)) {
	signs := [2]int{1, -1}
	yield(map[uint64]int{})
	for x := range uint64(16) {
		for _, i := range signs {
			yield(map[uint64]int{x: i})
			for y := range x {
				for _, j := range signs {
					yield(map[uint64]int{x: i, y: j})
					for z := range y {
						for _, k := range signs {
							yield(map[uint64]int{x: i, y: j, z: k})
						}
					}
				}
			}
		}
	}
}

// sharing finds n short IDs that lie in the same four cells of a table.
func sharing(slow *slowCoder, size, n int) []uint64 {
	found := make(map[[4]int][]uint64)
	for short := uint64(1); ; short++ {
		var at [4]int
		for j, place := range slow.item(short).places {
			at[j] = slowAt(place, size)
		}
		if found[at] = append(found[at], short); len(found[at]) == n {
			return found[at]
		}
	}
}

// TestSharedCells: edge cases 27 and 57, two and three items in the same four cells:
// nothing to take out first. More cells part them.
func TestSharedCells(t *testing.T) {
	c, slow := coderOf(2, summary.Params{}), newSlowCoder([32]byte{2}, summary.Params{ShortBits: 48, CheckBits: 24})
	for _, size := range []int{16, 30, 64} {
		for n := 2; n <= 3; n++ {
			for signs := range 1 << n {
				items := make(map[uint64]int)
				for i, short := range sharing(slow, size, n) {
					items[short] = 1 - 2*(signs>>i&1)
				}
				if got, err := decodeChecked(t, c, sketchOf(t, c, size, items)); err == nil {
					t.Errorf("%d cells of %v decode to %v", size, items, got)
				}
				if got, err := decodeChecked(t, c, sketchOf(t, c, 4096, items)); err != nil || !maps.Equal(got, items) {
					t.Errorf("4096 cells of %v: got %v, %v", items, got, err)
				}
			}
		}
	}
}

// TestOverfull: edge case 56. Far too many items never decode, to the right ones or to
// any, and the error says how much is left.
func TestOverfull(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 2))
	for _, p := range []summary.Params{{ShortBits: 48, CheckBits: 24}, {ShortBits: 16, CheckBits: 8}} {
		c := coderOf(3, p)
		for _, size := range []int{16, 64, 1000} {
			for _, n := range []int{size, 2 * size, 10 * size} {
				s := sketchOf(t, c, size, randomItems(random, p, n, 0.5))
				if got, err := decodeChecked(t, c, s); err == nil {
					t.Errorf("%v, %d items in %d cells: %d come out", p, n, size, len(got))
				}
			}
		}
	}
}

// TestSabotage: edge cases 26 and 60, short IDs of 8 bits and checks of 4. Items share
// short IDs, on one side and on both, and checks mislead. Every wrong result is refused
// by Decode or shown by the fingerprints of what it names; both happen.
func TestSabotage(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 5))
	p := summary.Params{ShortBits: 8, CheckBits: 4}
	right, refused, caught := 0, 0, 0
	for trial := range 6000 {
		e := summary.NewExpander([32]byte{byte(trial), byte(trial >> 8)}, p)
		s := newSketch(t, e.Cells(), 16+random.IntN(30))
		known := make(map[uint64]summary.Root) // both nodes' items, by short ID
		var difference, named summary.Root
		for i := range 1 + random.IntN(12) {
			x := e.Key(summary.Key{Time: random.Int64(), ID: summary.ID{byte(i)}})
			root := summary.Root{Count: 1, Fingerprint: x.Fingerprint}
			known[x.Short] = known[x.Short].Add(root)
			if i%2 == 0 {
				s.Insert(x.Short)
				difference = difference.Add(root)
			} else {
				s.Remove(x.Short)
				difference = difference.Sub(root)
			}
		}
		items, err := decodeChecked(t, e.Cells(), s)
		for short, sign := range items {
			if root := known[short]; sign > 0 {
				named = named.Add(root)
			} else {
				named = named.Sub(root)
			}
		}
		switch {
		case err != nil:
			refused++
		case named != difference:
			caught++
		default:
			right++
		}
	}
	t.Logf("%d right, %d refused, %d shown by fingerprints", right, refused, caught)
	if right < 300 || refused < 300 || caught < 30 {
		t.Error("not every outcome was tried")
	}
}

// TestSameShortID: edge case 26 by hand: two items of one short ID. On one side they
// do not decode; on opposite sides they vanish, and only the root tells.
func TestSameShortID(t *testing.T) {
	e := summary.NewExpander([32]byte{1}, summary.Params{ShortBits: 8, CheckBits: 24})
	first := e.Key(summary.Key{Time: 1})
	other := first
	for time := int64(2); other.Short != first.Short || other == first; time++ {
		other = e.Key(summary.Key{Time: time})
	}
	same := newSketch(t, e.Cells(), 64)
	same.Insert(first.Short)
	same.Insert(other.Short)
	if items, err := decodeChecked(t, e.Cells(), same); err == nil {
		t.Errorf("on one side: decodes to %v", items)
	}
	opposite := newSketch(t, e.Cells(), 64)
	opposite.Insert(first.Short)
	opposite.Remove(other.Short)
	items, err := decodeChecked(t, e.Cells(), opposite)
	if err != nil || len(items) != 0 {
		t.Errorf("on opposite sides: got %v, %v, want nothing", items, err)
	}
	if first.Fingerprint == other.Fingerprint {
		t.Error("the fingerprints do not tell them apart")
	}
}

// TestStaleSketch: edge case 64, a sketch of one moment with the root of the next. It
// decodes, and what it names does not explain the roots.
func TestStaleSketch(t *testing.T) {
	e := summary.NewExpander([32]byte{3}, summary.Params{})
	mine, theirs := newSketch(t, e.Cells(), 64), newSketch(t, e.Cells(), 64)
	var root summary.Root
	byShort := make(map[uint64]summary.Root)
	for time := range int64(20) {
		x := e.Key(summary.Key{Time: time})
		theirs.Insert(x.Short)
		byShort[x.Short] = summary.Root{Count: 1, Fingerprint: x.Fingerprint}
		root = root.Add(byShort[x.Short])
	}
	late := e.Key(summary.Key{Time: 20})
	later := root.Add(summary.Root{Count: 1, Fingerprint: late.Fingerprint})
	if err := theirs.Subtract(mine); err != nil {
		t.Fatal(err)
	}
	items, err := decodeChecked(t, e.Cells(), theirs)
	var sum summary.Root
	for short := range items {
		sum = sum.Add(byShort[short])
	}
	if err != nil || sum != root || sum == later {
		t.Errorf("sum %v of %d items, %v; root then %v, now %v", sum, len(items), err, root, later)
	}
}

// TestDecodeAllocates: so many allocations that slices double, none per item.
func TestDecodeAllocates(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 8))
	c := coderOf(1, summary.Params{})
	for _, n := range []int{100, 10000} {
		s := sketchOf(t, c, 2*n, randomItems(random, c.Params(), n, 0.5))
		allocs := testing.AllocsPerRun(5, func() {
			if _, err := s.Decode(); err != nil {
				t.Error(err)
			}
		})
		if allocs > 60 {
			t.Errorf("%v allocations for %d items", allocs, n)
		}
	}
}

func ExampleSketch() {
	e := summary.NewExpander([32]byte{1}, summary.Params{})
	a, b := summary.NewTable(e.Cells()), summary.NewTable(e.Cells())
	for time := range int64(5000) {
		short := e.Key(summary.Key{Time: time}).Short
		if time != 17 {
			a.Insert(short)
		}
		b.Insert(short)
	}
	mine, _ := a.Fold(summary.CellsFor(1))
	theirs, _ := b.Fold(summary.CellsFor(1))
	if err := theirs.Subtract(mine); err != nil {
		fmt.Println(err)
	}
	difference, err := theirs.Decode()
	fmt.Println(difference.Plus[0] == e.Key(summary.Key{Time: 17}).Short, difference.Len(), err)
	// Output: true 1 <nil>
}
