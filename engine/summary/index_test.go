package summary

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
)

// slowIndex is the reference of Index: what it holds, as a map.
type slowIndex struct {
	shortBits int
	positions map[uint64][]uint32
	n         int
}

func newSlowIndex(shortBits int) *slowIndex {
	return &slowIndex{shortBits: shortBits, positions: map[uint64][]uint32{}}
}

func (s *slowIndex) short(short uint64) uint64 {
	if s.shortBits == 64 {
		return short
	}
	return short % (1 << s.shortBits)
}

func (s *slowIndex) insert(short uint64, position uint32) bool {
	short = s.short(short)
	if slices.Contains(s.positions[short], position) {
		return false
	}
	s.positions[short] = append(s.positions[short], position)
	s.n++
	return true
}

func (s *slowIndex) remove(short uint64, position uint32) bool {
	short = s.short(short)
	at := slices.Index(s.positions[short], position)
	if at < 0 {
		return false
	}
	s.positions[short] = slices.Delete(s.positions[short], at, at+1)
	s.n--
	return true
}

func (s *slowIndex) lookup(short uint64) []uint32 {
	return slices.Sorted(slices.Values(s.positions[s.short(short)]))
}

func (s *slowIndex) entries() []IndexEntry {
	var entries []IndexEntry
	for _, short := range slices.Sorted(maps.Keys(s.positions)) {
		for _, position := range s.lookup(short) {
			entries = append(entries, IndexEntry{short, position})
		}
	}
	return entries
}

// encode is the byte form, written one number at a time.
func (s *slowIndex) encode() []byte {
	text := []byte{1, byte(s.shortBits)}
	text = binary.LittleEndian.AppendUint64(text, uint64(s.n))
	for _, e := range s.entries() {
		for i := 0; i < s.shortBits; i += 8 {
			text = append(text, byte(e.Short>>i))
		}
		text = binary.LittleEndian.AppendUint32(text, e.Position)
	}
	return text
}

// checkIndex compares an index with the reference in every respect.
func checkIndex(t *testing.T, x *Index, want *slowIndex) {
	t.Helper()
	if x.Len() != want.n {
		t.Fatalf("%d entries, want %d", x.Len(), want.n)
	}
	var got []IndexEntry
	for short, position := range x.EntryAll() {
		got = append(got, IndexEntry{short, position})
	}
	entries := want.entries()
	slices.SortFunc(got, compareEntries)
	if !slices.Equal(got, entries) {
		t.Fatalf("entries %v, want %v", got, entries)
	}
	shorts := slices.Sorted(x.All())
	if !slices.EqualFunc(shorts, entries, func(short uint64, e IndexEntry) bool { return short == e.Short }) {
		t.Fatalf("short IDs %x, want those of %v", shorts, entries)
	}
	for short := range want.positions {
		if got := x.Lookup(nil, short); !slices.Equal(got, want.lookup(short)) {
			t.Fatalf("%#x is at %v, want %v", short, got, want.lookup(short))
		}
	}
	if got := x.AppendBinary([]byte{9}); got[0] != 9 || !bytes.Equal(got[1:], want.encode()) {
		t.Fatalf("byte form %x, want 09 and %x", got, want.encode())
	}
	checkPages(t, x)
}

// checkPages verifies what the code relies on: each block has one owner, and entries
// are on the page of their short ID.
func checkPages(t *testing.T, x *Index) {
	t.Helper()
	owners := map[uint32]int{}
	total := 0
	for slot := range uint32(x.pageCount()) {
		p := x.page(slot)
		for i := range (int(p.n) + blockLen - 1) / blockLen {
			owners[x.blockID(slot, p, i)]++
		}
		for place := range int(p.n) {
			if short, _ := x.entry(slot, place); x.slot(short) != slot {
				t.Fatalf("%#x is on page %d, want %d", short, slot, x.slot(short))
			}
		}
		total += int(p.n)
	}
	for id := x.free; id > 0; id = uint32(x.block(id - 1).rest[0]) {
		owners[id-1]++
	}
	for id, owned := range owners {
		if owned != 1 || id >= x.used {
			t.Fatalf("block %d of %d has %d owners", id, x.used, owned)
		}
	}
	if len(owners) != int(x.used) || total != x.n {
		t.Fatalf("%d of %d blocks have an owner, pages hold %d of %d entries", len(owners), x.used, total, x.n)
	}
	if x.topped != (x.level < x.shortBits-lowBits) || !x.topped && len(x.tops) > 0 {
		t.Fatalf("level %d of %d bits: topped is %t, with %d slabs", x.level, x.shortBits, x.topped, len(x.tops))
	}
	if full := x.load * x.pageCount(); x.n > full && x.level < x.shortBits {
		t.Fatalf("%d entries on %d pages of %d", x.n, x.pageCount(), x.load)
	}
}

