package summary_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// golden holds what a function makes to a golden file, or writes it with -update, and
// returns what is in the file.
func golden[T any](t *testing.T, name string, got T) T {
	t.Helper()
	path := filepath.Join(filepath.Dir(vectorFile), name)
	text, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(want) {
		t.Errorf("%s is not what the code gives", path)
	}
	var parsed T
	if err := json.Unmarshal(want, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// hex64 writes a number of 64 bits so that no reader of JSON rounds it.
func hex64(v uint64) string { return fmt.Sprintf("%016x", v) }

func vectorSecret(i int) [32]byte { return [32]byte{0: byte(i), 31: 0xee} }

func vectorKeys() []summary.Key {
	var keys []summary.Key
	for i, time := range []int64{0, 1735689661000542, -1, math.MaxInt64, math.MinInt64} {
		keys = append(keys, summary.Key{Time: time, ID: summary.ID{0: byte(time), 30: byte(i)}})
	}
	return append(keys, summary.Key{Time: 7, ID: summary.ID(slices.Repeat([]byte{0xff}, 32))})
}

type expansionVector struct {
	Key       string         `json:"viewKey"`
	ShortBits int            `json:"shortBits"`
	CheckBits int            `json:"checkBits"`
	Time      int64          `json:"time"`
	ID        string         `json:"id"`
	Short     string         `json:"short"`
	Slice     string         `json:"slice"`
	Check     string         `json:"check"`
	Lanes     [4]string      `json:"lanes"`
	Cells     map[int][4]int `json:"cells"`
}

// TestExpansionVectors holds short IDs, slices, checks, lanes and cells to the golden file:
// checks and lanes of the slow reference, and sketches of one item to the cells.
func TestExpansionVectors(t *testing.T) {
	var got []expansionVector
	for i, p := range []summary.Params{{ShortBits: 48, CheckBits: 24}, {ShortBits: 64, CheckBits: 32}} {
		secret := vectorSecret(i)
		e, slow := summary.NewExpander(secret, p), newSlowCoder(secret, p)
		for _, k := range vectorKeys() {
			x := e.Key(k)
			item := slow.item(x.Short)
			v := expansionVector{
				hex.EncodeToString(secret[:]), p.ShortBits, p.CheckBits, k.Time, hex.EncodeToString(k.ID[:]),
				hex64(x.Short), hex64(x.Slice), hex64(item.check)[8:],
				[4]string{},
				map[int][4]int{},
			}
			for j, place := range item.places {
				v.Lanes[j] = hex64(place / 4)[10:]
			}
			for _, size := range []int{16, 17, 1000, 1 << 16, 1<<16 + 1} {
				v.Cells[size] = cellsOfOne(t, e.Cells(), x.Short, size)
				for j, place := range item.places {
					if at := slowAt(place, size); v.Cells[size][j] != at {
						t.Errorf("lane %d of %x is in cell %d of %d, want %d", j, x.Short, v.Cells[size][j], size, at)
					}
				}
			}
			got = append(got, v)
		}
	}
	if in := golden(t, "expansions.json", got); len(in) != len(got) {
		t.Errorf("%d expansions, want %d", len(in), len(got))
	}
}

// cellsOfOne returns the cells in which a sketch has its only item, by lane.
func cellsOfOne(t *testing.T, c summary.Coder, short uint64, size int) (at [4]int) {
	t.Helper()
	s := newSketch(t, c, size)
	s.Insert(short)
	width, found := c.Params().CellSize(), 0
	wire := s.AppendCells(nil, 0, size)
	for i := range size {
		if slices.ContainsFunc(wire[i*width:(i+1)*width], func(b byte) bool { return b != 0 }) {
			at[i%4] = i
			found++
		}
	}
	if found != 4 {
		t.Fatalf("an item is in %d cells", found)
	}
	return at
}

type sketchVector struct {
	Key       string         `json:"viewKey"`
	ShortBits int            `json:"shortBits"`
	CheckBits int            `json:"checkBits"`
	Plus      []string       `json:"plus"`
	Minus     []string       `json:"minus"`
	Cells     map[int]string `json:"cells"`
}

// TestSketchVectors holds the cells of a difference, at several sizes, to the golden file:
// each is a fold of the larger ones, each grows to the largest by what follows in it, and
// those from 40 on decode to the difference.
func TestSketchVectors(t *testing.T) {
	sizes := []int{16, 17, 23, 32, 40, 64, 100}
	var got []sketchVector
	for i, p := range []summary.Params{{ShortBits: 48, CheckBits: 24}, {ShortBits: 64, CheckBits: 32}} {
		c := summary.NewExpander(vectorSecret(i), p).Cells()
		v := sketchVector{Key: hex.EncodeToString(sliceOf(vectorSecret(i))), ShortBits: p.ShortBits, CheckBits: p.CheckBits, Cells: map[int]string{}}
		largest := newSketch(t, c, sizes[len(sizes)-1])
		for j := range 14 {
			short := uint64(j+1) * 0x9e3779b97f4a7c15 >> (64 - p.ShortBits)
			if j%3 == 2 {
				largest.Remove(short)
				v.Minus = append(v.Minus, hex64(short))
			} else {
				largest.Insert(short)
				v.Plus = append(v.Plus, hex64(short))
			}
		}
		for _, size := range sizes {
			folded, err := largest.Fold(size)
			if err != nil {
				t.Fatal(err)
			}
			v.Cells[size] = hex.EncodeToString(folded.AppendCells(nil, 0, size))
		}
		got = append(got, v)
	}
	for i, v := range golden(t, "sketches.json", got) {
		checkSketchVector(t, summary.NewExpander(vectorSecret(i), summary.Params{ShortBits: v.ShortBits, CheckBits: v.CheckBits}).Cells(), v, sizes)
	}
}

func sliceOf(secret [32]byte) []byte { return secret[:] }

func checkSketchVector(t *testing.T, c summary.Coder, v sketchVector, sizes []int) {
	t.Helper()
	last := sizes[len(sizes)-1]
	whole, err := hex.DecodeString(v.Cells[last])
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range sizes {
		wire, err := hex.DecodeString(v.Cells[size])
		if err != nil {
			t.Fatal(err)
		}
		s, err := summary.DecodeSketch(c, wire)
		if err != nil {
			t.Fatal(err)
		}
		if d, err := s.Decode(); size >= 40 {
			slices.Sort(d.Plus)
			if err != nil || len(d.Plus) != len(v.Plus) || len(d.Minus) != len(v.Minus) || !slices.Contains(v.Plus, hex64(d.Plus[0])) {
				t.Errorf("%d cells decode to %v, want %v and %v: %v", size, d, v.Plus, v.Minus, err)
			}
		}
		if err := s.Extend(whole[size*c.Params().CellSize():]); err != nil {
			t.Fatal(err)
		}
		if have := hex.EncodeToString(s.AppendCells(nil, 0, last)); have != v.Cells[last] {
			t.Errorf("%d cells grow to %s, want %s", size, have, v.Cells[last])
		}
	}
}

type estimatorVector struct {
	Plus     []string `json:"plus"`
	Minus    []string `json:"minus"`
	Levels   []string `json:"levels"`
	Estimate []string `json:"estimates"`
}

// TestEstimatorVectors holds the counters of a difference at all levels to the golden
// file, and their estimates to a tenth.
func TestEstimatorVectors(t *testing.T) {
	var got []estimatorVector
	for _, items := range []int{0, 3, 400} {
		v := estimatorVector{Plus: []string{}, Minus: []string{}}
		var a, b summary.Estimators
		for i := range items {
			slice := uint64(i+1) * 0xd6e8feb86659fd93
			if slice ^= slice >> 32; i%8 == 3 {
				slice &^= 0xff << 9 // in the samples of levels 1 and 2
			}
			if i%2 == 0 {
				a.Insert(slice)
				v.Plus = append(v.Plus, hex64(slice))
			} else {
				b.Insert(slice)
				v.Minus = append(v.Minus, hex64(slice))
			}
		}
		for level := range summary.EstimatorLevels {
			x, _ := a.At(level)
			y, _ := b.At(level)
			difference := x.Subtract(y)
			estimate, _ := summary.Estimate(level, difference)
			v.Levels = append(v.Levels, hex.EncodeToString(difference[:]))
			v.Estimate = append(v.Estimate, fmt.Sprintf("%.1f", estimate))
		}
		got = append(got, v)
	}
	golden(t, "estimators.json", got)
}

type bucketVector struct {
	Key    string       `json:"viewKey"`
	Leaf   int          `json:"leafSize"`
	Items  [][2]string  `json:"items"` // time, ID
	Leaves []leafVector `json:"leaves"`
}

type leafVector struct {
	Bits        int    `json:"bits"`
	Prefix      string `json:"prefix"`
	Count       uint64 `json:"count"`
	Fingerprint string `json:"fingerprint"`
}

// TestBucketVectors holds the leaves of a tree, bit prefixes and roots, to the golden file.
func TestBucketVectors(t *testing.T) {
	secret := vectorSecret(0)
	v := bucketVector{Key: hex.EncodeToString(secret[:]), Leaf: 2}
	hasher := summary.NewHasher(secret)
	tree := summary.NewTree(v.Leaf)
	var items []summary.TreeItem
	for i, time := range []int64{-5, 0, 1, 1, 1, 1, 2, 1 << 40, 1<<40 + 1, 1<<40 + 3, math.MaxInt64} {
		k := summary.Key{Time: time, ID: summary.ID{0: byte(i * 40), 31: byte(i)}}
		v.Items = append(v.Items, [2]string{fmt.Sprint(time), hex.EncodeToString(k.ID[:])})
		f := hasher.Key(k).Fingerprint
		items = append(items, summary.TreeItem{Key: k, Fingerprint: f})
		tree.Insert(k, f)
	}
	for _, b := range tree.Overfull(1) {
		if err := tree.Refine(b, items); err != nil {
			t.Fatal(err)
		}
	}
	for b, root := range tree.Segments() {
		first := b.First()
		prefix := fmt.Sprintf("%016x%x", uint64(first.Time)^1<<63, first.ID)[:(b.Bits()+3)/4]
		v.Leaves = append(v.Leaves, leafVector{b.Bits(), prefix, root.Count, hex.EncodeToString(root.Fingerprint[:])})
	}
	for _, leaf := range golden(t, "buckets.json", v).Leaves {
		if leaf.Count < 1 || leaf.Count > uint64(v.Leaf) || len(leaf.Prefix) != (leaf.Bits+3)/4 {
			t.Errorf("leaf %+v", leaf)
		}
	}
}
