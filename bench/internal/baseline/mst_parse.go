package baseline

import (
	"bytes"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// parseNode returns the node that block is. Its keys share no memory with block. It
// returns errBlock for bytes that append does not write.
func parseNode(block []byte) (mstNode, error) {
	p := nodeParser{rest: block}
	p.literal(string([]byte{cborMap | 2, cborText | 1, 'e'}))
	count := p.head(cborArray)
	var node mstNode
	for i := 0; i < count && !p.bad; i++ {
		node.entries = append(node.entries, p.entry(node.entries))
	}
	p.literal(string([]byte{cborText | 1, 'l'}))
	node.left = p.link()
	if p.bad || len(p.rest) > 0 {
		return mstNode{}, fmt.Errorf("%w: at byte %d of %d", errBlock, len(block)-len(p.rest), len(block))
	}
	return node, nil
}

// nodeParser reads a block from the front. After the first thing that is not as it
// should be, bad is set and all results are zero.
type nodeParser struct {
	rest []byte
	bad  bool
}

// entry reads the entry that follows those of before.
func (p *nodeParser) entry(before []nodeEntry) nodeEntry {
	p.literal(string([]byte{cborMap | 4, cborText | 1, 'k'}))
	suffix := p.take(p.head(cborBytes))
	p.literal(string([]byte{cborText | 1, 'p'}))
	shared := p.head(cborUint)
	var last []byte
	if len(before) > 0 {
		last = before[len(before)-1].key
	}
	if shared > len(last) {
		p.bad = true
		return nodeEntry{}
	}
	entry := nodeEntry{key: append(bytes.Clone(last[:shared]), suffix...)}
	if commonPrefix(last, entry.key) != shared {
		p.bad = true
	}
	p.literal(string([]byte{cborText | 1, 't'}))
	entry.right = p.link()
	p.literal(string([]byte{cborText | 1, 'v'}))
	entry.value = summary.ID(p.digest())
	return entry
}

// literal reads exactly the bytes of want.
func (p *nodeParser) literal(want string) {
	if string(p.take(len(want))) != want {
		p.bad = true
	}
}

// head reads the head of an item of type major in its shortest form and returns the
// argument, which may be any number: nothing is allocated for it.
func (p *nodeParser) head(major byte) int {
	first := p.take(1)
	if p.bad || first[0]&0xe0 != major {
		p.bad = true
		return 0
	}
	n := int(first[0] & 0x1f)
	if n < 24 {
		return n
	}
	width := 1 << (n - 24) // 27 and above end below, for want of bytes or of a number
	n = 0
	for _, b := range p.take(width) {
		n = n<<8 | int(b)
	}
	if n < 24 || width > 1 && n>>(4*width) == 0 {
		p.bad = true
		return 0
	}
	return n
}

// link reads a CID or null.
func (p *nodeParser) link() link {
	if len(p.rest) > 0 && p.rest[0] == cborNull {
		p.rest = p.rest[1:]
		return link{}
	}
	return link(p.digest())
}

// digest reads a CID.
func (p *nodeParser) digest() (digest [32]byte) {
	p.literal(linkHead)
	copy(digest[:], p.take(len(digest)))
	return digest
}

// take reads n bytes, none if there are fewer.
func (p *nodeParser) take(n int) []byte {
	if p.bad || n > len(p.rest) {
		p.bad = true
		return nil
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}
