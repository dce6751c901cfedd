package summary

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// What follows holds figures of SPEC.md, "What a reader who writes can do", to attacks on
// smaller parameters. The attacker has the secret of the view and chooses among items
// that he makes; he pays by trials.

// readerKey is the item that the i-th trial makes.
func readerKey(i int) Key {
	k := Key{Time: int64(i)}
	binary.LittleEndian.PutUint64(k.ID[:], uint64(i)*0x9e3779b97f4a7c15)
	return k
}

// addend is a signed sum of fingerprints, modulo 2^sumBits, and the trials that it is of.
type addend struct {
	sum uint64
	of  [1 << addendDepth]int32
	n   int
}

const (
	sumBits     = 48
	addendDepth = 3 // t: the attack takes 2^t items
	partBits    = sumBits / (addendDepth + 1)
)

// matched returns the sums of one addend of each list, of which partBits bits from low on
// are zero, as those below are already.
func matched(a, b []addend, low, width int) (sums []addend) {
	mask := uint64(1)<<width - 1
	at := make(map[uint64][]int)
	for i, y := range b {
		part := y.sum >> low & mask
		at[part] = append(at[part], i)
	}
	for _, x := range a {
		for _, i := range at[-x.sum>>low&mask] {
			sum := x
			sum.sum = (x.sum + b[i].sum) & (1<<sumBits - 1)
			copy(sum.of[x.n:], b[i].of[:b[i].n])
			sum.n += b[i].n
			sums = append(sums, sum)
		}
	}
	return sums
}

// forge returns two sets of as many items whose fingerprints under a secret add up to the
// same modulo 2^sumBits. One of them holds an item of another author. It returns how
// many such pairs of sets there are among so many trials.
func forge(secret [32]byte, victim Key, trials int) (here, there []Key, solutions int) {
	hasher := NewHasher(secret)
	cut := func(k Key) uint64 {
		f := hasher.Key(k).Fingerprint
		return f.word(0) & (1<<sumBits - 1)
	}
	own := Key{Time: -2}
	lists := make([][]addend, 1<<addendDepth)
	for trial := range trials {
		list := trial % len(lists)
		sum := cut(readerKey(trial))
		if list >= len(lists)/2 {
			sum = -sum
		}
		if list == 0 {
			sum += cut(victim) - cut(own)
		}
		lists[list] = append(lists[list], addend{sum: sum & (1<<sumBits - 1), of: [1 << addendDepth]int32{int32(trial)}, n: 1})
	}
	for low := 0; len(lists) > 1; low += partBits {
		width := partBits
		if len(lists) == 2 {
			width = 2 * partBits
		}
		var next [][]addend
		for i := 0; i < len(lists); i += 2 {
			next = append(next, matched(lists[i], lists[i+1], low, width))
		}
		lists = next
	}
	if len(lists[0]) == 0 {
		return nil, nil, 0
	}
	here, there = []Key{victim}, []Key{own}
	for i, of := range lists[0][0].of {
		if i < len(lists[0][0].of)/2 {
			here = append(here, readerKey(int(of)))
		} else {
			there = append(there, readerKey(int(of)))
		}
	}
	return here, there, len(lists[0])
}

// TestReaderEqualRoots: edge case 92. Fingerprints cut to 48 bits, and 2^16 trials, twice
// 2^(t + 48/(t+1)) with t = 3: Wagner's generalised birthday finds two sets of equal
// count and sum, one of them with an item of another author. Of the whole 256 bits that
// takes 2^31 trials with t = 15. Under another secret they are sets like any others.
func TestReaderEqualRoots(t *testing.T) {
	const trials = 2 << (addendDepth + partBits)
	here, there, solutions := forge([32]byte{1}, Key{Time: -1, ID: ID{9}}, trials)
	// Of eight lists of 2^13 there are 2^14 pairs each, 2^16 fours, and 2^8 eights.
	if solutions < 1<<8/2 || solutions > 1<<8*2 {
		t.Fatalf("%d solutions of %d trials, want about 256: the attack itself failed", solutions, trials)
	}
	for secret, low := range map[byte]int{1: sumBits, 2: 0} {
		h := NewHasher([32]byte{secret})
		a, b := h.Root(here), h.Root(there)
		if a.Count != b.Count || a == b {
			t.Fatalf("roots %v and %v", a, b)
		}
		difference := a.Fingerprint.Sub(b.Fingerprint)
		if equal := bits.TrailingZeros64(difference.word(0)); equal < low || equal > low+15 {
			t.Errorf("secret %d: the sums agree in %d bits, want %d and few more", secret, equal, low)
		}
	}
}

