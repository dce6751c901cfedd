package summary

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestIndexSmall runs all histories of so many steps over so few entries, on pages of
// one entry, with two or four pages at most. Edge cases A1, A2, A7, B21 to B23, B26.
func TestIndexSmall(t *testing.T) {
	for _, of := range []struct{ shortBits, positions, steps int }{{1, 2, 5}, {2, 1, 5}, {2, 2, 3}} {
		choices := 2 * of.positions << of.shortBits
		histories := 1
		for range of.steps {
			histories *= choices
		}
		for history := range histories {
			x, want := newIndex(of.shortBits, 1), newSlowIndex(of.shortBits)
			for rest, step := history, 0; step < of.steps; step++ {
				choice := rest % choices
				rest /= choices
				both(t, x, want, choice%2 == 0, uint64(choice/2/of.positions), uint32(choice/2%of.positions))
			}
			checkIndex(t, x, want)
		}
	}
}

// indexHistory runs a random history and checks it now and then. Shorts come from a
// few values where few is not zero.
func indexHistory(t *testing.T, random *rand.Rand, x *Index, steps, few int) {
	want := newSlowIndex(x.shortBits)
	for step := range steps {
		short := random.Uint64()
		if few > 0 { // that differ in the first bits and in the last one
			of := uint64(random.IntN(few))
			short = of&1 | of>>1<<max(0, x.shortBits-3)
		}
		position := uint32(random.IntN(3))
		insert := random.IntN(4) > 0
		if !insert && want.n > 0 && few == 0 {
			short = randomShort(want)
		}
		both(t, x, want, insert, short, position)
		if step%(steps/3+1) == 0 {
			checkIndex(t, x, want)
			x = redecoded(t, x)
		}
	}
	checkIndex(t, x, want)
	checkIndex(t, decodedIndex(t, x), want)
	built := BuildIndex(x.shortBits, append(want.entries(), want.entries()...))
	checkIndex(t, built, want)
	for _, e := range want.entries() {
		both(t, x, want, false, e.Short, e.Position)
	}
	checkIndex(t, x, want)
}

// redecoded is an index after reopening, with the pages of the same load.
func redecoded(t *testing.T, x *Index) *Index {
	again := newIndex(x.shortBits, x.load)
	data := x.AppendBinary(nil)[indexHeader:]
	if err := again.readEntries(data, x.shortSize()+positionSize); err != nil {
		t.Fatal(err)
	}
	return again
}

func randomShort(s *slowIndex) uint64 {
	for short := range s.positions {
		return short
	}
	return 0
}

// TestIndexRandom runs random histories for every width of short IDs, with pages of few
// and of many entries, and with few short IDs. Edge cases A18, A20, B22, B23, B25, B26.
func TestIndexRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 3))
	for shortBits := 1; shortBits <= 64; shortBits++ {
		for _, load := range []int{1, 3, 20} {
			indexHistory(t, random, newIndex(shortBits, load), 30+random.IntN(300), 0)
			indexHistory(t, random, newIndex(shortBits, load), 150, 16)
		}
	}
	for _, shortBits := range []int{8, 48, 52, 64} {
		indexHistory(t, random, NewIndex(shortBits), 3000, 0)
	}
}

// TestIndexSizes has every number of entries around the sizes of blocks, pages and
// splits. Edge cases A18, A20.
func TestIndexSizes(t *testing.T) {
	sizes := []int{0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025}
	random := rand.New(rand.NewPCG(1, 4))
	x, want := NewIndex(0), newSlowIndex(48)
	for n := range 1026 {
		if slices.Contains(sizes, n) {
			checkIndex(t, x, want)
			checkIndex(t, decodedIndex(t, x), want)
			checkIndex(t, BuildIndex(0, want.entries()), want)
		}
		both(t, x, want, true, random.Uint64(), uint32(n))
	}
}

// TestIndexOrder: the byte form depends on the entries alone. Edge case A6.
func TestIndexOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 5))
	entries := indexEntries(random, 5000)
	first := BuildIndex(48, entries).AppendBinary(nil)
	random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	x := NewIndex(48)
	for i, e := range entries {
		x.Insert(^e.Short, e.Position)
		x.Insert(e.Short, e.Position)
		if i%2 == 0 {
			x.Remove(^e.Short, e.Position)
		}
	}
	for i, e := range entries {
		if i%2 == 1 {
			x.Remove(^e.Short, e.Position)
		}
	}
	if !bytes.Equal(x.AppendBinary(nil), first) {
		t.Error("another history, another byte form")
	}
}

