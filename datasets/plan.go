package datasets

// window is how many messages after its initial write a record may still be
// changed, deleted or given children. It bounds what has to be remembered, and how
// far one has to look ahead to know whether a message will be retained.
const window = 256

// kind is what a message does to its record.
type kind uint8

const (
	configure kind = iota // the protocol, no record
	begin                 // the initial write
	change                // a write with other data
	retag                 // a write with other tags and the same data, not sent again
	remove                // a delete
	prune                 // a delete with all descendants
)

// form is the place of a record.
type form uint8

const (
	flat form = iota
	page
	attachment // of a page
	comment    // on a page
	reply      // to a comment
)

// step is one message before it is made. Records are named by the index of the
// message that begins them.
type step struct {
	kind     kind
	form     form
	record   int
	retained bool

	// The state of the record in the planner's eyes, in the step that begins it.
	parent   int // -1 if it has none
	children int // that are alive
	latest   int // its latest write
	dead     bool
}

// planner decides what each message is, and from what follows it whether it will be
// retained. It never deletes a record without its living descendants: a reference
// node would then hold children that no other such node admits.
type planner struct {
	settings
	random random
	steps  [2 * window]step // those of index next-window to next-1 are valid
	next   int
}

// at returns the step of a message that is still in the window.
func (p *planner) at(i int) *step { return &p.steps[i%len(p.steps)] }

// step returns what message i is. It must be called with 0, 1, 2 and so on.
func (p *planner) step(i int) step {
	for p.next < p.n && p.next <= i+window {
		p.plan()
		p.next++
	}
	return *p.at(i)
}

// plan decides on the message of index next.
func (p *planner) plan() {
	s := p.at(p.next)
	*s = step{kind: begin, record: p.next, latest: p.next, parent: -1, retained: true}
	if p.next == 0 {
		s.kind, s.record = configure, -1
		return
	}
	dice := p.random.below(wholeShare)
	switch {
	case dice < p.deletes:
		if i, ok := p.find(func(*step) bool { return true }); ok {
			p.remove(s, i)
			return
		}
	case dice < p.deletes+p.updates:
		if i, ok := p.find(func(*step) bool { return true }); ok {
			p.change(s, i)
			return
		}
	}
	if p.random.share(p.protocol) {
		p.place(s)
	}
}

// find returns a living record in the window that ok takes. It looks at a few at
// random, so that a window without any costs no search.
func (p *planner) find(ok func(*step) bool) (int, bool) {
	for range 16 {
		i := p.next - 1 - int(p.random.below(int64(min(window, p.next))))
		if s := p.at(i); s.kind == begin && !s.dead && ok(s) {
			return i, true
		}
	}
	return 0, false
}

// place makes s begin a record in the protocol: half of them pages, and pages
// where there is no parent for another.
func (p *planner) place(s *step) {
	s.form = page
	place := pick(p.random, []form{page, page, page, page, attachment, attachment, comment, reply})
	if place == page {
		return
	}
	parent := page
	if place == reply {
		parent = comment
	}
	if i, ok := p.find(func(s *step) bool { return s.form == parent }); ok {
		s.form, s.parent = place, i
		p.at(i).children++
	}
}

// change makes s the latest write of record i.
func (p *planner) change(s *step, i int) {
	record := p.at(i)
	s.kind, s.form, s.record = change, record.form, i
	if p.random.chance(4) {
		s.kind = retag
	}
	p.supersede(record, i)
	record.latest = p.next
}

// remove makes s the delete of record i.
func (p *planner) remove(s *step, i int) {
	record := p.at(i)
	s.kind, s.form, s.record = remove, record.form, i
	if record.children > 0 {
		s.kind = prune
		p.purge(i)
	}
	p.supersede(record, i)
	record.dead = true
	if record.parent >= max(0, p.next-window) {
		p.at(record.parent).children--
	}
}

// supersede gives up the latest write of record i, unless that is the initial one.
func (p *planner) supersede(record *step, i int) {
	if record.latest != i {
		p.at(record.latest).retained = false
	}
}

// purge gives up all messages of the descendants of record i. All came after it,
// and so are in the window; parents came before their children, so a child's parent
// is given up before the child is looked at. Nothing else gives up an initial write.
func (p *planner) purge(i int) {
	for j := i + 1; j < p.next; j++ {
		s := p.at(j)
		if s.record <= i {
			continue
		}
		record := p.at(s.record)
		if parent := record.parent; parent == i || parent > i && !p.at(parent).retained {
			record.dead, s.retained = true, false
		}
	}
}
