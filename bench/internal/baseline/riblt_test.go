package baseline

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// longForm reports whether tests run as long as their figures deserve.
func longForm() bool { return os.Getenv("DWNSYNC_LONG") != "" }

func randomID(r *rand.Rand) (id summary.ID) {
	for i := 0; i < len(id); i += 8 {
		binary.LittleEndian.PutUint64(id[i:], r.Uint64())
	}
	return id
}

// randomSides returns two sets over union many random keys, of which each side lacks
// some. Times are few enough to collide.
func randomSides(r *rand.Rand, union int, lacks float64) (here, there []summary.Key) {
	for range union {
		key := summary.Key{Time: r.Int64N(int64(2*union)) - int64(union)/2, ID: randomID(r)}
		if r.Float64() >= lacks {
			here = append(here, key)
		}
		if r.Float64() >= lacks {
			there = append(there, key)
		}
	}
	slices.SortFunc(here, summary.Key.Compare)
	slices.SortFunc(there, summary.Key.Compare)
	return here, there
}

// onlyIn returns the sorted IDs of the keys of a that b lacks, the slow way.
func onlyIn(a, b []summary.Key) []summary.ID {
	inB := make(map[summary.Key]bool)
	for _, key := range b {
		inB[key] = true
	}
	var only []summary.ID
	for _, key := range a {
		if !inB[key] {
			only = append(only, key.ID)
		}
	}
	slices.SortFunc(only, compareIDs)
	return only
}

func compareIDs(a, b summary.ID) int { return slices.Compare(a[:], b[:]) }

// reconciled prepares both sides, reconciles them and holds the outcome to onlyIn.
func reconciled(t *testing.T, system System, here, there []summary.Key) Outcome {
	t.Helper()
	initiator, responder := system.Prepare(here), system.Prepare(there)
	out, err := initiator.Reconcile(responder)
	if err != nil {
		t.Fatalf("%s of %d and %d keys: %v", system.Name(), len(here), len(there), err)
	}
	if len(here) < 100 { // nothing is left behind in either side
		again, err := initiator.Reconcile(responder)
		if err != nil || again.Up != out.Up || again.Down != out.Down || !slices.Equal(again.Need, out.Need) || !slices.Equal(again.Have, out.Have) {
			t.Fatalf("%s of %d and %d keys differs when repeated: %v", system.Name(), len(here), len(there), err)
		}
	}
	have, need := slices.Clone(out.Have), slices.Clone(out.Need)
	slices.SortFunc(have, compareIDs)
	slices.SortFunc(need, compareIDs)
	if want := onlyIn(here, there); !slices.Equal(have, want) {
		t.Fatalf("%s of %d and %d keys: have %d IDs, want %d: %x, %x", system.Name(), len(here), len(there), len(have), len(want), have, want)
	}
	if want := onlyIn(there, here); !slices.Equal(need, want) {
		t.Fatalf("%s of %d and %d keys: need %d IDs, want %d: %x, %x", system.Name(), len(here), len(there), len(need), len(want), need, want)
	}
	return out
}

// allSmall reconciles every pair of subsets of keys, which are ascending.
func allSmall(t *testing.T, system System, keys []summary.Key) {
	t.Helper()
	subset := func(mask int) (set []summary.Key) {
		for i, key := range keys {
			if mask>>i&1 == 1 {
				set = append(set, key)
			}
		}
		return set
	}
	for a := range 1 << len(keys) {
		for b := range 1 << len(keys) {
			out := reconciled(t, system, subset(a), subset(b))
			if out.Rounds < 1 || out.Down <= 0 || (a == b && out.Rounds != 1) {
				t.Fatalf("subsets %05b and %05b: %d rounds, %d bytes down", a, b, out.Rounds, out.Down)
			}
		}
	}
}

func fiveKeys() []summary.Key {
	r := rand.New(rand.NewPCG(5, 5))
	keys := make([]summary.Key, 5)
	for i := range keys {
		keys[i] = summary.Key{Time: int64(i / 2), ID: randomID(r)}
	}
	slices.SortFunc(keys, summary.Key.Compare)
	return keys
}

