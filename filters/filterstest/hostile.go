package filterstest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/dwn-sync/dwnsync/filters"
)

// sample returns the encoding of a filter of n keys.
func (t Target) sample(n int) ([]byte, error) {
	f, err := t.build(Keys(14, n))
	if err != nil {
		return nil, err
	}
	return f.AppendTo(nil), nil
}

var sampleSizes = [...]int{0, 1, 2, 3, 60}

// checkTruncated cuts encodings short at every byte, and lengthens them by zeros
// behind and before the checksum, with the checksum as it was and made to fit.
func checkTruncated(t Target) error {
	for _, n := range sampleSizes {
		encoding, err := t.sample(n)
		if err != nil {
			return err
		}
		for length := range len(encoding) {
			cut := slices.Clone(encoding[:length])
			if err := t.checkRefused(cut); err != nil {
				return fmt.Errorf("%d keys cut to %d bytes: %w", n, length, err)
			}
			if err := t.checkRefused(FixChecksum(cut)); err != nil {
				return fmt.Errorf("%d keys cut to %d bytes with a checksum: %w", n, length, err)
			}
		}
		for extra := 1; extra < 20; extra++ {
			long := append(slices.Clone(encoding), make([]byte, extra)...)
			padded := append(slices.Clone(encoding[:len(encoding)-4]), make([]byte, extra+4)...)
			if err := errors.Join(t.checkRefused(long), t.checkRefused(FixChecksum(padded))); err != nil {
				return fmt.Errorf("%d keys with %d more bytes: %w", n, extra, err)
			}
		}
	}
	return nil
}

// checkFlippedBits relies on the checksum, which finds every single bit.
func checkFlippedBits(t Target) error {
	for _, n := range sampleSizes {
		encoding, err := t.sample(n)
		if err != nil {
			return err
		}
		for bit := range 8 * len(encoding) {
			encoding[bit/8] ^= 1 << (bit % 8)
			if err := t.checkRefused(encoding); err != nil {
				return fmt.Errorf("%d keys with bit %d flipped: %w", n, bit, err)
			}
			encoding[bit/8] ^= 1 << (bit % 8)
		}
	}
	return nil
}

// checkRefused fails unless decoding data gives one of the errors of the package and no filter.
func (t Target) checkRefused(data []byte) error {
	f, err := t.decode(data, filters.Limits{})
	if err == nil {
		return errors.New("accepted")
	}
	if f != nil {
		return errors.New("refused, but with a filter")
	}
	for _, kind := range []error{filters.ErrMalformed, filters.ErrTooLarge, filters.ErrVersion, filters.ErrUnknownKind} {
		if errors.Is(err, kind) {
			return nil
		}
	}
	return fmt.Errorf("refused with an error that is none of the package's: %w", err)
}

func checkLimits(t Target) error {
	const n = 100
	encoding, err := t.sample(n)
	if err != nil {
		return err
	}
	size := max(len(encoding), 8*n) // a list holds 8 bytes per key
	if _, err := t.decode(encoding, filters.Limits{MaxKeys: n, MaxBytes: size}); err != nil {
		return fmt.Errorf("refused at its limits: %w", err)
	}
	if _, err := t.decode(encoding, filters.Limits{MaxKeys: math.MaxInt, MaxBytes: math.MaxInt}); err != nil {
		return fmt.Errorf("refused without limits: %w", err)
	}
	for _, limits := range []filters.Limits{
		{MaxKeys: n - 1},
		{MaxKeys: -1},
		{MaxBytes: len(encoding) - 1},
		{MaxBytes: -1},
	} {
		if _, err := t.decode(encoding, limits); !errors.Is(err, filters.ErrTooLarge) {
			return fmt.Errorf("limits %+v: got %v, want ErrTooLarge", limits, err)
		}
	}
	return nil
}