// indexEntries returns n entries with uniform short IDs of 48 bits and ascending positions.
func indexEntries(random *rand.Rand, n int) []IndexEntry {
	entries := make([]IndexEntry, n)
	for i := range entries {
		entries[i] = IndexEntry{random.Uint64() >> 16, uint32(i)}
	}
	return entries
}

// TestIndexSabotage has all short IDs equal, or all on one page, as they are when
// someone knows the secret: the answers stay right and memory in proportion. Edge
// cases B25, B26.
func TestIndexSabotage(t *testing.T) {
	const n = 2000
	shorts := map[string]func(i int) uint64{
		"zero":        func(int) uint64 { return 0 },
		"all ones":    func(int) uint64 { return 1<<48 - 1 },
		"one page":    func(i int) uint64 { return uint64(i) },
		"last bit":    func(i int) uint64 { return uint64(i & 1) },
		"same tag":    func(i int) uint64 { return uint64(i) << 20 },
		"no neighbor": func(i int) uint64 { return uint64(i) << 35 },
	}
	for name, short := range shorts {
		t.Run(name, func(t *testing.T) {
			x, want := NewIndex(48), newSlowIndex(48)
			for i := range n {
				both(t, x, want, true, short(i), uint32(i%900))
			}
			checkIndex(t, x, want)
			if size := x.Size(); size > 13*x.Len()+10_000 {
				t.Errorf("%d bytes for %d entries", size, x.Len())
			}
			for _, fewer := range []int{n / 4, n / 2} { // a long page becomes less long, and short
				for i := range fewer {
					both(t, x, want, false, short(i), uint32(i%900))
				}
				checkIndex(t, x, want)
				checkIndex(t, decodedIndex(t, x), want)
				for i := range n {
					both(t, x, want, true, short(i), uint32(i%900))
				}
				checkIndex(t, x, want)
			}
		})
	}
}

// TestIndexLongPages has two pages that are too long give and take each other's blocks.
func TestIndexLongPages(t *testing.T) {
	x, want := NewIndex(48), newSlowIndex(48)
	short := func(i int) uint64 { return uint64(i&1) << 47 }
	for i := range 1000 {
		both(t, x, want, true, short(i), uint32(i))
	}
	for i := range 200 {
		both(t, x, want, false, short(i), uint32(i))
	}
	for i := range 200 {
		both(t, x, want, true, short(i), uint32(i))
	}
	checkIndex(t, x, want)
}

// TestIndexOnePage: an insert makes at most one page, and only the entries of the page
// that it splits change their page.
func TestIndexOnePage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 6))
	x := newIndex(48, 4)
	counts := []uint32{0}
	for i := range uint32(2000) {
		x.Insert(random.Uint64(), i)
		var changed int
		for slot := range counts {
			if x.page(uint32(slot)).n != counts[slot] {
				changed++
			}
		}
		if x.pageCount() > len(counts)+1 || changed > 2 {
			t.Fatalf("%d pages instead of %d, %d changed", x.pageCount(), len(counts), changed)
		}
		counts = counts[:0]
		for slot := range uint32(x.pageCount()) {
			counts = append(counts, x.page(slot).n)
		}
	}
}

func TestIndexPanics(t *testing.T) {
	for _, shortBits := range []int{-1, 65} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d bits: no panic", shortBits)
				}
			}()
			NewIndex(shortBits)
		}()
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(uint8(48), uint8(1), []byte("\x00\x01\x02\x03\x80\x81\x82"))
	f.Add(uint8(2), uint8(2), bytes.Repeat([]byte{0, 5, 9, 130}, 20))
	f.Add(uint8(51), uint8(1), []byte("abcdefghijklmnopqrstuvwxyz"))
	f.Fuzz(func(t *testing.T, width, load uint8, steps []byte) {
		x := newIndex(1+int(width)%64, 1+int(load)%32)
		want := newSlowIndex(x.shortBits)
		for _, step := range steps[:min(len(steps), 2000)] {
			short := uint64(step>>1&0x1f) * 0xf39cc0605cedc834 >> (step >> 5 & 2)
			both(t, x, want, step < 0xa0, short, uint32(step&1))
		}
		checkIndex(t, x, want)
		checkIndex(t, decodedIndex(t, x), want)
		checkIndex(t, BuildIndex(x.shortBits, want.entries()), want)
	})
}

func ExampleIndex() {
	x := NewIndex(48)
	x.Insert(0xabcdef, 3)
	x.Insert(0xabcdef, 1) // another item that has the same short ID
	fmt.Println(x.Insert(0xabcdef, 3), x.Lookup(nil, 0xabcdef), x.Len())
	// Output: false [1 3] 2
}
