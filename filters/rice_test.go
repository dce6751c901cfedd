package filters

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

// riceValues are ascending values of which no difference has more than a few
// thousand zeros in its code with this parameter.
func riceValues(rice, n int) []uint64 {
	values := []uint64{0, 0, 1}
	for i, random := range uniformKeys(uint64(rice), n) {
		last := values[len(values)-1]
		quotient := []uint64{0, 0, 1, 7, 40, 48, 56, 57, 63, 64, 65, 700}[i%12]
		next := last + quotient<<rice + random&(1<<rice-1)
		if next < last || quotient<<rice>>rice != quotient {
			break
		}
		values = append(values, next)
	}
	return values
}

// TestRice writes and reads with every parameter, behind other bytes and with
// other bytes in the room that is written to.
func TestRice(t *testing.T) {
	for rice := range 64 {
		values := riceValues(rice, 200)
		want := slowCodes(values, rice)
		dirty := bytes.Repeat([]byte{0xa5}, 3+riceRoom(len(values), values[len(values)-1], rice))
		got := appendRice(dirty[:3], values, rice)
		if !bytes.Equal(got[3:], want) || &got[0] != &dirty[0] || !bytes.Equal(got[:3], []byte{0xa5, 0xa5, 0xa5}) {
			t.Fatalf("parameter %d:\n got %x\nwant %x", rice, got, want)
		}
		checkRiceReader(t, want, values, rice)
		for cut := range min(len(want), 100) {
			r := riceReader{data: want[:len(want)-1-cut], rice: rice, top: math.MaxUint64}
			if _, ok := r.read(make([]uint64, len(values)), math.MaxInt); ok && r.atEnd() {
				t.Errorf("parameter %d: nothing is missed with %d bytes cut off", rice, cut+1)
			}
		}
	}
}

func checkRiceReader(t *testing.T, data []byte, values []uint64, rice int) {
	t.Helper()
	read := make([]uint64, len(values))
	last := values[len(values)-1]
	r := riceReader{data: data, rice: rice, top: last}
	if n, ok := r.read(read, math.MaxInt); !ok || n != len(values) || !slices.Equal(read, values) || !r.atEnd() {
		t.Fatalf("parameter %d: read %d of %d", rice, n, len(values))
	}
	// In parts, stopping at every byte.
	r = riceReader{data: data, rice: rice, top: last}
	var parts []uint64
	for stop := 0; stop < 8*len(data); stop += 8 {
		before := r.pos
		n, ok := r.read(read[:min(9, len(values)-len(parts))], stop)
		if !ok || n > 0 && before > stop {
			t.Fatalf("parameter %d: %d read from bit %d with a stop at %d", rice, n, before, stop)
		}
		parts = append(parts, read[:n]...)
	}
	if !slices.Equal(parts, values) {
		t.Fatalf("parameter %d: read in parts %d of %d", rice, len(parts), len(values))
	}
	if last > 0 {
		r = riceReader{data: data, rice: rice, top: last - 1}
		if _, ok := r.read(read, math.MaxInt); ok {
			t.Errorf("parameter %d: a value above the largest is read", rice)
		}
	}
}

// TestRiceOverflow: 2^64 is above every largest value, whichever way it is written.
func TestRiceOverflow(t *testing.T) {
	for rice := 55; rice < 64; rice++ {
		for extra, want := range []bool{true, false} {
			bit := 1<<(64-rice) - 1 + extra
			data := make([]byte, (bit+1+rice+7)/8)
			data[bit/8] = 1 << (bit % 8)
			r := riceReader{data: data, rice: rice, top: math.MaxUint64}
			if _, ok := r.read(make([]uint64, 1), math.MaxInt); ok != want || ok && r.last != math.MaxUint64>>rice<<rice {
				t.Errorf("%d zeros, parameter %d: got %#x, %v, want %v", bit, rice, r.last, ok, want)
			}
		}
	}
}
