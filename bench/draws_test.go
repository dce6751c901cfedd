package bench

import (
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
)

// lacked is what each side lacks, as indices of all keys.
type lacked struct {
	here, there []uint32
	bound       float64 // bits that tell it from all other outcomes of its divergence
}

// draw returns one outcome of the divergence.
func (c strategyCase) draw(random io.Reader) lacked {
	source := random.(rand.Source)
	end := c.n
	switch c.divergence {
	case datasets.Newest:
		return lacked{here: run(end-c.d, end), bound: math.Log2(float64(end + 1))}
	case datasets.Hole:
		return lacked{here: run((end-c.d)/2, (end-c.d)/2+c.d), bound: 2*math.Log2(float64(end+1)) - 1}
	case datasets.Fresh:
		return lacked{here: run(0, end)}
	case datasets.Recent:
		window := min(end, 2*c.d)
		old := min(c.d/20, end-window)
		return lacked{
			here:  append(sampled(source, 0, end-window, old), sampled(source, end-window, end, c.d-old)...),
			bound: choices(end-window, old) + choices(window, c.d-old),
		}
	case mixed:
		return c.mix(source)
	}
	all := sampled(source, 0, end, c.d)
	if c.direction == engine.Pull {
		return lacked{here: all, bound: choices(end, c.d)}
	}
	l := lacked{bound: choices(end, c.d) + choices(c.d, c.d/2)}
	there := sampled(source, 0, c.d, c.d/2)
	for i, at := range all {
		if len(there) > 0 && there[0] == uint32(i) {
			l.there, there = append(l.there, at), there[1:]
		} else {
			l.here = append(l.here, at)
		}
	}
	return l
}

// mix draws how many are missing, as often between 1 and 2 as between 1000 and 2000, and which:
// none, the newest, mostly of the newest, a run in the middle, or any, each as often.
func (c strategyCase) mix(source rand.Source) lacked {
	random := rand.New(source)
	one := c
	one.d = int(math.Exp(random.Float64() * math.Log(float64(c.d+1))))
	all := []datasets.Divergence{"", datasets.Newest, datasets.Recent, datasets.Hole, datasets.Scattered}
	if one.divergence = all[random.IntN(len(all))]; one.divergence == "" {
		return lacked{}
	}
	return one.draw(source.(io.Reader))
}

// run returns the numbers from from to before end.
func run(from, end int) []uint32 {
	all := make([]uint32, 0, end-from)
	for i := from; i < end; i++ {
		all = append(all, uint32(i))
	}
	return all
}

// sampled returns so many of the numbers from from to before end, ascending, each choice
// as likely as any other (Knuth, The Art of Computer Programming, volume 2, §3.4.2,
// algorithm S).
func sampled(source rand.Source, from, end, need int) []uint32 {
	random := rand.New(source)
	some := make([]uint32, 0, need)
	for ; need > 0; from++ {
		if random.IntN(end-from) < need {
			some = append(some, uint32(from))
			need--
		}
	}
	return some
}

// choices is the logarithm to base 2 of how many ways there are to choose d of n.
func choices(n, d int) float64 {
	log := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return (log(n) - log(d) - log(n-d)) / math.Ln2
}

// TestStrategyDraws: what is drawn is what the divergence says, another one for another
// number and the same one for the same.
func TestStrategyDraws(t *testing.T) {
	const n = 10_000
	for _, c := range strategyCases(n) {
		l, again, other := c.draw(chacha(7)), c.draw(chacha(7)), c.draw(chacha(8))
		if !slices.Equal(l.here, again.here) || !slices.Equal(l.there, again.there) {
			t.Errorf("%v: drawn twice, it differs", c)
		}
		fixed := c.d == 0 || c.divergence == datasets.Newest || c.divergence == datasets.Fresh
		if slices.Equal(l.here, other.here) != fixed {
			t.Errorf("%v: the same is missing in two draws: %t, want %t", c, !fixed, fixed)
		}
		all := slices.Concat(l.here, l.there)
		slices.Sort(all)
		if c.divergence != mixed && len(slices.Compact(slices.Clone(all))) != c.d || !slices.IsSorted(l.here) || !slices.IsSorted(l.there) {
			t.Errorf("%v: %d and %d are missing, not ascending and %d in all", c, len(l.here), len(l.there), c.d)
		}
		if missing := len(l.there); c.direction == engine.Both && missing != c.d/2 || c.direction == engine.Pull && missing != 0 {
			t.Errorf("%v: the responder lacks %d", c, missing)
		}
		if window := n - 2*c.d; c.divergence == datasets.Recent && window > 0 {
			old, _ := slices.BinarySearch(l.here, uint32(window))
			if old != c.d/20 {
				t.Errorf("%v: %d are not among the newest, want %d", c, old, c.d/20)
			}
		}
		if c.divergence == datasets.Newest && int(l.here[0]) != n-c.d {
			t.Errorf("%v: the oldest that is missing is number %d", c, l.here[0])
		}
	}
}

// TestStrategyMix: a mixed workload is of none as often as of each divergence, of sizes of all
// magnitudes, and its bound is that of what was drawn.
func TestStrategyMix(t *testing.T) {
	const n, draws = 10_000, 2000
	c := strategyCase{mixed, engine.Pull, n, 1000}
	none, small, most := 0, 0, 0
	random := chacha(1)
	for range draws {
		l := c.draw(random)
		switch d := len(l.here); {
		case d == 0:
			none++
			if l.bound != 0 {
				t.Fatalf("%v bits tell that nothing is missing", l.bound)
			}
		case d < 32: // half of the magnitudes up to 1000
			small++
		}
		most = max(most, len(l.here))
	}
	if share := float64(none) / draws; math.Abs(share-0.2) > 0.04 {
		t.Errorf("nothing is missing in %.3f of the draws, want 0.2", share)
	}
	if share := float64(small) / float64(draws-none); math.Abs(share-0.5) > 0.06 || most < 900 || most > 1000 {
		t.Errorf("less than 32 are missing in %.3f of the others, want 0.5; at most %d", share, most)
	}
}

// TestChoices compares with coefficients that are known.
func TestChoices(t *testing.T) {
	for _, c := range []struct {
		n, d int
		want float64
	}{{5, 0, 1}, {5, 2, 10}, {52, 5, 2_598_960}} {
		if got := math.Exp2(choices(c.n, c.d)); math.Abs(got/c.want-1) > 1e-9 {
			t.Errorf("there are %v ways to choose %d of %d, want %v", got, c.d, c.n, c.want)
		}
	}
}
