package summary

// Part names one of the summaries of a Set.
type Part string

// The parts of a Set, in the order in which Differs compares them.
const (
	PartParams     Part = "parameters"
	PartPosition   Part = "position"
	PartRoot       Part = "root"
	PartTree       Part = "tree"
	PartTable      Part = "table"
	PartEstimators Part = "estimators"
	PartIndex      Part = "index"
)

// Differs returns the first part in which s and t are not summaries of the same
// items at the same positions, and "" where all agree. Both have to be refined. Tables
// of different sizes are compared in the smaller one: a Set that lost items keeps
// its large one. It takes about a microsecond per item.
func (s *Set) Differs(t *Set) (Part, error) {
	switch {
	case s.secret != t.secret || s.opt != t.opt:
		return PartParams, nil
	case s.position != t.position:
		return PartPosition, nil
	case s.Root() != t.Root():
		return PartRoot, nil
	case !sameBranches(&s.tree.root, &t.tree.root):
		return PartTree, nil
	}
	if same, err := sameTables(s.table, t.table); err != nil || !same {
		return PartTable, err
	}
	switch {
	case s.estimators != t.estimators:
		return PartEstimators, nil
	case !sameIndexes(s.index, t.index):
		return PartIndex, nil
	}
	return "", nil
}

// sameBranches compares two trees node by node.
func sameBranches(a, b *branch) bool {
	switch {
	case a.root() != b.root() || (a.node == nil) != (b.node == nil):
		return false
	case a.node == nil:
		return true
	}
	return a.node.bucket == b.node.bucket &&
		sameBranches(&a.node.children[0], &b.node.children[0]) &&
		sameBranches(&a.node.children[1], &b.node.children[1])
}

func sameTables(t, u *Table) (bool, error) {
	cells := min(t.Cells(), u.Cells())
	a, err := t.Fold(cells)
	if err != nil {
		return false, err
	}
	b, err := u.Fold(cells)
	if err != nil {
		return false, err
	}
	return a.Equal(b), nil
}

// sameIndexes reports whether every entry of one index is in the other, and they
// have as many.
func sameIndexes(t, u *Index) bool {
	if t.Len() != u.Len() {
		return false
	}
	for short, position := range t.EntryAll() {
		if u.find(u.slot(short), short, position) < 0 {
			return false
		}
	}
	return true
}
