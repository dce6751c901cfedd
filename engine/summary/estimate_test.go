package summary

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// estimatorTrials is how many differences of each size are estimated: enough to know a
// standard error to 1/sqrt(2*trials) of itself, 3.5 % or, in the long form, 0.5 %.
func estimatorTrials() int {
	if longForm() {
		return 20_000
	}
	return 400
}

// spread counts d draws over as many equal chances as counts has, a power of two:
// halves them again and again, each time by as many random bits as there are draws.
func spread(random *rand.Rand, counts []int, d int) {
	if len(counts) == 1 {
		counts[0] = d
		return
	}
	left := 0
	for n := d; n > 0; n -= 64 {
		left += bits.OnesCount64(random.Uint64() >> (64 - min(n, 64)))
	}
	half := len(counts) / 2
	spread(random, counts[:half], left)
	spread(random, counts[half:], d-left)
}

// drawDifference returns the difference of two estimators at a level, of sets that
// differ in d items, without looking at the items: the sample's size is rounded from a
// normal variable, and its items fall on 256 counters of two signs.
func drawDifference(random *rand.Rand, level, d int) Estimator {
	if level > 0 {
		share := math.Ldexp(1, -levelBits*level)
		mean := float64(d) * share
		d = max(0, int(math.Round(mean+random.NormFloat64()*math.Sqrt(mean*(1-share)))))
	}
	var counts [512]int
	spread(random, counts[:], d)
	var e Estimator
	for i := range e {
		e[i] = byte(counts[2*i] - counts[2*i+1])
	}
	return e
}

// insertDifference is drawDifference by single inserts: some items on either side, and
// common ones on both.
func insertDifference(random *rand.Rand, level, d int) Estimator {
	var a, b Estimators
	for range 50 {
		slice := random.Uint64()
		a.Insert(slice)
		b.Insert(slice)
	}
	for i := range d {
		if i%3 == 0 {
			a.Insert(random.Uint64())
		} else {
			b.Insert(random.Uint64())
		}
	}
	e, _ := a.At(level)
	f, _ := b.At(level)
	return e.Subtract(f)
}

// estimateMoments returns the bias and the standard error of estimates, as shares of d,
// and how many of them are saturated.
func estimateMoments(d, trials, level int, draw func(level, d int) Estimator) (bias, deviation float64, saturated int) {
	var sum, squares float64
	for range trials {
		estimate, full := Estimate(level, draw(level, d))
		off := estimate/float64(d) - 1
		sum += off
		squares += off * off
		if full {
			saturated++
		}
	}
	bias = sum / float64(trials)
	return bias, math.Sqrt(max(0, squares/float64(trials)-bias*bias)), saturated
}

// TestEstimateError measures bias and standard error over the range of every level.
// Edge cases A7, A8, A11, E65 to E67.
func TestEstimateError(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 1))
	trials := estimatorTrials()
	draw := func(level, d int) Estimator { return drawDifference(random, level, d) }
	sizes := [EstimatorLevels][]int{
		{1, 2, 5, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 200_000, 320_000},
		{102_400, 300_000, 1_000_000, 2_000_000, 5_120_000},
		{1_638_400, 10_000_000, 81_920_000},
		{26_214_400, 200_000_000, 1_310_720_000},
	}
	for level, sizes := range sizes {
		from, to := EstimatorRange(level)
		for _, d := range sizes {
			if uint64(d) < from || uint64(d) > to {
				t.Fatalf("%d is out of the range of level %d, %d to %d", d, level, from, to)
			}
			bias, deviation, saturated := estimateMoments(d, trials, level, draw)
			t.Logf("level %d, d = %d: bias %+.2f %%, standard error %.2f %%", level, d, 100*bias, 100*deviation)
			// Three standard deviations of what so many trials show.
			noise := 3 / math.Sqrt(2*float64(trials))
			if deviation > 0.09*(1+noise) || d > 10 && deviation < 0.07 {
				t.Errorf("level %d, d = %d: standard error of %.2f %%", level, d, 100*deviation)
			}
			if math.Abs(bias) > 0.01+3*0.09/math.Sqrt(float64(trials)) || saturated > 0 {
				t.Errorf("level %d, d = %d: bias of %.2f %%, %d saturated", level, d, 100*bias, saturated)
			}
		}
	}
}

