package summary_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// TestTreeEncoding writes out by hand what small trees are encoded as.
func TestTreeEncoding(t *testing.T) {
	print := strings.Repeat("ab", 32)
	item := func(time int64, last byte) summary.TreeItem {
		var f summary.Fingerprint
		for i := range f {
			f[i] = 0xab
		}
		return summary.TreeItem{Key: summary.Key{Time: time, ID: summary.ID{31: last}}, Fingerprint: f}
	}
	for name, c := range map[string]struct {
		leaf int
		m    treeModel
		want string
	}{
		"nothing":                        {64, nil, "0140" + "00"},
		"an item":                        {300, treeModel{item(0, 0)}, "01ac02" + "02" + print},
		"two items, apart at bit 63":     {1, treeModel{item(0, 0), item(1, 0)}, "0101" + "7f" + "8000000000000000" + "02" + print + "02" + print},
		"two items, apart at bit 0":      {1, treeModel{item(-1, 0), item(1, 0)}, "0101" + "01" + "02" + print + "02" + print},
		"two items, apart in the last":   {1, treeModel{item(0, 0), item(0, 1)}, "0101" + "ff04" + "80" + strings.Repeat("00", 39) + "02" + print + "02" + print},
		"three, the upper two apart yet": {1, treeModel{item(-1, 0), item(0, 0), item(0, 2)}, "0101" + "01" + "02" + print + "fb04" + strings.Repeat("00", 40) + "02" + print + "02" + print},
	} {
		tree := c.m.build(t, c.leaf)
		if got := hex.EncodeToString(tree.AppendBinary(nil)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestTreeBinary: what is encoded, refined or not, decodes to the same tree, which can be
// written as the first can.
func TestTreeBinary(t *testing.T) {
	for name, keys := range treeCases() {
		t.Run(name, func(t *testing.T) {
			for _, leaf := range []int{1, 7, 64} {
				tree, m := summary.NewTree(leaf), modelOf(keys)
				for i, k := range keys {
					tree.Insert(k, itemOf(k).Fingerprint)
					if i == len(keys)/2 {
						refine(t, tree, modelOf(keys[:i+1]))
					}
				}
				decoded, err := summary.DecodeTree(tree.AppendBinary(nil))
				if err != nil {
					t.Fatal(err)
				}
				sound(t, decoded, m, leaf)
				refine(t, decoded, m)
				settled(t, decoded, m, leaf)
			}
		})
	}
}

// TestTreeAppendBinary: what dst holds stays before the encoding.
func TestTreeAppendBinary(t *testing.T) {
	tree := modelOf(edgeKeys()).build(t, 2)
	if got, want := tree.AppendBinary([]byte("before")), append([]byte("before"), tree.AppendBinary(nil)...); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

// TestDecodeTreeBad: nothing that AppendBinary does not write is a tree.
func TestDecodeTreeBad(t *testing.T) {
	print := strings.Repeat("ab", 32)
	leaf := "02" + print
	huge := "feffffffffffffffff01" + print // 2^63 - 1 items
	for name, text := range map[string]string{
		"no bytes":                         "",
		"another version":                  "024000",
		"no leaf size":                     "01",
		"leaf size 0":                      "010000",
		"leaf size 65537":                  "0181800400",
		"leaf size in two bytes for one":   "01810000",
		"no root":                          "0140",
		"count in two bytes for one":       "01408000",
		"count in eleven bytes":            "0140" + strings.Repeat("80", 10) + "00",
		"a byte after the end":             "01400000",
		"a fingerprint of no items":        "014000" + print,
		"half a fingerprint":               "014002" + print[:32],
		"an empty leaf below a node":       "0101" + "01" + "00" + "04" + print,
		"a node of no more than a leaf":    "0102" + "01" + leaf + leaf,
		"a node of one key":                "0101" + "8105" + strings.Repeat("00", 40) + leaf + leaf,
		"a node beyond the key":            "0101" + "ffffffffffffffffff01" + strings.Repeat("00", 40) + leaf + leaf,
		"bits missing":                     "0101" + "7f" + "80",
		"more bits than said":              "0101" + "7f" + "8000000000000001" + leaf + leaf,
		"a second branch missing":          "0101" + "01" + leaf,
		"two items with one key":           "0101" + "ff04" + strings.Repeat("00", 40) + "04" + print + leaf,
		"three items with two keys":        "0101" + "fd04" + strings.Repeat("00", 40) + "06" + print + leaf,
		"more items than can be counted":   "0101" + "01" + huge + leaf,
		"as many as can be counted, twice": "0101" + "01" + huge + huge,
	} {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if tree, err := summary.DecodeTree(data); !errors.Is(err, summary.ErrEncoding) || tree != nil {
			t.Errorf("%s: got %v, %v", name, tree, err)
		}
	}
	// The largest counts that there may be.
	for _, text := range []string{"0101" + huge, "0101" + "01" + "fcffffffffffffffff01" + print + leaf, "0101" + "fd04" + strings.Repeat("00", 40) + "04" + print + leaf} {
		data, _ := hex.DecodeString(text)
		tree, err := summary.DecodeTree(data)
		if err != nil || !bytes.Equal(tree.AppendBinary(nil), data) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestDecodeTreeMeddled: with any bit flipped, any end missing or anything after it, an
// encoding is refused, or the canonical one of another tree.
func TestDecodeTreeMeddled(t *testing.T) {
	form := modelOf(edgeKeys()[:24]).build(t, 3).AppendBinary(nil)
	for n := range form {
		if _, err := summary.DecodeTree(form[:n]); !errors.Is(err, summary.ErrEncoding) {
			t.Errorf("%d of %d bytes: %v", n, len(form), err)
		}
	}
	if _, err := summary.DecodeTree(append(slices.Clone(form), 0)); !errors.Is(err, summary.ErrEncoding) {
		t.Errorf("a byte more: %v", err)
	}
	for bit := range 8 * len(form) {
		meddled := slices.Clone(form)
		meddled[bit/8] ^= 1 << (bit % 8)
		checkDecode(t, meddled)
	}
}

// checkDecode fails if bytes decode to a tree that is not in order or encodes otherwise.
func checkDecode(t *testing.T, data []byte) {
	t.Helper()
	tree, err := summary.DecodeTree(data)
	if err != nil {
		if !errors.Is(err, summary.ErrEncoding) {
			t.Fatalf("%x: %v", data, err)
		}
		return
	}
	if got := tree.AppendBinary(nil); !bytes.Equal(got, data) {
		t.Fatalf("%x decodes to %x", data, got)
	}
	if _, err := tree.Check(); err != nil {
		t.Fatalf("%x: %v", data, err)
	}
	if tree.Size() > 5*len(data)+80 {
		t.Fatalf("%d bytes take %d of memory", len(data), tree.Size())
	}
}

// TestDecodeTreeMemory: bytes that begin ever new nodes, and end, allocate next to nothing.
func TestDecodeTreeMemory(t *testing.T) {
	data := append([]byte{1, 1}, bytes.Repeat([]byte{1}, 1<<20)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := summary.DecodeTree(data); !errors.Is(err, summary.ErrEncoding) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated", got)
	}
}

func FuzzDecodeTree(f *testing.F) {
	for _, leaf := range []int{1, 3, 64} {
		tree := summary.NewTree(leaf)
		for i, k := range edgeKeys()[:40] {
			tree.Insert(k, itemOf(k).Fingerprint)
			if i%8 == 0 {
				f.Add(tree.AppendBinary(nil))
			}
		}
		refined := tree.Snapshot()
		if err := refined.Refine(summary.Bucket{}, modelOf(edgeKeys()[:40])); err != nil {
			f.Fatal(err)
		}
		f.Add(refined.AppendBinary(nil))
	}
	f.Fuzz(checkDecode)
}
