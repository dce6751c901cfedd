package baseline

import (
	"errors"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// errBlock means that a block is not the DAG-CBOR of a node.
var errBlock = errors.New("baseline: malformed Merkle search tree node")

// mstNode is one node: its entries in order and the subtrees before, between and
// after them.
type mstNode struct {
	left    link // subtree before all entries
	entries []nodeEntry
}

// nodeEntry is an entry with the subtree between it and the next.
type nodeEntry struct {
	key   []byte
	value summary.ID
	right link
}

// setLast sets the subtree after the last entry so far.
func (n *mstNode) setLast(l link) {
	if len(n.entries) == 0 {
		n.left = l
		return
	}
	n.entries[len(n.entries)-1].right = l
}

// The pieces of DAG-CBOR that nodes are made of. Keys of maps are ordered by length,
// then by bytes.
const (
	cborUint  = 0 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
	cborNull  = 0xf6
	// linkHead is tag 42, a byte string of 37, the identity multibase, and the head of
	// a CID: version 1, dag-cbor, sha2-256, 32 bytes.
	linkHead = "\xd8\x2a\x58\x25\x00\x01\x71\x12\x20"
)

// append appends the node's block: {e: [{k, p, t, v}], l}, each key less the prefix
// that it shares with the key before it in this node.
func (n *mstNode) append(dst []byte) []byte {
	dst = append(dst, cborMap|2, cborText|1, 'e')
	dst = appendHead(dst, cborArray, len(n.entries))
	var before []byte
	for _, e := range n.entries {
		shared := commonPrefix(before, e.key)
		dst = append(dst, cborMap|4, cborText|1, 'k')
		dst = appendHead(dst, cborBytes, len(e.key)-shared)
		dst = append(dst, e.key[shared:]...)
		dst = append(dst, cborText|1, 'p')
		dst = appendHead(dst, cborUint, shared)
		dst = append(dst, cborText|1, 't')
		dst = appendLink(dst, e.right)
		dst = append(dst, cborText|1, 'v')
		dst = append(append(dst, linkHead...), e.value[:]...)
		before = e.key
	}
	dst = append(dst, cborText|1, 'l')
	return appendLink(dst, n.left)
}

// appendHead appends the head of an item: major type and argument, in the fewest bytes.
func appendHead(dst []byte, major byte, n int) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	case n < 1<<16:
		return append(dst, major|25, byte(n>>8), byte(n))
	default:
		return append(dst, major|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}

// appendLink appends a CID, or null for none.
func appendLink(dst []byte, l link) []byte {
	if l == (link{}) {
		return append(dst, cborNull)
	}
	return append(append(dst, linkHead...), l[:]...)
}

func commonPrefix(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
