package baseline

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// errNoBlock means that a side does not hold a node that its own tree links to.
var errNoBlock = errors.New("baseline: Merkle search tree lacks a node")

// Reconcile implements Side.
func (t *mstTree) Reconcile(responder Side) (Outcome, error) {
	peer, ok := responder.(*mstTree)
	if !ok {
		return Outcome{}, fmt.Errorf("%w: %T", errForeignSide, responder)
	}
	// The first round asks for the root.
	out := Outcome{Rounds: 1, Up: cidSize, Down: cidSize}
	diff := mstDiff{own: t, theirs: make(map[mstItem]bool), shared: make(map[link]bool)}
	start := cputime.Now()
	wanted := diff.follow(nil, peer.root)
	out.Here += cputime.Now() - start
	for ; len(wanted) > 0; out.Rounds++ {
		start = cputime.Now()
		blocks, err := peer.get(wanted)
		answered := cputime.Now()
		if err != nil {
			return Outcome{}, err
		}
		out.There += answered - start
		out.Up += int64(len(wanted)) * cidSize
		for _, block := range blocks {
			out.Down += int64(len(block))
		}
		wanted, err = diff.read(wanted, blocks)
		out.Here += cputime.Now() - answered
		if err != nil {
			return Outcome{}, err
		}
	}
	start = cputime.Now()
	var err error
	out.Have, out.Need, err = diff.result()
	out.Here += cputime.Now() - start
	return out, err
}

// get returns the blocks that links name.
func (t *mstTree) get(links []link) ([][]byte, error) {
	blocks := make([][]byte, len(links))
	for i, l := range links {
		block, ok := t.blocks[l]
		if !ok {
			return nil, fmt.Errorf("%w: %x", errNoBlock, l)
		}
		blocks[i] = block
	}
	return blocks, nil
}

// mstItem is an entry of either tree, comparable.
type mstItem struct {
	key   string
	value summary.ID
}

// mstDiff is what the initiator knows of the difference so far.
type mstDiff struct {
	own *mstTree
	// fetched are the entries of the nodes fetched. What only the responder holds is
	// among them: it cannot be in a node that both hold.
	fetched []mstItem
	theirs  map[mstItem]bool // the same; true once it turned up here, too
	shared  map[link]bool    // nodes of both, above which they differ
}

// follow appends l to wanted if the initiator lacks the node.
func (d *mstDiff) follow(wanted []link, l link) []link {
	if l == (link{}) {
		return wanted
	}
	if _, ok := d.own.blocks[l]; ok {
		d.shared[l] = true
		return wanted
	}
	return append(wanted, l)
}

// read takes the blocks of one level, which asked names, and returns the nodes to ask
// for next. A node holds keys that no other has, so that none comes up twice.
func (d *mstDiff) read(asked []link, blocks [][]byte) (wanted []link, err error) {
	for i, block := range blocks {
		if sha256.Sum256(block) != asked[i] {
			return nil, fmt.Errorf("%w: it is not %x", errBlock, asked[i])
		}
		node, err := parseNode(block)
		if err != nil {
			return nil, err
		}
		wanted = d.follow(wanted, node.left)
		for _, e := range node.entries {
			item := mstItem{string(e.key), e.value}
			d.fetched = append(d.fetched, item)
			d.theirs[item] = false
			wanted = d.follow(wanted, e.right)
		}
	}
	return wanted, nil
}

// result returns the IDs that only the initiator and only the responder holds.
func (d *mstDiff) result() (have, need []summary.ID, err error) {
	pending := []link{d.own.root}
	for len(pending) > 0 {
		l := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if l == (link{}) || d.shared[l] {
			continue
		}
		node, err := parseNode(d.own.blocks[l])
		if err != nil {
			return nil, nil, err
		}
		pending = append(pending, node.left)
		for _, e := range node.entries {
			item := mstItem{string(e.key), e.value}
			if _, ok := d.theirs[item]; ok {
				d.theirs[item] = true
			} else {
				have = append(have, e.value)
			}
			pending = append(pending, e.right)
		}
	}
	for _, item := range d.fetched {
		if !d.theirs[item] {
			need = append(need, item.value)
		}
	}
	return have, need, nil
}
