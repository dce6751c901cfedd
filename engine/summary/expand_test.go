package summary_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// lookalikes are keys that lax code takes for one another: edge cases 24 (one ID with two
// times) and 25 (all zeros, all ones, equal in the first 8 bytes, equal but for the last bit).
func lookalikes() []summary.Key {
	var ones, prefixA, prefixB summary.ID
	for i := range ones {
		ones[i] = 0xff
		prefixA[i], prefixB[i] = byte(i), byte(i)
	}
	prefixB[8] ^= 0x80
	lastA, lastB := summary.ID{1, 2, 3}, summary.ID{1, 2, 3, 31: 1}
	var keys []summary.Key
	for _, time := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		for _, id := range []summary.ID{{}, ones, prefixA, prefixB, lastA, lastB} {
			keys = append(keys, summary.Key{Time: time, ID: id})
		}
	}
	return keys
}

// TestExpandReference holds every part of an expansion to HMAC as a library computes
// it, and all keys apart.
func TestExpandReference(t *testing.T) {
	secret := [32]byte{7, 31: 9}
	for _, p := range someParams() {
		e := summary.NewExpander(secret, p)
		seen := make(map[summary.Expansion]bool)
		for _, k := range lookalikes() {
			text := append(binary.BigEndian.AppendUint64(nil, uint64(k.Time)), k.ID[:]...)
			second := slowHMAC(slowHMAC(secret[:], []byte("dwnsync slices v1\x00")), text)
			want := summary.Expansion{
				Fingerprint: summary.Fingerprint(slowHMAC(secret[:], text)),
				Short:       binary.LittleEndian.Uint64(second) & (1<<p.ShortBits - 1),
				Slice:       binary.LittleEndian.Uint64(second[8:]),
			}
			got := e.Key(k)
			if got != want {
				t.Fatalf("%v, key %v: got %v, want %v", p, k, got, want)
			}
			if got.Fingerprint != summary.NewHasher(secret).Key(k).Fingerprint {
				t.Fatalf("key %v: not the fingerprint of a hasher", k)
			}
			seen[got] = true
		}
		if len(seen) != len(lookalikes()) {
			t.Errorf("%v: %d expansions of %d keys", p, len(seen), len(lookalikes()))
		}
	}
}

// TestExpandSecrets: nothing stays the same under another secret.
func TestExpandSecrets(t *testing.T) {
	a, b := summary.NewExpander([32]byte{1}, summary.Params{}), summary.NewExpander([32]byte{2}, summary.Params{})
	for _, k := range lookalikes() {
		x, y := a.Key(k), b.Key(k)
		if x.Fingerprint == y.Fingerprint || x.Short == y.Short || x.Slice == y.Slice {
			t.Errorf("key %v: %v and %v", k, x, y)
		}
	}
	if a.Cells() == b.Cells() || a.Cells() != summary.NewExpander([32]byte{1}, summary.Params{}).Cells() {
		t.Error("a coder is not a function of its secret")
	}
}

// TestCoderPrints: no salt reaches a log.
func TestCoderPrints(t *testing.T) {
	c := coderOf(1, summary.Params{})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, c); got != "coder(48/24)" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// TestZeroFingerprints: edge cases 28 and 29. An item of fingerprint zero, and items
// whose fingerprints add up to exactly 2^256, are not nothing: the root counts them.
func TestZeroFingerprints(t *testing.T) {
	one := summary.Root{Count: 1, Fingerprint: summary.Fingerprint{1}}
	rest := summary.Root{Count: 1, Fingerprint: summary.Fingerprint{}.Sub(one.Fingerprint)}
	sum := one.Add(rest)
	if sum.Fingerprint != (summary.Fingerprint{}) || sum == (summary.Root{}) || sum.Count != 2 {
		t.Errorf("the sum is %v", sum)
	}
	if zero := (summary.Root{Count: 1}); one.Add(zero) == one || one.Add(zero).Sub(zero) != one {
		t.Error("an item of fingerprint zero is lost")
	}
}

func TestParams(t *testing.T) {
	for _, test := range []struct {
		p    summary.Params
		size int // of a cell; 0: refused
	}{
		{summary.Params{}, 9},
		{summary.Params{ShortBits: 56}, 10},
		{summary.Params{CheckBits: 32}, 10},
		{summary.WideParams(), 12},
		{summary.Params{ShortBits: 1, CheckBits: 2}, 2},
		{summary.Params{ShortBits: 9, CheckBits: 17}, 5},
		{summary.Params{ShortBits: -1, CheckBits: 24}, 0},
		{summary.Params{ShortBits: 65, CheckBits: 24}, 0},
		{summary.Params{ShortBits: 48, CheckBits: 1}, 0},
		{summary.Params{ShortBits: 48, CheckBits: 33}, 0},
		{summary.Params{ShortBits: math.MaxInt, CheckBits: math.MinInt}, 0},
	} {
		err := test.p.Validate()
		if test.size == 0 {
			if !errors.Is(err, summary.ErrParams) || !panics(func() { summary.NewExpander([32]byte{}, test.p) }) {
				t.Errorf("%v: got %v, want ErrParams and a panic", test.p, err)
			}
		} else if got := test.p.CellSize(); err != nil || got != test.size {
			t.Errorf("%v: %d bytes a cell, %v, want %d", test.p, got, err, test.size)
		}
	}
	narrow := summary.Params{ShortBits: 48, CheckBits: 24}
	for n, want := range map[uint64]summary.Params{
		0: narrow, 10_000_000: narrow, 10_000_001: summary.WideParams(), math.MaxUint64: summary.WideParams(),
	} {
		if got := summary.ParamsFor(n); got != want {
			t.Errorf("for %d items: got %v, want %v", n, got, want)
		}
	}
	if got := coderOf(0, summary.Params{}).Params(); got != narrow {
		t.Errorf("the default is %v", got)
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

func TestExpanderAllocates(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	e := summary.NewExpander([32]byte{}, summary.Params{})
	if n := testing.AllocsPerRun(100, func() { e.Key(summary.Key{Time: 1}) }); n != 0 {
		t.Errorf("%v allocations per key", n)
	}
}
