package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// Logged is what a View may implement besides: it is a position of a log of arrivals, so
// that two syncs of it need to look only at what came in between.
type Logged interface {
	// Position is the view's place in the log. It grows with every change of the set.
	Position() uint64
	// Since returns the keys that the view has and had not at an earlier position, and how
	// many it had and has no longer. It is false where the log does not tell: there never was
	// that position, or it is too long ago.
	Since(ctx context.Context, position uint64) (added []Key, removed int, ok bool, err error)
}

// CursorMemory is what an initiator remembers of its last complete sync of a replica with
// a peer, for the next one of both. The zero value is empty. One sync at a time may use it.
//
// It is a hint: what is in it is compared with the sets before it is used, and the identity of
// roots proves what follows from it.
type CursorMemory struct {
	token  []byte
	secret wire.SecretName
	// Position and root of this side's view, and the root of the responder's that the token
	// is of. This side had all of that if pulled, and the responder all of this side's if pushed.
	position       uint64
	own, remote    Root
	pulled, pushed bool
}

// proves reports whether m says enough for a sync in that direction.
func (m *CursorMemory) proves(d Direction) bool {
	return len(m.token) > 0 && (m.pulled || !d.Pulls()) && (m.pushed || !d.Pushes())
}

const memoryVersion = 1

// AppendBinary appends a form of m that DecodeCursorMemory reads.
func (m *CursorMemory) AppendBinary(dst []byte) []byte {
	start, flags := len(dst), byte(0)
	if m.pulled {
		flags |= 1
	}
	if m.pushed {
		flags |= 2
	}
	dst = append(dst, memoryVersion, flags)
	dst = binary.BigEndian.AppendUint64(dst, m.secret.Generation)
	dst = append(dst, m.secret.ID[:]...)
	dst = binary.BigEndian.AppendUint64(dst, m.position)
	for _, root := range []Root{m.own, m.remote} {
		dst = append(binary.BigEndian.AppendUint64(dst, root.Count), root.Fingerprint[:]...)
	}
	dst = append(dst, m.token...)
	return binary.BigEndian.AppendUint32(dst, memorySum(dst[start:]))
}

// memorySum tells a memory from what a fault of the disk makes of it: that a sync pulled, or
// pushed, is the one thing in it that no root proves.
func memorySum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// DecodeCursorMemory reads what AppendBinary wrote. What is no such form is an empty memory.
func DecodeCursorMemory(data []byte) *CursorMemory {
	const head, sum = 2 + 24 + 8 + 2*40, 4
	if len(data) < head+sum || len(data) > head+wire.MaxCursor+sum || data[0] != memoryVersion {
		return new(CursorMemory)
	}
	data, end := data[:len(data)-sum], data[len(data)-sum:]
	if binary.BigEndian.Uint32(end) != memorySum(data) {
		return new(CursorMemory)
	}
	m := &CursorMemory{pulled: data[1]&1 != 0, pushed: data[1]&2 != 0, token: bytes.Clone(data[head:])}
	m.secret.Generation = binary.BigEndian.Uint64(data[2:])
	copy(m.secret.ID[:], data[10:])
	m.position = binary.BigEndian.Uint64(data[26:])
	for i, root := range []*Root{&m.own, &m.remote} {
		at := data[34+40*i:]
		root.Count = binary.BigEndian.Uint64(at)
		copy(root.Fingerprint[:], at[8:])
	}
	return m
}

// sinceLast is what a cursor leaves to be compared.
type sinceLast struct {
	keys   []Key // what this side's log took in since
	offset Root  // what this side had besides the responder's set, when the token was made
}

// openCursor sets round.since if the remembered cursor can be used: the log goes on from
// where it was, and what it says adds up to the root of the view.
func (i *Initiator) openCursor(ctx context.Context) error {
	m := i.opt.Cursor
	logged, ok := i.round.view.View.(Logged)
	if !ok || m == nil || !m.proves(i.opt.Direction) || i.round.secret == nil || i.round.secret.SecretName != m.secret || i.refused.any() {
		return nil
	}
	added, removed, ok, err := logged.Since(ctx, m.position)
	if err != nil || !ok || removed > 0 {
		return err
	}
	if i.round.own.Sub(i.hasher().Root(added)) != m.own {
		return nil // another log, or a restored backup
	}
	i.round.since = &sinceLast{keys: added, offset: m.own.Sub(m.remote)}
	return nil
}

// cursorDigest returns the digest of what came in since, of nothing where that is nothing.
func (i *Initiator) cursorDigest() (digest, error) {
	if len(i.round.since.keys) == 0 {
		return digest{}, nil
	}
	return drafter{random: i.opt.Random, hash: i.opt.hash}.summarise(filters.List, i.round.since.keys)
}