// TestEstimateDraws: what drawDifference draws is distributed as what single inserts make.
func TestEstimateDraws(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 2))
	const trials = 2000
	for _, of := range []struct{ level, d int }{{0, 1}, {0, 40}, {0, 1000}, {1, 4000}} {
		drawn, drawnError, _ := estimateMoments(of.d, trials, of.level, func(level, d int) Estimator { return drawDifference(random, level, d) })
		made, madeError, _ := estimateMoments(of.d, trials, of.level, func(level, d int) Estimator { return insertDifference(random, level, d) })
		// Four standard deviations of either difference.
		noise := 4 * math.Sqrt2 / math.Sqrt(trials)
		if math.Abs(drawn-made) > noise*madeError || math.Abs(drawnError-madeError) > noise*madeError {
			t.Errorf("level %d, d = %d: drawn %+.4f and %.4f, inserted %+.4f and %.4f",
				of.level, of.d, drawn, drawnError, made, madeError)
		}
		if of.d > 10 && madeError < 0.05 {
			t.Errorf("level %d, d = %d: standard error of %.4f", of.level, of.d, madeError)
		}
	}
}

// TestEstimateBelowRange: a sample says little of a few differences, as documented.
func TestEstimateBelowRange(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 3))
	draw := func(level, d int) Estimator { return insertDifference(random, level, d) }
	for _, d := range []int{100, 1000} {
		_, deviation, _ := estimateMoments(d, 2000, 1, draw)
		want := math.Sqrt(1./128 + 16/float64(d))
		if math.Abs(deviation/want-1) > 0.1 {
			t.Errorf("d = %d: standard error of %.3f, want %.3f", d, deviation, want)
		}
	}
}

// TestEstimateSaturates: differences far beyond the range are recognised, and the
// estimate is never beyond its maximum. Edge case E67.
func TestEstimateSaturates(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 4))
	for level := range 2 {
		_, to := EstimatorRange(level)
		for _, times := range []int{3, 4, 10} {
			for range 20 {
				d, saturated := Estimate(level, drawDifference(random, level, times*int(to)))
				if want := math.Ldexp(512_000, 4*level); !saturated || d != want {
					t.Fatalf("level %d, %d times the range: %.0f, saturated %t, want %.0f", level, times, d, saturated, want)
				}
			}
		}
	}
}

// TestEstimateLies: any 256 bytes are legal, and give a finite number.
func TestEstimateLies(t *testing.T) {
	all := func(value byte) (e Estimator) {
		copy(e[:], slices.Repeat([]byte{value}, len(e)))
		return e
	}
	for _, of := range []struct {
		name      string
		level     int
		lie       Estimator
		want      float64
		saturated bool
	}{
		{"zero", 0, Estimator{}, 0, false},
		{"zero, sampled", 3, Estimator{}, 0, false},
		{"all -1", 0, all(0xff), 256, false},
		{"all -1, sampled", 2, all(0xff), 65536, false},
		{"all 2", 0, all(2), 1024, false},
		{"all -128", 0, all(0x80), 512_000, true},
		{"all 127, sampled", 3, all(0x7f), 512_000 * 4096, true},
		{"no level", -1, Estimator{}, 512_000 * 4096, true},
		{"no such level", EstimatorLevels, Estimator{}, 512_000 * 4096, true},
	} {
		t.Run(of.name, func(t *testing.T) {
			if d, saturated := Estimate(of.level, of.lie); d != of.want || saturated != of.saturated {
				t.Errorf("got %v and %t, want %v and %t", d, saturated, of.want, of.saturated)
			}
		})
	}
	random := rand.New(rand.NewPCG(5, 5))
	for range 1000 {
		var lie Estimator
		for i := range lie {
			lie[i] = byte(random.Uint32())
		}
		if d, saturated := Estimate(0, lie); !saturated || d != 512_000 {
			t.Fatalf("random bytes: %v, saturated %t", d, saturated)
		}
	}
}

