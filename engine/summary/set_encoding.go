package summary

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// The form of a Set, numbers little-endian:
//
//	version, ShortBits, CheckBits, 0   one byte each
//	leaf                               4 bytes
//	position, number of items          8 bytes each
//	lengths of the parts               4 times 8 bytes
//	tree, table, estimators, index     as they encode themselves
//	tag                                16 bytes of HMAC-SHA-256 over all before it
//
// The tag is keyed by the secret. So a form that was damaged anywhere, or that belongs
// to another secret, is refused before anything in it is believed; what is beyond
// the tag is checked all the same.
const (
	setVersion = 1
	setHead    = 4 + 4 + 2*8 + setParts*8
	setParts   = 4
	setTag     = 16
)

// Frozen is a Set as it was at one moment, ready to be encoded while the Set goes
// on changing.
type Frozen struct {
	secret     [32]byte
	opt        SetOptions
	position   uint64
	tree       *Tree
	table      *Table
	estimators Estimators
	index      *Index
}

// Freeze copies the index, 12 bytes per item, and takes a snapshot of the rest.
func (s *Set) Freeze() *Frozen {
	return &Frozen{
		secret: s.secret, opt: s.opt, position: s.position, tree: s.tree.Snapshot(),
		table: s.table.Snapshot(), estimators: s.estimators, index: s.index.clone(),
	}
}

// clone returns a copy of x that shares nothing with it.
func (x *Index) clone() *Index {
	c := *x
	c.pages, c.blocks, c.tops = cloneSlabs(x.pages), cloneSlabs(x.blocks), cloneSlabs(x.tops)
	c.more = maps.Clone(x.more)
	for slot, blocks := range c.more {
		c.more[slot] = slices.Clone(blocks)
	}
	return &c
}

func cloneSlabs[S any](slabs []*S) []*S {
	copies := make([]*S, len(slabs))
	for i, slab := range slabs {
		c := *slab
		copies[i] = &c
	}
	return copies
}

// AppendBinary appends the form that DecodeSet reads.
func (s *Set) AppendBinary(dst []byte) []byte { return s.Freeze().AppendBinary(dst) }

// Position returns the position of the arrival log that the Set covered.
func (f *Frozen) Position() uint64 { return f.position }

// AppendBinary appends the form that DecodeSet reads.
func (f *Frozen) AppendBinary(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, setVersion, byte(f.opt.Params.ShortBits), byte(f.opt.Params.CheckBits), 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(f.opt.Leaf))
	dst = binary.LittleEndian.AppendUint64(dst, f.position)
	dst = binary.LittleEndian.AppendUint64(dst, f.tree.Root().Count)
	at := len(dst)
	dst = append(dst, make([]byte, setParts*8)...)
	for _, part := range []func([]byte) []byte{
		f.tree.AppendBinary, f.table.AppendBinary, f.estimators.AppendBinary, f.index.AppendBinary,
	} {
		from := len(dst)
		dst = part(dst)
		binary.LittleEndian.PutUint64(dst[at:], uint64(len(dst)-from))
		at += 8
	}
	return appendSetTag(dst, f.secret, dst[start:])
}

func appendSetTag(dst []byte, secret [32]byte, form []byte) []byte {
	key := derive(secret, "dwnsync saved v1\x00", nil)
	mac := hmac.New(sha256.New, key[:])
	mac.Write(form)
	return append(dst, mac.Sum(nil)[:setTag]...)
}

// DecodeSet returns the Set that form is of. Anything else than what AppendBinary
// made of a Set under the same secret is ErrEncoding. It keeps nothing of form.
func DecodeSet(secret [32]byte, form []byte) (*Set, error) {
	if len(form) < setHead+setTag {
		return nil, fmt.Errorf("%w: %d bytes of a set", ErrEncoding, len(form))
	}
	body, tag := form[:len(form)-setTag], form[len(form)-setTag:]
	if body[0] != setVersion || body[3] != 0 {
		return nil, fmt.Errorf("%w: version %d of a set, want %d", ErrEncoding, body[0], setVersion)
	}
	if !hmac.Equal(appendSetTag(nil, secret, body), tag) {
		return nil, fmt.Errorf("%w: the tag of a set does not fit its bytes and the secret", ErrEncoding)
	}
	opt := SetOptions{
		Params: Params{ShortBits: int(body[1]), CheckBits: int(body[2])},
		Leaf:   int(min(binary.LittleEndian.Uint32(body[4:]), maxLeaf+1)),
	}
	s, err := NewSet(secret, opt)
	if err != nil || s.opt != opt {
		return nil, fmt.Errorf("%w: options of a set", ErrEncoding)
	}
	s.position = binary.LittleEndian.Uint64(body[8:])
	if err := s.decodeParts(binary.LittleEndian.Uint64(body[16:]), body[24:]); err != nil {
		return nil, err
	}
	return s, nil
}

// decodeParts reads the lengths of the parts and the parts of a Set of n items.
func (s *Set) decodeParts(n uint64, body []byte) error {
	lengths, rest := body[:setParts*8], body[setParts*8:]
	var parts [setParts][]byte
	for i := range parts {
		length := binary.LittleEndian.Uint64(lengths[8*i:])
		if length > uint64(len(rest)) {
			return fmt.Errorf("%w: part %d of a set has %d bytes, %d are left", ErrEncoding, i, length, len(rest))
		}
		parts[i], rest = rest[:length], rest[length:]
	}
	if len(rest) != 0 {
		return fmt.Errorf("%w: %d bytes after a set", ErrEncoding, len(rest))
	}
	var err error
	if s.tree, err = DecodeTree(parts[0]); err != nil {
		return err
	}
	if s.table, err = DecodeTable(s.expander.Cells(), parts[1]); err != nil {
		return err
	}
	estimators, err := DecodeEstimators(parts[2])
	if err != nil {
		return err
	}
	s.estimators = *estimators
	if s.index, err = DecodeIndex(parts[3]); err != nil {
		return err
	}
	if s.tree.LeafSize() != s.opt.Leaf || s.index.shortBits != s.opt.Params.ShortBits {
		return fmt.Errorf("%w: tree or index of a set have other options", ErrEncoding)
	}
	if have := uint64(s.index.Len()); s.tree.Root().Count != n || have != n {
		return fmt.Errorf("%w: a set of %d items has %d in its tree, %d in its index", ErrEncoding, n, s.tree.Root().Count, have)
	}
	return nil
}
