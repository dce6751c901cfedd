package summary

import "fmt"

// Params are the widths, in bits, of what a sketch keeps of an item. A width of
// zero stands for its default, so the zero value is 48 and 24: nine bytes a cell on
// the wire.
type Params struct {
	// ShortBits is the width of a short ID, 1 to 64. Of n items about
	// n^2/2^(ShortBits+1) pairs share one: 0.0018 pairs at 48 bits and 10^6 items,
	// 0.18 at 10^7.
	ShortBits int
	// CheckBits is the width of the check, 2 to 32. Its lowest bit is always one, so
	// a cell that holds three items or more, an odd number of them, is taken for a
	// single one with a chance of 2^(2-CheckBits) divided by the cells of its lane.
	CheckBits int
}

const (
	defaultShortBits, defaultCheckBits = 48, 24
	wideShortBits, wideCheckBits       = 64, 32

	// wideFrom is the number of items beyond which 48 bits give more than one pair in
	// five views a common short ID.
	wideFrom = 10_000_000
)

// WideParams returns the widths for more than 10^7 items: 64 and 32, twelve bytes a cell.
func WideParams() Params { return Params{ShortBits: wideShortBits, CheckBits: wideCheckBits} }

// ParamsFor returns the widths for a view of n items. Both sides of an exchange
// must use the same; the wire says which.
func ParamsFor(n uint64) Params {
	if n > wideFrom {
		return WideParams()
	}
	return Params{}.filled()
}

// Validate returns ErrParams unless both widths are within their limits. Who takes
// Params from outside calls it before NewExpander.
func (p Params) Validate() error {
	p = p.filled()
	if p.ShortBits < 1 || p.ShortBits > 64 || p.CheckBits < 2 || p.CheckBits > 32 {
		return fmt.Errorf("%w: short IDs of %d bits (1 to 64), checks of %d bits (2 to 32)", ErrParams, p.ShortBits, p.CheckBits)
	}
	return nil
}

// CellSize returns the bytes of a cell on the wire: each width rounded up to whole bytes.
func (p Params) CellSize() int { return p.shortBytes() + p.checkBytes() }

func (p Params) shortBytes() int { return (p.filled().ShortBits + 7) / 8 }
func (p Params) checkBytes() int { return (p.filled().CheckBits + 7) / 8 }

func (p Params) filled() Params {
	if p.ShortBits == 0 {
		p.ShortBits = defaultShortBits
	}
	if p.CheckBits == 0 {
		p.CheckBits = defaultCheckBits
	}
	return p
}

// CellsFor returns how many cells a sketch of d differences needs so that 99 of 100
// decode: the size of one that is sent once. It is at least MinCells, at most MaxCells.
//
// The figures are measured, by costs in the tests, over 10^4 differences of every d up
// to 2000 and 2000 beyond; between them it interpolates, and adds one cell in 512 for
// the error of that. They do not depend on the widths. Per difference that is 1.94 cells at d = 32, 1.57 at 100, 1.38 at 1000, 1.31
// at 10^4. Where the table ends, twice the differences take less than twice the cells.
func CellsFor(d int) int {
	if d > 16384 {
		half := d/2 + d%2
		return min(2*CellsFor(min(half, MaxCells)), MaxCells)
	}
	points := measuredCells()
	i := 1
	for d > points[i][0] {
		i++
	}
	low, high := points[i-1], points[i]
	above := (high[1] - low[1]) * (max(d, 1) - low[0])
	cells := low[1] + (above+high[0]-low[0]-1)/(high[0]-low[0])
	return cells + cells/512
}

// measuredCells returns pairs of d and the 99th percentile of the cells it needs. The
// figure per difference goes up and down within each octave, because cells are loaded
// evenly only at powers of two.
func measuredCells() [50][2]int {
	return [...][2]int{
		{1, 16},
		{2, 16},
		{3, 20},
		{4, 23},
		{5, 25},
		{6, 29},
		{8, 32},
		{10, 33},
		{12, 40},
		{16, 50},
		{20, 52},
		{24, 57},
		{28, 60},
		{32, 62},
		{40, 76},
		{48, 88},
		{56, 97},
		{64, 107},
		{80, 125},
		{96, 152},
		{112, 175},
		{128, 195},
		{160, 233},
		{192, 281},
		{224, 329},
		{256, 371},
		{320, 450},
		{384, 540},
		{448, 636},
		{512, 721},
		{640, 877},
		{768, 1048},
		{896, 1242},
		{1024, 1409},
		{1280, 1722},
		{1536, 2060},
		{1792, 2444},
		{2048, 2781},
		{2560, 3407},
		{3072, 4072},
		{3584, 4824},
		{4096, 5510},
		{5120, 6749},
		{6144, 8078},
		{7168, 9593},
		{8192, 10944},
		{10000, 13145},
		{12288, 16061},
		{14336, 19086},
		{16384, 21786},
	}
}