func FuzzEstimate(f *testing.F) {
	f.Add(0, []byte{})
	f.Add(1, slices.Repeat([]byte{45}, 256))
	f.Add(3, slices.Repeat([]byte{0x80}, 256))
	f.Fuzz(func(t *testing.T, level int, data []byte) {
		var e Estimator
		copy(e[:], data)
		d, saturated := Estimate(level, e)
		top := math.Ldexp(512_000, 4*(EstimatorLevels-1))
		if level >= 0 && level < EstimatorLevels {
			top = math.Ldexp(512_000, 4*level)
		}
		if !(d >= 0 && d <= top) || saturated != (d == top) {
			t.Errorf("%v of at most %v, saturated %t", d, top, saturated)
		}
	})
}

// TestWrapped holds the series to the definition, summed over the values of a normal
// variable.
func TestWrapped(t *testing.T) {
	for _, variance := range []float64{400, 700, 1250, 1600, 2000, 3000} {
		const step = 1. / 64
		var want, whole float64
		for z := -600.; z < 600; z += step {
			weight := math.Exp(-z * z / 2 / variance)
			reduced := z - 256*math.Round(z/256)
			want += weight * reduced * reduced
			whole += weight
		}
		want /= whole
		value, slope := wrapped(variance)
		if math.Abs(value/want-1) > 1e-4 {
			t.Errorf("variance %v: mean square %v, want %v", variance, value, want)
		}
		above, _ := wrapped(variance + 0.01)
		below, _ := wrapped(variance - 0.01)
		if got := (above - below) / 0.02; math.Abs(got/slope-1) > 1e-4 {
			t.Errorf("variance %v: slope %v, want %v", variance, slope, got)
		}
		if got := unwrap(value); math.Abs(got/min(variance, saturation)-1) > 1e-6 {
			t.Errorf("variance %v unwraps to %v", variance, got)
		}
	}
}

func TestLevelFor(t *testing.T) {
	for _, of := range []struct {
		n    uint64
		want int
	}{
		{0, 0},
		{1, 0},
		{160_000, 0},
		{160_001, 1},
		{1_000_000, 1},
		{2_560_000, 1},
		{2_560_001, 2},
		{40_960_000, 2},
		{40_960_001, 3},
		{100_000_000, 3},
		{655_360_000, 3},
		{655_360_001, 3},
		{math.MaxUint64, 3},
	} {
		if got := LevelFor(of.n); got != of.want {
			t.Errorf("%d items: level %d, want %d", of.n, got, of.want)
		}
		var e Estimators
		e.levels[of.want][7] = 9
		if level, at := e.For(of.n); level != of.want || at[7] != 9 {
			t.Errorf("%d items: level %d, want %d, or another's counters", of.n, level, of.want)
		}
	}
	for level, want := range [EstimatorLevels][2]uint64{
		{0, 320_000},
		{102_400, 5_120_000},
		{1_638_400, 81_920_000},
		{26_214_400, 1_310_720_000},
	} {
		if from, to := EstimatorRange(level); from != want[0] || to != want[1] {
			t.Errorf("level %d from %d to %d, want %v", level, from, to, want)
		}
	}
	for _, level := range []int{-1, EstimatorLevels} {
		if from, to := EstimatorRange(level); from != 0 || to != 0 {
			t.Errorf("level %d from %d to %d", level, from, to)
		}
		if _, ok := new(Estimators).At(level); ok {
			t.Errorf("there is a level %d", level)
		}
	}
}

func ExampleEstimate() {
	var a, b Estimators
	slice := uint64(0)
	for i := range 100_000 {
		slice = slice*6364136223846793005 + 1442695040888963407 // stands for keyed bits
		a.Insert(slice >> 20)
		if i >= 500 {
			b.Insert(slice >> 20)
		}
	}
	level, own := a.For(100_000)
	other, _ := b.At(level)
	d, saturated := Estimate(level, own.Subtract(other))
	fmt.Println(d > 350 && d < 650, saturated)
	// Output: true false
}

func BenchmarkEstimate(b *testing.B) {
	random := rand.New(rand.NewPCG(5, 9))
	for _, d := range []int{100, 300_000} {
		b.Run(fmt.Sprintf("d=%d", d), func(b *testing.B) {
			e := drawDifference(random, 0, d)
			for b.Loop() {
				Estimate(0, e)
			}
		})
	}
}
