package summary_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// forms are the two ways in which an author can write message i: their IDs differ,
// nobody else cares.
func forms(seed, i int) [2]summary.ID {
	text := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(seed)), uint64(i))
	return [2]summary.ID{sha256.Sum256(append(text, 0)), sha256.Sum256(append(text, 1))}
}

func xorIDs(a, b summary.ID) summary.ID {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}

// cancelling returns 256 IDs of messages whose exclusive or is zero: to choose the
// form of each is to solve 256 linear equations over GF(2). About two in seven seeds
// have a solution.
func cancelling(seed int) ([]summary.ID, bool) {
	type row struct {
		id     summary.ID // sum of the differences of forms
		choice [4]uint64  // of which messages
	}
	var target summary.ID
	pivots := make([]*row, 256)
	for i := range 256 {
		f := forms(seed, i)
		target = xorIDs(target, f[0])
		r := row{id: xorIDs(f[0], f[1])}
		r.choice[i/64] = 1 << (i % 64)
		if at, ok := reduce(&r.id, func(at int) bool {
			if pivots[at] == nil {
				return false
			}
			r.id = xorIDs(r.id, pivots[at].id)
			for w := range r.choice {
				r.choice[w] ^= pivots[at].choice[w]
			}
			return true
		}); ok {
			pivots[at] = &r
		}
	}
	var choice [4]uint64
	if _, left := reduce(&target, func(at int) bool {
		if pivots[at] == nil {
			return false
		}
		target = xorIDs(target, pivots[at].id)
		for w := range choice {
			choice[w] ^= pivots[at].choice[w]
		}
		return true
	}); left {
		return nil, false
	}
	ids := make([]summary.ID, 256)
	for i := range ids {
		ids[i] = forms(seed, i)[choice[i/64]>>(i%64)&1]
	}
	return ids, true
}

// reduce lets eliminate clear the bits of id, from the first on, until it declines one,
// whose index it returns, or none is left.
func reduce(id *summary.ID, eliminate func(at int) bool) (int, bool) {
	for i := range id {
		for id[i] != 0 {
			if at := 8*i + 7 - bits.LeadingZeros8(id[i]); !eliminate(at) {
				return at, true
			}
		}
	}
	return 0, false
}

// TestAttackCancelsUnkeyedDigest: edge case 91. 256 messages whose unkeyed digest is
// zero, so that two nodes that exchange such digests never miss them. Under a secret
// they are 256 items like any others: the roots differ, and the sketches' difference
// is exactly them.
func TestAttackCancelsUnkeyedDigest(t *testing.T) {
	var ids []summary.ID
	for seed, ok := 0, false; !ok; seed++ {
		ids, ok = cancelling(seed)
	}
	var digest summary.ID
	for _, id := range ids {
		digest = xorIDs(digest, id)
	}
	if len(ids) != 256 || digest != (summary.ID{}) {
		t.Fatalf("%d messages, unkeyed digest %x: the attack itself failed", len(ids), digest)
	}
	for secret := range byte(20) {
		e := summary.NewExpander([32]byte{secret}, summary.Params{})
		table := summary.NewTable(e.Cells())
		var root summary.Root
		want := make(map[uint64]int)
		for i, id := range ids {
			x := e.Key(summary.Key{Time: int64(i), ID: id})
			root = root.Add(summary.Root{Count: 1, Fingerprint: x.Fingerprint})
			table.Insert(x.Short)
			want[x.Short]++
		}
		if root.Fingerprint == (summary.Fingerprint{}) || len(want) != 256 {
			t.Errorf("secret %d: root %v, %d short IDs", secret, root, len(want))
		}
		sketch, err := table.Fold(512)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeChecked(t, e.Cells(), sketch); err != nil || len(got) != 256 {
			t.Errorf("secret %d: %d items, %v", secret, len(got), err)
		}
	}
}

// ground returns 50 pairs of keys, out of 2^20, that lie in the same four cells of a
// table of 1024 under the secret, and so in the same cells of all its folds.
func ground(t *testing.T, secret [32]byte) []summary.Key {
	t.Helper()
	e := summary.NewExpander(secret, summary.Params{})
	slow := newSlowCoder(secret, summary.Params{ShortBits: 48, CheckBits: 24})
	key := func(i uint64) summary.Key {
		return summary.Key{Time: int64(i), ID: summary.ID(slices.Repeat(binary.LittleEndian.AppendUint64(nil, i), 4))}
	}
	tried := make([]uint64, 1<<20) // the four cells before the number of the key
	for i := range tried {
		short := e.Key(key(uint64(i))).Short
		first, second := slow.salts[0].Word(short), slow.salts[1].Word(short)
		// The low eight bits of each lane's hash.
		cells := first>>32&0xff | first>>56<<8 | second>>16&0xff<<16 | second>>40&0xff<<24
		tried[i] = cells<<20 | uint64(i)
	}
	slices.Sort(tried)
	var keys []summary.Key
	for i := 1; i < len(tried) && len(keys) < 100; i++ {
		if a, b := tried[i-1], tried[i]; a>>20 == b>>20 {
			keys = append(keys, key(a&(1<<20-1)), key(b&(1<<20-1)))
			i++
		}
	}
	return keys
}

// TestAttackGroundIDs: 2^20 IDs ground against the secret of another epoch. The author
// keeps 50 pairs of messages, each in the same four cells of every table up to 1024
// cells: under that secret, their 100 differences never decode. Under the real secret,
// whatever it is, they cost as many cells as 100 random ones.
func TestAttackGroundIDs(t *testing.T) {
	old := [32]byte{1, 2, 3}
	keys := ground(t, old)
	if len(keys) != 100 {
		t.Fatalf("%d keys: the attack itself failed", len(keys))
	}
	if _, err := smallest(t, old, keys, 1024); err == nil {
		t.Fatal("under the known secret they decode: the attack itself failed")
	}
	random := rand.New(rand.NewPCG(7, 1))
	const trials = 150
	crafted, honest, fit := 0, 0, 0
	for trial := range trials {
		secret := [32]byte{9, byte(trial), byte(trial >> 8)}
		n, err := smallest(t, secret, keys, 1024)
		if err != nil {
			t.Fatalf("secret %d: %v", trial, err)
		}
		crafted += n
		if n <= summary.CellsFor(len(keys)) {
			fit++
		}
		others := make([]summary.Key, len(keys))
		for i := range others {
			others[i] = summary.Key{Time: random.Int64()}
		}
		if n, err = smallest(t, secret, others, 1024); err != nil {
			t.Fatal(err)
		}
		honest += n
	}
	t.Logf("mean of cells: %.1f crafted, %.1f honest; %d of %d in %d cells",
		float64(crafted)/trials, float64(honest)/trials, fit, trials, summary.CellsFor(len(keys)))
	if crafted*100 > honest*103 || fit < trials*96/100 {
		t.Error("crafted items cost more than others")
	}
}

// smallest returns the number of cells from which the keys decode.
func smallest(t *testing.T, secret [32]byte, keys []summary.Key, most int) (int, error) {
	t.Helper()
	e := summary.NewExpander(secret, summary.Params{})
	s := newSketch(t, e.Cells(), most)
	for _, k := range keys {
		s.Insert(e.Key(k).Short)
	}
	return s.Smallest()
}
