package filterstest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

// brokenFilters are built by the book and answer wrongly.
func brokenFilters() []broken {
	return slices.Concat(brokenAnswers(), brokenBatches(), []broken{
		filter("duplicates are counted", "duplicates", func(w *wrapped, keys []uint64) {
			w.length = func(filters.Filter) int { return len(keys) }
		}),
		filter("the order shows", "deterministic", func(w *wrapped, keys []uint64) {
			first := byte(append(keys, 0)[0])
			w.appendTo = func(f filters.Filter, dst []byte) []byte { return append(f.AppendTo(dst), first) }
		}),
		filter("the caller's slice is sorted", "slice of the caller", func(_ *wrapped, keys []uint64) {
			slices.Sort(keys)
		}),
		filter("the caller's slice is kept", "slice of the caller", func(w *wrapped, keys []uint64) {
			w.appendTo = func(_ filters.Filter, dst []byte) []byte {
				return binary.LittleEndian.AppendUint64(dst, append(keys, 0)[0])
			}
		}),
		filter("Contains allocates", "no allocation", func(w *wrapped, _ []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return len(f.AppendTo(nil)) > 0 && f.Contains(key) }
		}),
		filter("ContainsBatch allocates", "no allocation", func(w *wrapped, _ []uint64) {
			w.batch = func(f filters.Filter, keys, in []uint64) { f.ContainsBatch(slices.Clone(keys), in) }
		}),
		filter("AppendTo allocates", "no allocation", func(w *wrapped, _ []uint64) {
			w.appendTo = func(f filters.Filter, dst []byte) []byte { return append(dst, f.AppendTo(nil)...) }
		}),
		filter("AppendTo forgets its prefix", "round trip", func(w *wrapped, _ []uint64) {
			w.appendTo = func(f filters.Filter, _ []byte) []byte { return f.AppendTo(nil) }
		}),
		filter("one caller at a time", "concurrent use", unsharable),
	})
}

func brokenAnswers() []broken {
	return []broken{
		filter("the empty set contains keys", "small sets", func(w *wrapped, keys []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return len(keys) == 0 || f.Contains(key) }
		}),
		filter("one key in 2^12 is lost", "no false negatives", func(w *wrapped, _ []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return key>>52 != 0 && f.Contains(key) }
		}),
		filter("keys below 2^16 are lost", "awkward keys", func(w *wrapped, _ []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return key >= 1<<16 && f.Contains(key) }
		}),
		filter("the rate is a quarter higher", "rate", func(w *wrapped, _ []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return f.Contains(key) || key%1024 == 0 }
		}),
		exact(filter("the rate is a quarter lower", "rate", func(w *wrapped, _ []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return f.Contains(key) && key%4 != 0 }
		})),
		filter("small sets have a higher rate", "rate of small sets", func(w *wrapped, keys []uint64) {
			w.contains = func(f filters.Filter, key uint64) bool { return f.Contains(key) || len(keys) == 5 && key%256 == 0 }
		}),
		filter("the key does not decide", "independent salts", func(w *wrapped, _ []uint64) {
			asked := 0
			w.contains = func(f filters.Filter, key uint64) bool { asked++; return f.Contains(key) || asked%256 == 0 }
		}),
	}
}

// exact says of a fault that the rate should be exact.
func exact(fault broken) broken {
	fault.target.Exact = true
	return fault
}

