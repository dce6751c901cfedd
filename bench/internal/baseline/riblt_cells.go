package baseline

import "fmt"

// DecodeCells peels the cells of the difference of two sets, one after the other as a
// stream brings them, and returns how many keys it found in how many of the cells. It
// returns an error if these are too few. It does not change cells.
func DecodeCells(cells []Cell) (found, used int, err error) {
	decoder := newRIBLTDecoder(len(cells))
	for _, cell := range cells {
		if decoder.done() {
			break
		}
		decoder.add(cell)
	}
	if !decoder.done() {
		return 0, 0, fmt.Errorf("%w: %d cells", errNoDecode, len(cells))
	}
	return len(decoder.found), len(decoder.cells), nil
}