// TestReaderEstimates: with the secret, items that cancel in an estimator take less than
// two trials each, and those that add up in one counter 2^9; under another secret
// the estimate is within six standard errors.
func TestReaderEstimates(t *testing.T) {
	const d = 2000
	e := NewExpander([32]byte{1}, Params{})
	var open [256][]Key // by counter, of the sign that came last
	var signs [256]byte
	var cancelling, adding []Key
	trials := 0
	for ; len(cancelling) < d; trials++ {
		k := readerKey(trials)
		slice := e.Key(k).Slice
		at, s := byte(slice), sign(slice)
		if n := len(open[at]); n > 0 && signs[at] != s {
			cancelling = append(cancelling, k, open[at][n-1])
			open[at] = open[at][:n-1]
		} else if n == 0 {
			open[at], signs[at] = []Key{k}, s
		}
	}
	if trials > 2*d {
		t.Errorf("%d trials for %d items that cancel", trials, d)
	}
	many := 0
	for ; len(adding) < 127; many++ {
		if k := readerKey(many); e.Key(k).Slice&(1<<sampleBit-1) == 7 {
			adding = append(adding, k)
		}
	}
	if per := float64(many) / 127; per < 512*0.7 || per > 512*1.3 {
		t.Errorf("%.0f trials for an item of one counter and sign, want 512", per)
	}
	for name, c := range map[string]struct {
		items []Key
		want  float64
	}{"cancelling": {cancelling, 0}, "adding up": {adding, 127 * 127}} {
		if got := estimateKeys([32]byte{1}, c.items); got != c.want {
			t.Errorf("%s: %d items are estimated as %v, want %v", name, len(c.items), got, c.want)
		}
		n := float64(len(c.items))
		if got := estimateKeys([32]byte{2}, c.items); math.Abs(got/n-1) > 6*0.09 {
			t.Errorf("%s, under another secret: %v items are estimated as %v", name, n, got)
		}
	}
}

// estimateKeys returns the estimate of the difference between keys and nothing.
func estimateKeys(secret [32]byte, keys []Key) float64 {
	e := NewExpander(secret, Params{})
	var all Estimators
	for _, k := range keys {
		all.Insert(e.Key(k).Slice)
	}
	at, _ := all.At(0)
	d, _ := Estimate(0, at)
	return d
}

// TestReaderComposites counts the triples that look like one item in a cell of 160, with
// checks of 12 bits, among 2000 items: as many as the formula says, 4 (4/160)^3 2^(2-12)
// of all triples. With 24 bits one is found in 2^13 trials.
func TestReaderComposites(t *testing.T) {
	const items, cells, checkBits = 2000, 160, 12
	coder := NewExpander([32]byte{1}, Params{ShortBits: 48, CheckBits: checkBits}).Cells()
	random, at := rand.New(rand.NewPCG(1, 3)), gridOf(cells)
	var in [cells][]uint64
	for range items {
		short := random.Uint64() & coder.shortMask
		for _, place := range coder.places(short, coder.first(short)) {
			in[at.at(place)] = append(in[at.at(place)], short)
		}
	}
	found := 0
	for i := range in {
		found += composites(&coder, at, uint32(i), in[i])
	}
	expected := 4 * math.Pow(4./cells, 3) * math.Ldexp(1, 2-checkBits) * math.Pow(items, 3) / 6
	if off := math.Abs(float64(found) - expected); off > 5*math.Sqrt(expected) {
		t.Errorf("%d triples look like one item, want %.1f", found, expected)
	}
}

// composites returns how many triples of the items of a cell look like one item in it.
func composites(c *Coder, g grid, cell uint32, items []uint64) (n int) {
	checks := make([]uint32, len(items))
	for i, short := range items {
		checks[i] = c.check(c.first(short))
	}
	for i := range items {
		for j := range i {
			for k := range j {
				short := items[i] ^ items[j] ^ items[k]
				first := c.first(short)
				check, sum := c.check(first), (checks[i]+checks[j]+checks[k])&c.checkMask
				if check != sum && -check&c.checkMask != sum {
					continue
				}
				if g.at(c.places(short, first)[cell%lanes]) == cell {
					n++
				}
			}
		}
	}
	return n
}