func brokenBatches() []broken {
	batch := func(name, check string, answer func(f filters.Filter, keys, in []uint64)) broken {
		return filter(name, check, func(w *wrapped, _ []uint64) { w.batch = answer })
	}
	return []broken{
		batch("answers are added to what is there", "batch", func(f filters.Filter, keys, in []uint64) {
			answers := make([]uint64, (len(keys)+63)/64)
			f.ContainsBatch(keys, answers)
			for i, word := range answers {
				in[i] |= word
			}
		}),
		batch("bits beyond the last stay", "batch", func(f filters.Filter, keys, in []uint64) {
			f.ContainsBatch(keys, in)
			if used := len(keys) % 64; used > 0 {
				in[len(keys)/64] |= 1 << 63 >> used << used
			}
		}),
		batch("all of the result is cleared", "batch", func(f filters.Filter, keys, in []uint64) {
			clear(in)
			f.ContainsBatch(keys, in)
		}),
		batch("keys are sorted", "batch", func(f filters.Filter, keys, in []uint64) {
			f.ContainsBatch(keys, in)
			slices.Sort(keys)
		}),
		batch("the 129th key is forgotten", "batch", func(f filters.Filter, keys, in []uint64) {
			if f.ContainsBatch(keys, in); len(keys) >= 129 {
				in[2] &^= 1
			}
		}),
		batch("keys have to ascend", "batch", func(f filters.Filter, keys, in []uint64) {
			if f.ContainsBatch(keys, in); !slices.IsSorted(keys) && len(keys) > 1 {
				in[0] &^= 2
			}
		}),
		batch("what does not fit is dropped", "short batch result", func(f filters.Filter, keys, in []uint64) {
			f.ContainsBatch(keys[:min(len(keys), 64*len(in))], in)
		}),
	}
}

// unsharable makes a filter that denies a key while another caller is inside. Once
// there can be several of them, a caller waits for another one, so that they meet.
func unsharable(w *wrapped, _ []uint64) {
	var calls, encodings atomic.Int32
	w.contains = func(f filters.Filter, key uint64) bool {
		mine := calls.Add(1)
		if encodings.CompareAndSwap(1, 2) {
			for end := time.Now().Add(10 * time.Second); calls.Load() == mine && time.Now().Before(end); {
				runtime.Gosched()
			}
		}
		return calls.Load() == mine && f.Contains(key)
	}
	w.appendTo = func(f filters.Filter, dst []byte) []byte {
		encodings.Add(1)
		return f.AppendTo(dst)
	}
}

func brokenBuilds() []broken {
	return []broken{
		build("11501 keys cannot be built", "awkward sizes", func(kind filters.Kind, keys []uint64, opt filters.Options) (filters.Filter, error) {
			if len(keys) == 11_501 {
				return nil, errors.New("no luck")
			}
			return filters.Build(kind, keys, opt)
		}),
		build("bits do not matter", "rate in bits", options(func(opt *filters.Options) { opt.Bits = 0 })),
		{"a bit is missing", "rate in bits", filterstest.Target{Kind: filters.Bloom, Build: options(func(opt *filters.Options) {
			if opt.FalsePositiveRate == 0 && opt.Bits > 0 {
				opt.Bits--
			}
		})}},
		build("a promise shows", "distinct", func(kind filters.Kind, keys []uint64, opt filters.Options) (filters.Filter, error) {
			if opt.Distinct && len(keys) > 0 && !slices.IsSorted(keys) {
				keys = append(slices.Clone(keys), 1)
			}
			return filters.Build(kind, keys, opt)
		}),
		build("distinct keys are sorted in place", "distinct", func(kind filters.Kind, keys []uint64, opt filters.Options) (filters.Filter, error) {
			if opt.Distinct {
				slices.Sort(keys)
			}
			return filters.Build(kind, keys, opt)
		}),
		build("promises are relied on", "broken promise", func(kind filters.Kind, keys []uint64, opt filters.Options) (filters.Filter, error) {
			if sorted := slices.Sorted(slices.Values(keys)); opt.Distinct && len(slices.Compact(sorted)) < len(keys) {
				return nil, errors.New("keys repeat")
			}
			return filters.Build(kind, keys, opt)
		}),
		build("a second worker loses a key", "workers", func(kind filters.Kind, keys []uint64, opt filters.Options) (filters.Filter, error) {
			return filters.Build(kind, keys[:max(len(keys)-opt.Workers/2, 0)], opt)
		}),
	}
}

