package summary

import "math"

const (
	// rangeTop is the largest difference for which level 0 keeps its error.
	rangeTop = 320_000
	// rangeSample is the smallest sample that adds less than 0.15 % to the error.
	rangeSample = 6_400
	// saturation is the variance of a counter from which on an estimate is given up:
	// 1.6 times that at rangeTop, which is 6 standard deviations of an estimate away. At
	// three times the range, and for counters that bear no relation to each other, the
	// mean square is above it by 5 of its standard deviations or more.
	saturation = 2000
)

// EstimatorRange returns for which numbers d of differences an estimate at a level has a
// bias below 1 % and a standard error of at most 9 %; both are 0 for no level. Below
// from, a level above 0 has a standard error of sqrt(1/128 + 16^level/d): its sample
// says little of a few differences.
func EstimatorRange(level int) (from, to uint64) {
	if level < 0 || level >= EstimatorLevels {
		return 0, 0
	}
	if level > 0 {
		from = rangeSample << (levelBits * level)
	}
	return from, rangeTop << (levelBits * level)
}

// LevelFor returns the lowest level whose range covers every difference of two sets of
// up to n items each, 2n: level 0 up to n = 160,000, then 1 up to 2.56 million, 2 up to
// 40.9 million and 3 up to 655 million and, saturated perhaps, beyond. Both sides must use
// one level. The larger n of both decides; who does not know the other's n takes his own,
// and the other side uses the level that it is sent: differences beyond its range
// saturate the estimate, and do not falsify it.
//
// The level that covers all differences says little of a few: at n = 10^6, level 1, the
// error is 41 % at d = 100. Who expects at most d differences asks for LevelFor(d/2), and
// takes a higher level when the estimate is saturated.
func LevelFor(n uint64) int {
	for level := range EstimatorLevels {
		if _, to := EstimatorRange(level); n <= to/2 {
			return level
		}
	}
	return EstimatorLevels - 1
}

// Estimate returns how many items are in one of two sets only, given the difference of
// their estimators at a level. If saturated, there are probably more than d. It never
// returns more than 512,000 * 16^level, whatever the bytes, and says that and saturated
// for a level that does not exist as for the highest.
//
// Measured, bias and standard error in percent of d, over 20,000 trials each (so known
// to 0.06 and 0.045):
//
//	level             d   bias  error     level             d   bias  error
//	    0             1   0.00   0.00         1       102,400   0.02   8.79
//	    0             2  -0.01   5.92         1       300,000   0.01   8.83
//	    0             5   0.02   7.87         1     1,000,000   0.10   8.86
//	    0            10  -0.01   8.46         1     2,000,000   0.15   8.91
//	    0            30  -0.08   8.69         1     5,120,000   0.00   8.87
//	    0           100  -0.08   8.79         2     1,638,400  -0.02   8.90
//	    0           300   0.10   8.76         2    10,000,000  -0.05   8.85
//	    0         1,000  -0.09   8.73         2    81,920,000   0.03   8.86
//	    0         3,000   0.07   8.86         3    26,214,400  -0.04   8.83
//	    0        10,000   0.03   8.94         3   200,000,000  -0.16   8.90
//	    0        30,000   0.01   8.81         3 1,310,720,000   0.02   8.92
//	    0       100,000   0.05   8.87
//	    0       200,000   0.04   8.88
//	    0       320,000   0.03   8.84
func Estimate(level int, difference Estimator) (d float64, saturated bool) {
	if level < 0 || level >= EstimatorLevels {
		level, saturated = EstimatorLevels-1, true
	}
	var squares float64
	for _, counter := range difference {
		squares += float64(int8(counter)) * float64(int8(counter))
	}
	variance := unwrap(squares / float64(len(difference)))
	if saturated || variance >= saturation {
		variance, saturated = saturation, true
	}
	return math.Ldexp(variance*float64(len(difference)), levelBits*level), saturated
}

// unwrap returns the variance, up to saturation, of a normal variable whose square is
// this on average after it was reduced to -128..127. Newton's method approaches it from
// below, for the mean square is below the variance and concave in it.
func unwrap(meanSquare float64) float64 {
	if meanSquare < seriesFrom {
		return meanSquare
	}
	variance := meanSquare
	for range 100 {
		value, slope := wrapped(variance)
		step := (meanSquare - value) / slope
		variance += step
		if step < variance*1e-9 || variance >= saturation {
			break
		}
	}
	return min(variance, saturation)
}

const (
	// seriesFrom is the variance below which a counter wraps with a chance of less than
	// 10^-9.
	seriesFrom = 400
	// seriesTerms leaves a remainder below e^-39.
	seriesTerms = 18
)

// wrapped returns the mean square of a normal variable of the given variance after it was
// reduced to -128..127, and its derivative by the variance: the Fourier series of the
// square on that interval, with the characteristic function of the normal distribution.
func wrapped(variance float64) (value, slope float64) {
	const half = 128.0
	value = half * half / 3
	for k := 1.0; k <= seriesTerms; k++ {
		frequency := k * math.Pi / half
		term := 4 / (frequency * frequency) * math.Exp(-variance*frequency*frequency/2)
		if int(k)%2 == 1 {
			term = -term
		}
		value += term
		slope -= term * frequency * frequency / 2
	}
	return value, slope
}
