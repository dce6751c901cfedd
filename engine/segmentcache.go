package engine

import (
	"container/list"
	"sync"

	"github.com/dwn-sync/dwnsync/filters"
)

// DefaultSegmentBytes is a size for a SegmentCache that serves some hundred views.
const DefaultSegmentBytes = 64 << 20

// segmentOverhead is counted for each filter in a SegmentCache besides its bytes.
const segmentOverhead = 512

// SegmentCache keeps the segmented filters that initiators sent to a responder, so
// that the next sync of each sends only what has changed. Losing one costs a round
// and the bytes of a whole filter. It is bounded: the least recently used filter goes
// first. It is safe for concurrent use.
type SegmentCache struct {
	maxBytes int64

	mu      sync.Mutex
	size    int64
	byUse   *list.List // of *cached, the most recently used first
	entries map[segmentName]*list.Element
	latest  map[segmentView]uint64 // the generation of a view that was used last
}

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
		entries: map[segmentName]*list.Element{}, latest: map[segmentView]uint64{},
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
		return nil, c.latest[view]
	}
	c.byUse.MoveToFront(element)
	c.latest[view] = generation
	return element.Value.(*cached).filter, generation
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
	c.latest[view] = generation
	for c.size > c.maxBytes {
		c.drop(c.byUse.Back())
	}
	return generation
}

// drop forgets a filter. The one that was used last of its view is the last to go.
func (c *SegmentCache) drop(element *list.Element) {
	entry := c.byUse.Remove(element).(*cached)
	delete(c.entries, entry.name)
	if c.latest[entry.name.segmentView] == entry.name.generation {
		delete(c.latest, entry.name.segmentView)
	}
	c.size -= entry.size
}
