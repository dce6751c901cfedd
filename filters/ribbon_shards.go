package filters

import (
	"encoding/binary"
	"math/bits"

	"github.com/dwn-sync/dwnsync/filters/internal/ribbon"
)

const (
	// ribbonInline is the number of attempts that the first byte has room for; the
	// value behind them says that a byte follows.
	ribbonInline = 7
	// ribbonRice is the number of bits of a shard's surplus that are written as they
	// are. It suits the binomial deviation of a mean of 512 keys.
	ribbonRice = 5
)

// appendShards appends all of a body that comes before the solution.
func appendShards(dst []byte, table *ribbon.Filter, n int) []byte {
	first := byte(table.Bits() - 1)
	if table.Shards() == 1 {
		_, attempt := table.Shard(0)
		if attempt < ribbonInline {
			return append(dst, first|byte(attempt)<<5)
		}
		return append(dst, first|ribbonInline<<5, byte(attempt))
	}
	w := bitWriter{dst: append(dst, first)}
	last := table.Shards() - 1
	mean := n / table.Shards()
	for i := range last + 1 {
		keys, attempt := table.Shard(i)
		if i < last {
			surplus := zigzag(keys - mean)
			w.unary(surplus >> ribbonRice)
			w.bits(surplus&(1<<ribbonRice-1), ribbonRice)
		}
		w.unary(uint64(attempt))
	}
	return w.flush()
}

// decodeShards places the shards of table and returns the offset of the solution. The
// body has at least two bytes, as it has room for a key.
func decodeShards(table *ribbon.Filter, n int, body []byte) (size int, err error) {
	attempt := int(body[0] >> 5)
	if table.Shards() > 1 {
		if attempt != 0 {
			return 0, malformed("ribbon: attempt %d of many shards", attempt)
		}
		size, err = decodeManyShards(table, n, body[1:])
		return 1 + size, err
	}
	size = 1
	if attempt == ribbonInline {
		if body[1] < ribbonInline || body[1] >= ribbon.Attempts {
			return 0, malformed("ribbon: attempt %d", body[1])
		}
		attempt, size = int(body[1]), 2
	}
	table.Place(0, n, attempt)
	return size, nil
}

func decodeManyShards(table *ribbon.Filter, n int, data []byte) (size int, err error) {
	r := bitReader{data: data}
	last := table.Shards() - 1
	mean, left := n/table.Shards(), n
	for i := range last + 1 {
		keys := left
		if i < last {
			high := r.unary(4 * uint64(n) >> ribbonRice)
			keys = mean + unzigzag(high<<ribbonRice|r.bits(ribbonRice))
		}
		attempt := r.unary(ribbon.Attempts - 1)
		if r.broken || keys < 0 || keys > left {
			return 0, malformed("ribbon: shard %d of %d keys", i, keys)
		}
		left -= keys
		table.Place(i, keys, int(attempt))
	}
	size = (r.pos + 7) / 8
	r.data = data[:size]
	if !r.atEnd() {
		return 0, malformed("ribbon: bits behind the shards")
	}
	return size, nil
}

// zigzag maps 0, -1, 1, -2, 2, ... to 0, 1, 2, 3, 4, ...
func zigzag(d int) uint64   { return uint64(int64(d)<<1 ^ int64(d)>>63) }
func unzigzag(z uint64) int { return int(z>>1) ^ -int(z&1) }

// bitWriter appends bits to dst, from the lowest of a byte up.
type bitWriter struct {
	dst     []byte
	pending uint64 // bits not yet in dst
	used    int    // how many, below 64
}

// bits appends the low width bits of v, of which all others are zero; width is at most 64.
func (w *bitWriter) bits(v uint64, width int) {
	w.pending |= v << w.used
	if w.used+width < 64 {
		w.used += width
		return
	}
	w.dst = binary.LittleEndian.AppendUint64(w.dst, w.pending)
	w.pending = v >> (64 - w.used)
	w.used += width - 64
}

// unary appends n zeros and a one.
func (w *bitWriter) unary(n uint64) {
	for ; n >= 64; n -= 64 {
		w.bits(0, 64)
	}
	w.bits(1<<n, int(n)+1)
}

// flush appends what is pending, filled up to a whole byte, and returns dst.
func (w *bitWriter) flush() []byte {
	for ; w.used > 0; w.used -= 8 {
		w.dst = append(w.dst, byte(w.pending))
		w.pending >>= 8
	}
	return w.dst
}

// bitReader reads what a bitWriter wrote. Where that ends, or makes no sense, it
// becomes broken and returns zeros.
type bitReader struct {
	data   []byte
	pos    int // in bits
	broken bool
}

// bits returns the next width bits, width at most 64.
func (r *bitReader) bits(width int) uint64 {
	if r.broken = r.broken || r.pos+width > 8*len(r.data); r.broken {
		return 0
	}
	word, have := ricePeek(r.data, r.pos)
	if have < width {
		high, _ := ricePeek(r.data, r.pos+have)
		word |= high << have
	}
	r.pos += width
	return word & (^uint64(0) >> (64 - width))
}

// unary returns the number of zeros before the next one, which may be at most top.
func (r *bitReader) unary(top uint64) (zeros uint64) {
	for zeros <= top && r.pos < 8*len(r.data) {
		word, have := ricePeek(r.data, r.pos)
		if word != 0 {
			found := bits.TrailingZeros64(word)
			r.pos += found + 1
			zeros += uint64(found)
			r.broken = r.broken || zeros > top || r.pos > 8*len(r.data)
			return zeros
		}
		r.pos += have
		zeros += uint64(have)
	}
	r.broken = true
	return 0
}

// atEnd reports whether all is read but the zero bits that fill the last byte.
func (r *bitReader) atEnd() bool {
	left := 8*len(r.data) - r.pos
	word, _ := ricePeek(r.data, r.pos)
	return !r.broken && left >= 0 && left < 8 && word == 0
}