// remember keeps the cursor of a complete sync, if this side's set is the one that the
// difference was found of, with what it received.
func (i *Initiator) remember(ctx context.Context) error {
	if i.opt.Cursor == nil || len(i.cursor) == 0 {
		return nil
	}
	view, err := i.replica.View(ctx)
	if err != nil {
		return err
	}
	logged, ok := view.(Logged)
	if !ok {
		return nil
	}
	own, err := (&snapshot{View: view, distrust: i.distrust}).root(ctx, *i.round.secret, i.hasher())
	if err != nil || own != i.settled || i.under != *i.round.secret {
		return err // what came in since was not compared, so it was not pushed either
	}
	*i.opt.Cursor = CursorMemory{
		token: i.cursor, secret: i.round.secret.SecretName, position: logged.Position(),
		own: own, remote: i.report.Remote, pulled: i.opt.Direction.Pulls(), pushed: i.opt.Direction.Pushes(),
	}
	return nil
}

// Sealer encrypts and authenticates tokens that a node makes for itself. It binds them to
// what the caller of [Respond] decided about: whose view it is of, and for whom.
type Sealer interface {
	// Seal returns a token of at most wire.MaxCursor bytes, of one length for plain of one length.
	Seal(plain []byte) ([]byte, error)
	// Open returns what was sealed; false for anything that Seal did not return.
	Open(token []byte) (plain []byte, ok bool)
}

// A cursor before it is sealed: a version, the position in the responder's log, and the first
// 8 bytes of the fingerprint at it, which tell the secret too: it is keyed.
const (
	cursorVersion = 1
	cursorSize    = 1 + 8 + 8
)

// cursorAt returns the sealed cursor of a view, nil where there can be none.
func (r *responder) cursorAt(root Root) ([]byte, error) {
	logged, ok := r.view.View.(Logged)
	if !ok || r.opt.Sealer == nil {
		return nil, nil
	}
	plain := binary.BigEndian.AppendUint64([]byte{cursorVersion}, logged.Position())
	return r.opt.Sealer.Seal(append(plain, root.Fingerprint[:8]...))
}

// since returns what the log took in since the cursor of the request; false if the cursor is
// none of this node's, for this view under this secret and on this log.
func (r *responder) since(ctx context.Context, root Root) (added []Key, ok bool, err error) {
	logged, ok := r.view.View.(Logged)
	if !ok || r.opt.Sealer == nil {
		return nil, false, nil
	}
	plain, ok := r.opt.Sealer.Open(r.init.Cursor)
	if !ok || len(plain) != cursorSize || plain[0] != cursorVersion {
		return nil, false, nil
	}
	if r.theirRoot() == nil {
		return nil, false, nil
	}
	added, removed, ok, err := logged.Since(ctx, binary.BigEndian.Uint64(plain[1:]))
	if err != nil || !ok || removed > 0 {
		return nil, false, err
	}
	before := root.Sub(r.hasher.Root(added))
	return added, bytes.Equal(before.Fingerprint[:8], plain[9:]), nil
}

// planCursor answers a cursor: with what the log took in since, without what the initiator
// took in as well. It reads the log from the cursor's position on and hashes what came in: at
// most as much as the view holds.
func (r *responder) planCursor(ctx context.Context) error {
	root, equal, err := r.compareRoots(ctx)
	if err != nil || equal {
		return err
	}
	added, ok, err := r.since(ctx, root)
	if err != nil {
		return err
	}
	if !ok {
		r.ack.Plan = &wire.Plan{Cells: firstCells}
		return nil
	}
	lacked, passed := added, []Key(nil)
	if r.sieve.asked != nil {
		lacked, passed = r.sieve.divide(added)
	}
	if r.letThrough(root.Sub(r.hasher.Root(lacked)), lacked) || r.sieve.asked == nil {
		return nil
	}
	r.digest, err = drafter{random: r.opt.Random, hash: r.opt.hash}.summarise(filters.List, passed)
	r.ack.Summary = &r.digest.head
	return err
}

// checkCursor refuses what a request with a cursor cannot have.
func (r *responder) checkCursor() error {
	switch {
	case len(r.init.Cursor) > wire.MaxCursor:
		return fmt.Errorf("%w: a cursor of %d bytes", wire.ErrTooLarge, len(r.init.Cursor))
	case r.init.Cursor != nil && r.init.Summary != nil && (r.init.Summary.Form != wire.FormFilter || r.init.Summary.Within != nil):
		return fmt.Errorf("%w: a cursor goes with a filter of what came since", wire.ErrMalformed)
	}
	return nil
}
