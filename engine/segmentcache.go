package engine

import (
	"container/list"
	"slices"
	"sync"

	"github.com/dwn-sync/dwnsync/filters"
)

// DefaultSegmentBytes is a size for a SegmentCache that serves some hundred views.
const DefaultSegmentBytes = 64 << 20

// segmentOverhead is counted for each filter in a SegmentCache besides its bytes.
const segmentOverhead = 512

// SegmentCache keeps the segmented filters that initiators sent to a responder, so
// that the next sync of each sends only what has changed. Losing one costs a round
// and the bytes of a whole filter. It is bounded, in all and to four filters for each
// view: the least recently used filter goes first. It is safe for concurrent use.
type SegmentCache struct {
	maxBytes int64

	mu      sync.Mutex
	size    int64
	byUse   *list.List // of *cached, the most recently used first
	entries map[segmentName]*list.Element
	views   map[segmentView][]uint64 // the generations of each, the most recently used last
}

// maxGenerations is how many filters of one view are kept: one for each of the nodes
// that a tenant is likely to have.
const maxGenerations = 4

// segmentView is what filters are kept for: an owner's items under one salt, which
// follows from the view's label and the epoch's secret.
type segmentView struct {
	owner string
	salt  filters.Salt
}

type segmentName struct {
	segmentView
	generation uint64
}

type cached struct {
	name   segmentName
	filter *filters.SegmentedFilter
	size   int64
}

// NewSegmentCache returns a cache of filters whose encodings, and some hundred bytes
// for each, take at most maxBytes.
func NewSegmentCache(maxBytes int64) *SegmentCache {
	return &SegmentCache{
		maxBytes: maxBytes, byUse: list.New(),
		entries: map[segmentName]*list.Element{}, views: map[segmentView][]uint64{},
	}
}

func costOf(f *filters.SegmentedFilter) int64 { return segmentOverhead + int64(f.Memory()) }

// get returns the filter of that generation, if it is kept, and the generation that
// was used last, 0 for none. A nil cache keeps nothing.
func (c *SegmentCache) get(view segmentView, generation uint64) (*filters.SegmentedFilter, uint64) {
	if c == nil {
		return nil, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.entries[segmentName{view, generation}]
	if element == nil {
		return nil, c.latest(view)
	}
	c.byUse.MoveToFront(element)
	c.use(view, generation)
	return element.Value.(*cached).filter, generation
}

func (c *SegmentCache) latest(view segmentView) uint64 {
	kept := c.views[view]
	if len(kept) == 0 {
		return 0
	}
	return kept[len(kept)-1]
}

// use notes that a generation is the most recently used one of its view.
func (c *SegmentCache) use(view segmentView, generation uint64) {
	c.views[view] = append(c.without(view, generation), generation)
}

// without returns the generations of a view but one.
func (c *SegmentCache) without(view segmentView, generation uint64) []uint64 {
	return slices.DeleteFunc(c.views[view], func(g uint64) bool { return g == generation })
}

// put keeps f, also instead of one of its generation, and returns its generation, or
// 0 where it is empty or too large to be kept.
func (c *SegmentCache) put(view segmentView, f *filters.SegmentedFilter) uint64 {
	generation := f.Generation()
	if c == nil || generation == 0 {
		return 0
	}
	entry := &cached{segmentName{view, generation}, f, costOf(f)}
	if entry.size > c.maxBytes {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.entries[entry.name]; other != nil {
		c.drop(other)
	}
	c.entries[entry.name] = c.byUse.PushFront(entry)
	c.size += entry.size
	c.use(view, generation)
	if kept := c.views[view]; len(kept) > maxGenerations {
		c.drop(c.entries[segmentName{view, kept[0]}])
	}
	for c.size > c.maxBytes {
		c.drop(c.byUse.Back())
	}
	return generation
}

// drop forgets a filter.
func (c *SegmentCache) drop(element *list.Element) {
	entry := c.byUse.Remove(element).(*cached)
	delete(c.entries, entry.name)
	view := entry.name.segmentView
	if c.views[view] = c.without(view, entry.name.generation); len(c.views[view]) == 0 {
		delete(c.views, view)
	}
	c.size -= entry.size
}
