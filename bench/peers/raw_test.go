package peers

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/FastFilter/xorfilter"
	"github.com/bits-and-blooms/bloom/v3"
	"github.com/greatroar/blobloom"
	cuckoo "github.com/seiflotfy/cuckoofilter"

	"github.com/dwn-sync/dwnsync/filters"
)

// raws returns the libraries. "-new" builds every filter in new memory.
func raws() []contender {
	return []contender{
		{"raw", "bloom", 8, startBloom},
		{"raw", "xor8", 8, startXor8},
		{"raw", "fuse8", 8, startFuse8},
		{"raw", "fuse8-new", 8, startFuse8New},
		{"raw", "blobloom", 8, startBlobloom},
		{"raw", "bloom", 16, startBloom},
		{"raw", "fuse16", 16, startFuse16},
		{"raw", "fuse16-new", 16, startFuse16New},
		{"raw", "blobloom", 16, startBlobloom},
		{"raw", "bloom", 5, startBloom},
		{"raw", "blobloom", 5, startBlobloom},
		{"raw", "cuckoo", 5, startCuckoo},
	}
}

// counter counts the bytes written to it.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// written counts the bytes that a filter writes of itself.
func written(write func(io.Writer) error) int {
	var c counter
	if err := write(&c); err != nil {
		panic(err) // a counter takes everything
	}
	return int(c)
}

// rawBloom is bits-and-blooms/bloom with as many bits and positions as ours has,
// so that the two differ in nothing but the wrapping.
type rawBloom struct{ *bloom.BloomFilter }

func startBloom(n, bits int) func([]uint64) (built, error) {
	f := bloom.New(bloomGeometry(n, bits))
	return func(keys []uint64) (built, error) {
		f.ClearAll()
		var text [8]byte
		for _, key := range keys {
			binary.LittleEndian.PutUint64(text[:], key)
			f.Add(text[:])
		}
		return rawBloom{f}, nil
	}
}

// bloomGeometry reads bits and positions from an encoding of ours: they follow
// from the number of keys and the rate alone.
func bloomGeometry(n, bits int) (m, k uint) {
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = uint64(i)
	}
	f, err := filters.Build(filters.Bloom, keys, filters.Options{Bits: bits, Distinct: true})
	if err != nil {
		panic(err) // the sizes and rates are our own
	}
	body := f.AppendTo(nil)[8:]
	return uint(binary.LittleEndian.Uint32(body[1:])), uint(body[0])
}

func (f rawBloom) ask(keys []uint64) (found int) {
	var text [8]byte
	for _, key := range keys {
		binary.LittleEndian.PutUint64(text[:], key)
		if f.Test(text[:]) {
			found++
		}
	}
	return found
}

func (f rawBloom) size() int {
	return written(func(w io.Writer) error { _, err := f.WriteTo(w); return err })
}

type rawXor8 struct{ *xorfilter.Xor8 }

// startXor8: the library keeps no memory between builds.
func startXor8(int, int) func([]uint64) (built, error) {
	return func(keys []uint64) (built, error) {
		f, err := xorfilter.Populate(keys)
		return rawXor8{f}, err
	}
}

func (f rawXor8) ask(keys []uint64) (found int) {
	for _, key := range keys {
		if f.Contains(key) {
			found++
		}
	}
	return found
}

// size is that of seed, block length and table; the library has no encoding.
func (f rawXor8) size() int { return 8 + 4 + len(f.Fingerprints) }

type rawFuse8 struct{ *xorfilter.BinaryFuse[uint8] }

func startFuse8(int, int) func([]uint64) (built, error) {
	var b xorfilter.BinaryFuseBuilder
	return func(keys []uint64) (built, error) {
		f, err := xorfilter.BuildBinaryFuse[uint8](&b, keys)
		return rawFuse8{&f}, err
	}
}

func startFuse8New(int, int) func([]uint64) (built, error) {
	return func(keys []uint64) (built, error) {
		f, err := xorfilter.NewBinaryFuse[uint8](keys)
		return rawFuse8{f}, err
	}
}

func (f rawFuse8) ask(keys []uint64) (found int) {
	for _, key := range keys {
		if f.Contains(key) {
			found++
		}
	}
	return found
}

func (f rawFuse8) size() int { return written(f.Save) }

type rawFuse16 struct{ *xorfilter.BinaryFuse[uint16] }

func startFuse16(int, int) func([]uint64) (built, error) {
	var b xorfilter.BinaryFuseBuilder
	return func(keys []uint64) (built, error) {
		f, err := xorfilter.BuildBinaryFuse[uint16](&b, keys)
		return rawFuse16{&f}, err
	}
}

func startFuse16New(int, int) func([]uint64) (built, error) {
	return func(keys []uint64) (built, error) {
		f, err := xorfilter.NewBinaryFuse[uint16](keys)
		return rawFuse16{f}, err
	}
}

func (f rawFuse16) ask(keys []uint64) (found int) {
	for _, key := range keys {
		if f.Contains(key) {
			found++
		}
	}
	return found
}

func (f rawFuse16) size() int { return written(f.Save) }

type rawBlobloom struct{ *blobloom.Filter }

func startBlobloom(n, bits int) func([]uint64) (built, error) {
	f := blobloom.NewOptimized(blobloom.Config{Capacity: uint64(n), FPRate: math.Ldexp(1, -bits)})
	return func(keys []uint64) (built, error) {
		f.Clear()
		for _, key := range keys {
			f.Add(key)
		}
		return rawBlobloom{f}, nil
	}
}

func (f rawBlobloom) ask(keys []uint64) (found int) {
	for _, key := range keys {
		if f.Has(key) {
			found++
		}
	}
	return found
}

func (f rawBlobloom) size() int {
	return written(func(w io.Writer) error { _, err := blobloom.Dump(w, f.Filter, ""); return err })
}

type rawCuckoo struct{ *cuckoo.Filter }

// startCuckoo gives the library the number of keys as the capacity, as its
// documentation says. It then refuses some keys, and drops a key for each that it
// refuses. That is no error here: how many are denied is reported beside the rate.
func startCuckoo(n, _ int) func([]uint64) (built, error) {
	f := cuckoo.NewFilter(uint(n))
	return func(keys []uint64) (built, error) {
		f.Reset()
		var text [8]byte
		for _, key := range keys {
			binary.LittleEndian.PutUint64(text[:], key)
			f.Insert(text[:])
		}
		return rawCuckoo{f}, nil
	}
}

func (f rawCuckoo) ask(keys []uint64) (found int) {
	var text [8]byte
	for _, key := range keys {
		binary.LittleEndian.PutUint64(text[:], key)
		if f.Lookup(text[:]) {
			found++
		}
	}
	return found
}

func (f rawCuckoo) size() int { return len(f.Encode()) }
