// Package datacid computes the CID of record data, which is the CID that the
// reference's importer (ipfs-unixfs-importer with version 1 CIDs) gives a file:
// UnixFS over DAG-PB, chunks of 262144 bytes as raw leaves, 174 links a node,
// balanced. Data of one chunk has the CID of its raw leaf.
//
// The builder of github.com/ipfs/go-unixfsnode is not used: where the last node of
// a level would have a single child (175 chunks, 349, ...) it puts the child in the
// node's place, and the CID differs from the reference's.
package datacid

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
)

const (
	chunkSize = 262144 // bytes of data in a leaf
	maxLinks  = 174    // children of a node
)

// Of reads r to its end and returns the CID of what it read and how many bytes
// that was. It returns r's error, wrapped, if there is one. It holds a buffer of
// 32 KiB and at most 174 links for each level of the tree, whatever the size.
func Of(r io.Reader) (cid.Cid, int64, error) {
	var t tree
	var size int64
	buf := make([]byte, 32<<10)
	for {
		hash := sha256.New()
		n, err := io.CopyBuffer(hash, io.LimitReader(r, chunkSize), buf)
		size += n
		if err != nil {
			return cid.Undef, size, fmt.Errorf("data after %d bytes: %w", size, err)
		}
		if n > 0 || size == 0 {
			t.add(0, node{cid: newCID(cid.Raw, hash.Sum(nil)), size: uint64(n), stored: uint64(n)})
		}
		if n < chunkSize {
			return t.root().cid, size, nil
		}
	}
}

// node is the root of a finished subtree.
type node struct {
	cid    cid.Cid
	size   uint64 // bytes of data
	stored uint64 // bytes of all blocks
}

// tree holds, for each level from the leaves up, the nodes that have no parent
// yet: fewer than maxLinks, between calls.
type tree struct{ levels [][]node }

// add appends n to a level, and closes the level's last maxLinks nodes under a
// parent when there are as many.
func (t *tree) add(level int, n node) {
	if level == len(t.levels) {
		t.levels = append(t.levels, nil)
	}
	t.levels[level] = append(t.levels[level], n)
	if len(t.levels[level]) == maxLinks {
		full := t.levels[level]
		t.levels[level] = full[:0]
		t.add(level+1, parent(full))
	}
}

// root closes every level, a single node left over included, and returns the one
// node at the top.
func (t *tree) root() node {
	for level := 0; ; level++ {
		nodes := t.levels[level]
		if level == len(t.levels)-1 && len(nodes) == 1 {
			return nodes[0]
		}
		if len(nodes) > 0 {
			t.levels[level] = nil
			t.add(level+1, parent(nodes))
		}
	}
}

// parent returns the node over children: a DAG-PB block of their links, then a
// UnixFS file message with their sizes.
// https://ipld.io/specs/codecs/dag-pb/spec/ and https://specs.ipfs.tech/unixfs/
func parent(children []node) node {
	var n node
	var block, sizes []byte
	for _, c := range children {
		link := appendBytes(nil, 1, c.cid.Bytes())
		link = appendBytes(link, 2, nil) // no name
		link = appendNumber(link, 3, c.stored)
		block = appendBytes(block, 2, link)
		sizes = appendNumber(sizes, 4, c.size)
		n.size += c.size
		n.stored += c.stored
	}
	const file = 2
	data := appendNumber(nil, 1, file)
	data = appendNumber(data, 3, n.size)
	block = appendBytes(block, 1, append(data, sizes...))
	n.stored += uint64(len(block))
	digest := sha256.Sum256(block)
	n.cid = newCID(cid.DagProtobuf, digest[:])
	return n
}

// appendNumber appends a protobuf field of wire type varint.
func appendNumber(dst []byte, field byte, n uint64) []byte {
	return binary.AppendUvarint(append(dst, field<<3), n)
}

// appendBytes appends a protobuf field of wire type length-delimited.
func appendBytes(dst []byte, field byte, b []byte) []byte {
	dst = binary.AppendUvarint(append(dst, field<<3|2), uint64(len(b)))
	return append(dst, b...)
}

// newCID returns the version 1 CID of a SHA-256 digest.
func newCID(codec uint64, digest []byte) cid.Cid {
	return cid.NewCidV1(codec, append([]byte{0x12, 0x20}, digest...))
}
