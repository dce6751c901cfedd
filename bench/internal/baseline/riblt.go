package baseline

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// RIBLTCells is the length of the prefix that a side keeps where RIBLT.Capacity is 0:
// enough for differences of up to 100 000 IDs, whose mean is 135 653 cells.
const RIBLTCells = 140_000

// ribltBatch is how many cells the responder encodes at first; later batches are an
// eighth of what it sent, so that its CPU time is that of a stream which goes on for an
// eighth longer, at most. Reading the clock for every cell would cost more.
const ribltBatch = 16

var (
	errForeignSide = errors.New("baseline: responder is of another system")
	errNoDecode    = errors.New("baseline: rateless IBLT does not decode")
)

// RIBLT is rateless set reconciliation with a maintained prefix: Yang, Gilad and
// Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024. Symbols are 8 bytes,
// SipHash-2-4 of the ID; checksums are 8 bytes of SipHash-2-4 under another key.
//
// The responder streams cells; the initiator subtracts its own, peels, and stops the
// stream after the last cell it needed, which ends the one round. Bytes are those of
// the cells up to there: 16 and a zigzag varint for the count, no request, and no cells
// in flight when the stop arrives (a real link adds its bandwidth times its delay).
// Counts go out as they are; sent less the expected n/(1+i/2) they would save about a
// byte in each of the first cells: 5 % at n = 10^6 and d = 10^4, 1 % at d = 10^5.
//
// The initiator learns short IDs. It finds its own in an index. Those that only the
// responder holds are looked up in the responder's index at no charge, because the
// items that follow carry them anyway. No ID may be in a set twice, at whatever times:
// it would cancel out, and Reconcile reports that nothing decodes.
type RIBLT struct {
	// Capacity is how many cells each side keeps up to date, 24 bytes each; 0 means
	// RIBLTCells. A difference that needs more goes over all keys of both sides again
	// for every doubling, in Reconcile.
	Capacity int
}

// Name implements System.
func (RIBLT) Name() string { return "riblt" }

// Prepare implements System. It takes O(len(keys) log Capacity) time.
func (r RIBLT) Prepare(keys []summary.Key) Side {
	capacity := r.Capacity
	if capacity <= 0 {
		capacity = RIBLTCells
	}
	side := &ribltSide{
		prefix: NewPrefix(capacity),
		keys:   make([]ribltKey, len(keys)),
		ids:    make(map[uint64]summary.ID, len(keys)),
	}
	for i, key := range keys {
		side.keys[i] = newRIBLTKey(key.ID)
		side.prefix.add(side.keys[i], 1)
		side.ids[side.keys[i].symbol] = key.ID
	}
	return side
}

// ribltSide is one prepared set. It is not changed after Prepare.
type ribltSide struct {
	prefix *Prefix
	keys   []ribltKey
	ids    map[uint64]summary.ID // by symbol
}

// Reconcile implements Side.
func (s *ribltSide) Reconcile(responder Side) (Outcome, error) {
	peer, ok := responder.(*ribltSide)
	if !ok {
		return Outcome{}, fmt.Errorf("%w: %T", errForeignSide, responder)
	}
	out := Outcome{Rounds: 1}
	start := cputime.Now()
	theirs, ours := newCellSource(peer), newCellSource(s)
	decoder := newRIBLTDecoder(len(s.keys) + len(peer.keys))
	out.Here += cputime.Now() - start
	var wire []byte
	for batch := ribltBatch; !decoder.done(); batch = max(ribltBatch, len(decoder.cells)/8) {
		start = cputime.Now()
		wire = theirs.encode(wire[:0], batch)
		encoded := cputime.Now()
		used, err := decoder.read(wire, ours)
		out.Here += cputime.Now() - encoded
		out.There += encoded - start
		if err != nil {
			return Outcome{}, err
		}
		out.Down += int64(used)
	}
	start = cputime.Now()
	var err error
	out.Have, out.Need, err = decoder.resolve(s.ids, peer.ids)
	out.Here += cputime.Now() - start
	return out, err
}

// cellSource yields the cells of a side in order and without end: those of its prefix,
// then further ones, for which it goes over the keys once for every doubling.
type cellSource struct {
	keys []ribltKey
	have *Prefix
	at   int
}

func newCellSource(side *ribltSide) *cellSource {
	return &cellSource{keys: side.keys, have: side.prefix}
}

// next returns the next cell.
func (c *cellSource) next() Cell {
	if c.at == len(c.have.cells) {
		// A copy: the prefix of the side stays as it was prepared.
		c.have = c.have.extended(2*len(c.have.cells), c.keys)
	}
	c.at++
	return c.have.cells[c.at-1]
}

// encode appends the next n cells to dst.
func (c *cellSource) encode(dst []byte, n int) []byte {
	for range n {
		dst = c.next().append(dst)
	}
	return dst
}

// append appends the wire form of c: symbol and checksum, little-endian, and the count
// as a zigzag varint.
func (c Cell) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, c.Symbol)
	dst = binary.LittleEndian.AppendUint64(dst, c.Check)
	return binary.AppendVarint(dst, c.Count)
}

// readCell returns the cell at the start of wire and its length in bytes, 0 if the
// bytes are not a whole cell.
func readCell(wire []byte) (Cell, int) {
	if len(wire) < 16 {
		return Cell{}, 0
	}
	count, n := binary.Varint(wire[16:])
	if n <= 0 {
		return Cell{}, 0
	}
	return Cell{
		Symbol: binary.LittleEndian.Uint64(wire),
		Check:  binary.LittleEndian.Uint64(wire[8:]),
		Count:  count,
	}, 16 + n
}