func TestRIBLTAllSmall(t *testing.T) {
	// A capacity of 3 has differences of three and more outgrow the prefix.
	allSmall(t, RIBLT{Capacity: 3}, fiveKeys())
}

func TestRIBLTRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		here, there := randomSides(r, r.IntN(400), r.Float64())
		out := reconciled(t, RIBLT{Capacity: 1 + i*3}, here, there)
		if out.Rounds != 1 || out.Up != 0 || out.Down < 17 {
			t.Fatalf("%d rounds, %d bytes up, %d down", out.Rounds, out.Up, out.Down)
		}
	}
	here, there := randomSides(r, 20_000, 0.1)
	if out := reconciled(t, RIBLT{}, here, there); out.Here <= 0 || out.There <= 0 {
		t.Errorf("%d and %d ns of CPU time", out.Here, out.There)
	}
	reconciled(t, RIBLT{}, here[:10], there[:0])
}

// The stream ends with the last cell needed, however cells are batched.
func TestRIBLTCountsNeededCellsOnly(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 100 {
		here, there := randomSides(r, 300, 0.3)
		a, b := RIBLT{Capacity: 2000}.Prepare(here).(*ribltSide), RIBLT{Capacity: 700}.Prepare(there).(*ribltSide)
		out, err := a.Reconcile(b)
		if err != nil {
			t.Fatal(err)
		}
		var wire []byte
		decoder, ours, theirs := newRIBLTDecoder(600), newCellSource(a), newCellSource(b)
		for cells := 0; !decoder.done(); cells++ {
			if int64(len(wire)) >= out.Down {
				t.Fatalf("not decoded after %d cells, the %d bytes counted", cells, out.Down)
			}
			cell := theirs.encode(nil, 1)
			if _, err := decoder.read(cell, ours); err != nil {
				t.Fatal(err)
			}
			wire = append(wire, cell...)
		}
		if int64(len(wire)) != out.Down {
			t.Fatalf("%d bytes counted, %d needed", out.Down, len(wire))
		}
	}
}

func TestPrefixInsertAndRemove(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	kept := NewPrefix(500)
	set := make(map[summary.ID]bool)
	for step := range 400 {
		id := randomID(r)
		set[id] = true
		kept.Insert(id)
		for id := range set {
			if r.IntN(3) == 0 {
				kept.Remove(id)
				delete(set, id)
			}
			break
		}
		if step%40 != 0 {
			continue
		}
		rebuilt := NewPrefix(500)
		for id := range set {
			rebuilt.Insert(id)
		}
		if !slices.Equal(kept.Cells(), rebuilt.Cells()) {
			t.Fatalf("step %d: the prefix kept differs from one rebuilt of %d IDs", step, len(set))
		}
	}
	for id := range set {
		kept.Remove(id)
	}
	if i := slices.IndexFunc(kept.Cells(), func(c Cell) bool { return c != Cell{} }); i >= 0 {
		t.Errorf("cell %d of the empty set is not empty", i)
	}
}

func TestPrefixExtended(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	keys := make([]ribltKey, 300)
	long, short := NewPrefix(1000), NewPrefix(7)
	for i := range keys {
		keys[i] = newRIBLTKey(randomID(r))
		long.add(keys[i], 1)
		short.add(keys[i], 1)
	}
	before := slices.Clone(short.cells)
	if !slices.Equal(short.extended(1000, keys).cells, long.cells) {
		t.Error("an extended prefix differs from one that was as long from the start")
	}
	if !slices.Equal(short.cells, before) {
		t.Error("extended changed its prefix")
	}
}

