package summary

// Snapshot is what a Set says of its view at one moment. It never changes and is
// safe for concurrent use.
type Snapshot struct {
	position   uint64
	tree       *Tree
	table      *Table
	coder      Coder
	estimators Estimators
}

// Snapshot returns the summaries as they are now, without the index. It copies the
// estimators, a kilobyte, and pointers to the pages of the table, 4.6 kB at 10^6 items.
// What else it has it shares with the Set; see Size.
func (s *Set) Snapshot() *Snapshot {
	return &Snapshot{
		position: s.position, tree: s.tree.Snapshot(), table: s.table.Snapshot(),
		coder: s.expander.Cells(), estimators: s.estimators,
	}
}

// Root returns count and fingerprint of the view.
func (s *Snapshot) Root() Root { return s.tree.Root() }

// Position returns the position of the arrival log that the snapshot is of.
func (s *Snapshot) Position() uint64 { return s.position }

// Tree returns the fingerprint tree. It must not be changed.
func (s *Snapshot) Tree() *Tree { return s.tree }

// Params returns the widths of short IDs and checks.
func (s *Snapshot) Params() Params { return s.coder.params }

// Coder returns what maps the view's short IDs to cells.
func (s *Snapshot) Coder() Coder { return s.coder }

// Cells returns the number of cells of the whole table.
func (s *Snapshot) Cells() int { return s.table.Cells() }

// Sketch returns the view's sketch in so many cells, at least 16 and at most Cells:
// ErrParams otherwise. The caller owns it.
func (s *Snapshot) Sketch(cells int) (*Sketch, error) { return s.table.Fold(cells) }

// Estimator returns the estimator to send to a peer, and its level.
func (s *Snapshot) Estimator() (level int, e Estimator) {
	return s.estimators.For(s.tree.Root().Count)
}

// Estimators returns the estimators of all levels.
func (s *Snapshot) Estimators() Estimators { return s.estimators }
