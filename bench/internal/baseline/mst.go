package baseline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/bits"
	"slices"
	"strconv"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// MST is a Merkle search tree as atproto repositories have it (version 3 of the
// repository specification, https://atproto.com/specs/repository, "MST structure"):
// the depth of a key is the number of leading pairs of zero bits of its SHA-256, a node
// holds the keys of one depth between two deeper ones, and links name nodes by the
// SHA-256 of their DAG-CBOR.
//
// The key of an item is "m/", its time and the first four bytes of its ID, both in
// hexadecimal, the time without leading zeros and, if negative, as the 64 bits of its
// two's complement; its value is a CID with the ID as digest. Items of one time whose IDs
// begin alike are told apart by value.
//
// The initiator asks for the root and then, level by level, for each node that it
// lacks. One request of 36 bytes, a CID, is answered by the root's CID or by a block;
// all of one level are one round. Requests and blocks are all that is counted. The
// initiator checks the hash of every block. Bytes are those of indigo, its Go implementation,
// to the byte: TestMSTIsAsRecorded.
type MST struct{}

// Name implements System.
func (MST) Name() string { return "mst" }

// Prepare implements System. It takes O(n log n) time and about 150 bytes a key.
func (MST) Prepare(keys []summary.Key) Side { return newTree(mstEntries(keys)) }

// cidSize is the length of a binary CID: version, codec, hash, length and 32 bytes.
const cidSize = 36

// mstEntry is one mapping from key to value.
type mstEntry struct {
	key   []byte
	value summary.ID
	depth int
}

// mstEntries returns the entries of keys in the order of the tree.
func mstEntries(keys []summary.Key) []mstEntry {
	entries := make([]mstEntry, len(keys))
	for i, key := range keys {
		name := mstKey(key)
		entries[i] = mstEntry{key: name, value: key.ID, depth: mstDepth(name)}
	}
	// Times of different lengths and negative ones sort as text here.
	if !slices.IsSortedFunc(entries, mstEntry.compare) {
		slices.SortFunc(entries, mstEntry.compare)
	}
	return entries
}

func (e mstEntry) compare(other mstEntry) int {
	if c := bytes.Compare(e.key, other.key); c != 0 {
		return c
	}
	return bytes.Compare(e.value[:], other.value[:])
}

// mstKey returns the key of an item.
func mstKey(key summary.Key) []byte {
	name := append(make([]byte, 0, 26), "m/"...)
	name = strconv.AppendUint(name, uint64(key.Time), 16)
	return hex.AppendEncode(name, key.ID[:4])
}

// mstDepth returns the number of leading zero bits of SHA-256 of key, halved.
func mstDepth(key []byte) int {
	zeros := 0
	for _, b := range sha256.Sum256(key) {
		zeros += bits.LeadingZeros8(b)
		if b != 0 {
			break
		}
	}
	return zeros / 2
}

// link names a node by the SHA-256 of its block. The zero value is no node: nobody
// knows a block with that digest.
type link [32]byte

// mstTree is a prepared set. It is not changed.
type mstTree struct {
	root   link
	blocks map[link][]byte
}

// newTree returns the tree of entries, which are in order.
func newTree(entries []mstEntry) *mstTree {
	depth := 0
	for _, e := range entries {
		depth = max(depth, e.depth)
	}
	t := &mstTree{blocks: make(map[link][]byte, len(entries)/3+1)}
	if len(entries) == 0 {
		t.root = t.put(mstNode{})
		return t
	}
	t.root = t.build(entries, depth)
	return t
}

// build stores the nodes of entries, all of which have at most the given depth, and
// returns the link to the topmost, none without entries. A node without entries of its
// own stands between nodes more than one depth apart.
func (t *mstTree) build(entries []mstEntry, depth int) link {
	if len(entries) == 0 {
		return link{}
	}
	var node mstNode
	from := 0
	for i, e := range entries {
		if e.depth == depth {
			node.setLast(t.build(entries[from:i], depth-1))
			node.entries = append(node.entries, nodeEntry{key: e.key, value: e.value})
			from = i + 1
		}
	}
	node.setLast(t.build(entries[from:], depth-1))
	return t.put(node)
}

// put stores a node and returns its link.
func (t *mstTree) put(node mstNode) link {
	block := node.append(nil)
	name := link(sha256.Sum256(block))
	t.blocks[name] = block
	return name
}
