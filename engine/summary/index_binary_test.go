package summary

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

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