// checkHostileFields writes extreme values over every field of encodings, makes
// the checksum fit, and allows two outcomes: an error, or a filter that encodes
// to the same bytes and answers. Both must cost little memory.
func checkHostileFields(t Target) error {
	for _, n := range sampleSizes {
		encoding, err := t.sample(n)
		if err != nil {
			return err
		}
		for at := 0; at < min(len(encoding)-4, 40); at++ {
			for _, value := range []uint64{0, 1, 1 << 7, 1<<8 - 1, 1<<16 - 1, 1 << 24, 1<<28 - 1, 1 << 31, 1<<32 - 1, 1<<64 - 1} {
				hostile := overwrite(encoding, at, value)
				if err := t.checkHostile(hostile); err != nil {
					return fmt.Errorf("%d keys with %#x at %d (%x): %w", n, value, at, hostile, err)
				}
			}
		}
	}
	return nil
}

// overwrite returns a copy of encoding with as many bytes of value at an offset
// as it needs and there are before the checksum, which fits again.
func overwrite(encoding []byte, at int, value uint64) []byte {
	var text [8]byte
	binary.LittleEndian.PutUint64(text[:], value)
	width := max(1, len(bytes.TrimRight(text[:], "\x00")))
	hostile := slices.Clone(encoding)
	copy(hostile[at:len(hostile)-4], text[:width])
	return FixChecksum(hostile)
}

func (t Target) checkHostile(data []byte) error {
	limits := filters.Limits{MaxKeys: 1 << 28, MaxBytes: 1 << 30}
	f, allocated, err := t.measuredDecode(data, limits)
	if most := decodeFactor*len(data) + decodeSpare; allocated > most {
		return fmt.Errorf("decoding %d bytes allocated %d, at most %d", len(data), allocated, most)
	}
	if err != nil {
		return t.checkRefused(data)
	}
	keys := Keys(15, 200)
	for _, key := range keys {
		f.Contains(key)
	}
	f.ContainsBatch(keys, make([]uint64, 4))
	if !bytes.Equal(f.AppendTo(nil), data) {
		return errors.New("accepted, but encodes to other bytes")
	}
	return nil
}

const (
	decodeFactor = 64   // bytes that Decode may allocate per byte of its input
	decodeSpare  = 4096 // bytes for an error and for what does not grow with the input
)

// measuredDecode returns what decoding data gives, and the bytes that it
// allocated. Other goroutines may allocate at the same time, so that a large figure
// counts only if it repeats.
func (t Target) measuredDecode(data []byte, limits filters.Limits) (f filters.Filter, allocated int, err error) {
	allocated = math.MaxInt
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err = t.decode(data, limits)
		runtime.ReadMemStats(&after)
		allocated = min(allocated, int(after.TotalAlloc-before.TotalAlloc))
		if allocated <= len(data)+decodeSpare {
			break
		}
	}
	return f, allocated, err
}

// checkDecodeMemory holds decoding to the bounds that filters.Decode states,
// with limits of every size around the length of the encoding.
func checkDecodeMemory(t Target) error {
	for _, n := range []int{0, 1, 2, 10, 60, 1000, 30_000} {
		encoding, err := t.sample(n)
		if err != nil {
			return err
		}
		most := decodeFactor * len(encoding)
		for limit := len(encoding); limit <= 2*most; limit += limit / 2 {
			f, allocated, err := t.measuredDecode(encoding, filters.Limits{MaxBytes: limit})
			bound := min(limit, most)
			bound += bound/8 + decodeSpare // allocators round up by an eighth
			if allocated > bound {
				return fmt.Errorf("decoding %d keys in %d bytes with a limit of %d allocated %d, at most %d",
					n, len(encoding), limit, allocated, bound)
			}
			if err != nil && (limit >= most || f != nil || !errors.Is(err, filters.ErrTooLarge)) {
				return fmt.Errorf("decoding %d keys in %d bytes with a limit of %d: %w", n, len(encoding), limit, err)
			}
		}
	}
	return nil
}