// decodedIndex returns the index after a way through its byte form.
func decodedIndex(t *testing.T, x *Index) *Index {
	t.Helper()
	decoded, err := DecodeIndex(x.AppendBinary(nil))
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// both inserts into or removes from an index and its reference.
func both(t *testing.T, x *Index, want *slowIndex, insert bool, short uint64, position uint32) {
	t.Helper()
	got, expected := false, false
	if insert {
		got, expected = x.Insert(short, position), want.insert(short, position)
	} else {
		got, expected = x.Remove(short, position), want.remove(short, position)
	}
	if got != expected {
		t.Fatalf("insert=%t of %#x at %d reports %t, want %t", insert, short, position, got, expected)
	}
}

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

// TestIndexMemory compares Size with the heap, and both with 12 bytes an entry, at the
// sizes that matter and in between, where pages are split or not. Edge cases A20, I101.
func TestIndexMemory(t *testing.T) {
	last := 1_000_000
	if os.Getenv("DWNSYNC_LONG") == "1" {
		last = 3_000_000
	}
	random := rand.New(rand.NewPCG(1, 7))
	before := heapBytes()
	x := NewIndex(48)
	worst, where, next := 0.0, 0, 10_000
	for i := range last {
		x.Insert(random.Uint64(), uint32(i))
		n := i + 1
		if each := float64(x.Size()) / float64(n); n >= 10_000 && each > worst {
			worst, where = each, n
		}
		if n == next || n == last {
			next = n * 7 / 4
			got, size := heapBytes()-before, x.Size()
			t.Logf("n = %d: %.2f bytes an entry in the heap, %.2f by Size", n, float64(got)/float64(n), float64(size)/float64(n))
			if got > 12*n || got > size*103/100 || got < size*97/100 {
				t.Errorf("n = %d: %d bytes in the heap, Size says %d", n, got, size)
			}
		}
	}
	t.Logf("most: %.2f bytes an entry at %d", worst, where)
	if worst > 12 {
		t.Errorf("%.2f bytes an entry at %d", worst, where)
	}
	if x.Len() != last {
		t.Errorf("%d entries", x.Len())
	}
}

// heapBytes returns the bytes of the heap in use, after a collection.
func heapBytes() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// TestIndexWideMemory: short IDs of 64 bits take 14 bytes an entry, and 12 from where
// their upper bits follow from the page.
func TestIndexWideMemory(t *testing.T) {
	n := 200_000
	if os.Getenv("DWNSYNC_LONG") == "1" {
		n = 10_000_000
	}
	random := rand.New(rand.NewPCG(1, 8))
	entries := make([]IndexEntry, n)
	for i := range entries {
		entries[i] = IndexEntry{random.Uint64(), uint32(i)}
	}
	before := heapBytes()
	x := BuildIndex(64, entries)
	each := float64(heapBytes()-before) / float64(n)
	t.Logf("n = %d: %.2f bytes an entry in the heap, %.2f by Size", n, each, float64(x.Size())/float64(n))
	if limit := map[bool]float64{true: 14, false: 12}[x.topped]; each > limit || x.topped != (n <= 1<<16*pageLoad-pageLoad) {
		t.Errorf("%.2f bytes an entry, topped is %t", each, x.topped)
	}
	for _, e := range entries[:1000] {
		if got := x.Lookup(nil, e.Short); !slices.Equal(got, []uint32{e.Position}) {
			t.Fatalf("%#x is at %v, want %d", e.Short, got, e.Position)
		}
	}
}

func TestIndexAllocates(t *testing.T) {
	x := BuildIndex(48, indexEntries(rand.New(rand.NewPCG(1, 9)), 10_000))
	dst := make([]uint32, 0, 1)
	if n := testing.AllocsPerRun(100, func() {
		x.Insert(7, 7)
		dst = x.Lookup(dst[:0], 7)
		x.Remove(7, 7)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(dst) != 1 {
		t.Errorf("found %v", dst)
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

func TestDecodeIndexRefuses(t *testing.T) {
	good := BuildIndex(12, []IndexEntry{{1, 5}, {1, 6}, {2, 0}}).AppendBinary(nil)
	if _, err := DecodeIndex(good); err != nil {
		t.Fatal(err)
	}
	changed := func(change func(b []byte) []byte) []byte { return change(slices.Clone(good)) }
	set := func(at int, value byte) []byte {
		return changed(func(b []byte) []byte { b[at] = value; return b })
	}
	for name, data := range map[string][]byte{
		"nothing":         nil,
		"half a header":   good[:9],
		"version":         set(0, 2),
		"no bits":         set(1, 0),
		"65 bits":         set(1, 65),
		"other width":     set(1, 17),
		"fewer claimed":   set(2, 2),
		"more claimed":    set(2, 4),
		"2^56 claimed":    set(9, 1),
		"truncated":       good[:len(good)-1],
		"one entry less":  good[:len(good)-6],
		"trailing":        changed(func(b []byte) []byte { return append(b, 0) }),
		"13 bits":         set(10+2*6+1, 0x10),
		"repeated":        set(10+6+2, 5),
		"descending":      set(10, 3),
		"position before": set(10+2, 7),
	} {
		if x, err := DecodeIndex(data); !errors.Is(err, ErrEncoding) || x != nil {
			t.Errorf("%s: got %v, %v, want %v", name, x, err, ErrEncoding)
		}
	}
}

func FuzzDecodeIndex(f *testing.F) {
	f.Add([]byte{})
	for _, shortBits := range []int{1, 8, 12, 48, 49, 64} {
		f.Add(NewIndex(shortBits).AppendBinary(nil))
		f.Add(BuildIndex(shortBits, indexEntries(rand.New(rand.NewPCG(2, uint64(shortBits))), 200)).AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := DecodeIndex(data)
		if err != nil {
			if !errors.Is(err, ErrEncoding) || x != nil {
				t.Fatalf("got %v, %v", x, err)
			}
			return
		}
		if got := x.AppendBinary(nil); !bytes.Equal(got, data) {
			t.Fatalf("byte form %x, want %x", got, data)
		}
		checkPages(t, x)
		if size := x.Size(); size > 20_000+40*len(data) {
			t.Fatalf("%d bytes for %d", size, len(data))
		}
	})
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