// Cell i is to hold a key with probability 1/(1+i/2). The paper's formula for the
// distance is the inverse of an approximation: its own probabilities, summed up here,
// are 4 % low in cell 1 and closer from there on. What keys do is held to those within
// five standard errors.
func TestMappingRate(t *testing.T) {
	const keys, cells = 200_000, 60
	prefix := NewPrefix(cells)
	r := rand.New(rand.NewPCG(6, 6))
	for range keys {
		prefix.add(keyOfSymbol(r.Uint64()), 1)
	}
	rate := make([]float64, cells)
	rate[0] = 1
	for from := range rate {
		beyond := func(i int) float64 { // of the next cell of a key that is in cell from
			return math.Pow((float64(from)+1.5)/(float64(i)+1.5), 2)
		}
		for i := from + 1; i < cells; i++ {
			rate[i] += rate[from] * (beyond(i-1) - beyond(i))
		}
	}
	for i, cell := range prefix.Cells() {
		if ideal := 1 / (1 + float64(i)/2); math.Abs(rate[i]/ideal-1) > 0.041 {
			t.Errorf("the formula gives cell %d a probability of %.4f, the paper %.4f", i, rate[i], ideal)
		}
		got, slack := float64(cell.Count)/keys, 5*math.Sqrt(rate[i]*(1-rate[i])/keys)
		if math.Abs(got-rate[i]) > slack {
			t.Errorf("cell %d holds a key with probability %.4f, want %.4f±%.4f", i, got, rate[i], slack)
		}
	}
}

func TestCellWire(t *testing.T) {
	for _, cell := range []Cell{{}, {1, 2, 3}, {math.MaxUint64, 7, -1}, {0, 0, math.MinInt64}, {0, 0, math.MaxInt64}} {
		wire := cell.append(nil)
		if got, n := readCell(append(wire, 0xaa)); got != cell || n != len(wire) {
			t.Errorf("%v came back as %v with %d bytes of %d", cell, got, n, len(wire))
		}
		for n := range wire {
			if _, used := readCell(wire[:n]); used != 0 {
				t.Errorf("%v: read from %d bytes of %d", cell, n, len(wire))
			}
		}
	}
}

func TestRIBLTRefuses(t *testing.T) {
	side := RIBLT{}.Prepare(fiveKeys())
	if _, err := side.Reconcile(MST{}.Prepare(nil)); !errors.Is(err, errForeignSide) {
		t.Errorf("side of another system: %v, want %v", err, errForeignSide)
	}
	decoder := newRIBLTDecoder(3)
	if _, err := decoder.read(toAndFro(), &cellSource{have: NewPrefix(100)}); !errors.Is(err, errNoDecode) {
		t.Errorf("a key without end: %v, want %v", err, errNoDecode)
	}
	stray := ribltDecoder{found: []foundKey{{key: keyOfSymbol(9), count: 1}}}
	if _, _, err := stray.resolve(nil, nil); !errors.Is(err, errNoDecode) {
		t.Errorf("a symbol that nobody holds: %v, want %v", err, errNoDecode)
	}
	twice := fiveKeys()[:1]
	twice = append(twice, twice[0], twice[0])
	if _, err := side.Reconcile(RIBLT{}.Prepare(twice)); !errors.Is(err, errNoDecode) {
		t.Errorf("a key held three times: %v, want %v", err, errNoDecode)
	}
}

// toAndFro returns cells of which one alone holds a key: taken out of it, the key is
// left in the next cell that it maps to with the count -1, and out of that with +1.
func toAndFro() []byte {
	var key ribltKey
	for at := uint64(0); at != 1; {
		key = keyOfSymbol(key.symbol + 1)
		m := key.mapping()
		m.advance()
		at = m.index
	}
	wire := Cell{7, 7, 7}.append(nil) // of keys that never come out
	wire = Cell{key.symbol, key.check, 1}.append(wire)
	return append(wire, make([]byte, 17*60)...)
}

// FuzzRIBLTDecoder has the decoder take any cells.
func FuzzRIBLTDecoder(f *testing.F) {
	here, there := RIBLT{}.Prepare(fiveKeys()[:3]).(*ribltSide), RIBLT{}.Prepare(fiveKeys()[2:]).(*ribltSide)
	f.Add(newCellSource(there).encode(nil, 40))
	f.Add([]byte{})
	f.Add(toAndFro())
	f.Fuzz(func(t *testing.T, wire []byte) {
		decoder := newRIBLTDecoder(len(here.keys) + 3)
		used, err := decoder.read(wire, newCellSource(here))
		if used > len(wire) || err == nil && used < len(wire) && !decoder.done() {
			t.Errorf("%d bytes read of %d, done: %v", used, len(wire), decoder.done())
		}
		if len(decoder.found) > decoder.keys+1 {
			t.Errorf("found %d keys of %d", len(decoder.found), decoder.keys)
		}
	})
}