// options returns a Build that changes the options that it is given.
func options(change func(*filters.Options)) buildFunc {
	return func(kind filters.Kind, keys []uint64, opt filters.Options) (filters.Filter, error) {
		change(&opt)
		return filters.Build(kind, keys, opt)
	}
}

// brokenBuilders reuse their memory and should not.
func brokenBuilders() []broken {
	return []broken{
		{"what was built before shows", "reused builder", filterstest.Target{NewBuilder: func() buildFunc {
			largest := 0
			return func(kind filters.Kind, keys []uint64, opt filters.Options) (filters.Filter, error) {
				if largest = max(largest, len(keys)); len(keys) < largest {
					opt.Distinct = true
					keys = append(slices.Clone(keys), 1)
				}
				return filters.Build(kind, keys, opt)
			}
		}}},
		{"nothing is reused", "steady builder", filterstest.Target{Steady: true, NewBuilder: func() buildFunc {
			return filters.Build
		}}},
	}
}

func brokenDecodes() []broken {
	return []broken{
		decode("decoding changes its input", "round trip", decodeThen(func(data []byte) { data[0]++ })),
		decode("what is missing is taken for zeros", "truncated", tolerant(func(data []byte) []byte {
			return filterstest.FixChecksum(append(bytes.Clone(data), 0))
		})),
		decode("the checksum does not matter", "flipped bits", tolerant(filterstest.FixChecksum)),
		decode("limits do not matter", "limits", func(data []byte, _ filters.Limits) (filters.Filter, error) {
			return filters.Decode(data, filters.Limits{})
		}),
		decode("large limits overflow", "limits", func(data []byte, limits filters.Limits) (filters.Filter, error) {
			if limits.MaxBytes += 100; limits.MaxBytes > 100 {
				limits.MaxBytes -= 100
			}
			return filters.Decode(data, limits)
		}),
		decode("errors are of no kind", "flipped bits", func(data []byte, limits filters.Limits) (filters.Filter, error) {
			f, err := filters.Decode(data, limits)
			if err != nil {
				return nil, errors.New("nameless")
			}
			return f, nil
		}),
		decode("claims are allocated", "hostile fields", func(data []byte, limits filters.Limits) (filters.Filter, error) {
			if len(data) >= 8 {
				sink = make([]byte, min(binary.LittleEndian.Uint32(data[4:]), 1<<24))
			}
			return filters.Decode(data, limits)
		}),
		decode("another filter is decoded", "hostile fields", tolerant(func([]byte) []byte {
			f, _ := filters.Build(filters.Bloom, []uint64{1}, filters.Options{})
			return f.AppendTo(nil)
		})),
		decode("scratch is allocated beyond the limit", "memory of decoding", func(data []byte, limits filters.Limits) (filters.Filter, error) {
			sink = make([]byte, 2*len(data))
			return filters.Decode(data, limits)
		}),
		decode("small limits are never kept", "memory of decoding", func(data []byte, limits filters.Limits) (filters.Filter, error) {
			if len(data) > 1000 && limits.MaxBytes > 64*len(data) {
				return nil, filters.ErrTooLarge
			}
			return filters.Decode(data, limits)
		}),
	}
}

var sink []byte

func decodeThen(change func(data []byte)) decodeFunc {
	return func(data []byte, limits filters.Limits) (filters.Filter, error) {
		f, err := filters.Decode(data, limits)
		if len(data) > 0 {
			change(data)
		}
		return f, err
	}
}

// tolerant returns a Decode that mends with repair what would be refused.
func tolerant(repair func(data []byte) []byte) decodeFunc {
	return func(data []byte, limits filters.Limits) (filters.Filter, error) {
		f, err := filters.Decode(data, limits)
		if err != nil {
			return filters.Decode(repair(bytes.Clone(data)), limits)
		}
		return f, nil
	}
}
