package summaries

import "container/list"

// lru holds views by their last use and knows what they take. It is used under
// the lock of its Keeper.
type lru struct {
	most, size int64
	// fair says that an owner loses a view only if all of its views take more than
	// its even share of most. Else the view that was used last is never the victim.
	fair   bool
	byUse  *list.List       // of *kept, the most recently used first
	owners map[string]int64 // what the views of each take
}

func newLRU(most int64, fair bool) *lru {
	return &lru{most: most, fair: fair, byUse: list.New(), owners: make(map[string]int64)}
}

// use makes v the most recently used, with the size that it has now. What was
// dropped stays so.
func (l *lru) use(v *kept, size int64) {
	if v.dropped {
		return
	}
	if v.place == nil {
		v.place = l.byUse.PushFront(v)
	}
	l.byUse.MoveToFront(v.place)
	l.size += size - v.counted
	l.owners[v.did] += size - v.counted
	v.counted = size
}

// drop takes v out. Who still uses it may go on.
func (l *lru) drop(v *kept) {
	v.dropped = true
	if v.place == nil {
		return
	}
	l.byUse.Remove(v.place)
	v.place = nil
	l.size -= v.counted
	if l.owners[v.did] -= v.counted; l.owners[v.did] == 0 {
		delete(l.owners, v.did)
	}
	v.counted = 0
}

// victim returns the view to drop next, nil if none has to go: the least recently
// used, with fairness among those of owners above their share. There is such an owner,
// because all shares together are no more than most.
func (l *lru) victim() *kept {
	if l.size <= l.most {
		return nil
	}
	if !l.fair && l.byUse.Len() < 2 {
		return nil
	}
	for place := l.byUse.Back(); place != nil; place = place.Prev() {
		v := place.Value.(*kept)
		if !l.fair || l.owners[v.did]*int64(len(l.owners)) > l.most {
			return v
		}
	}
	return nil
}

func (l *lru) all() []*kept {
	var views []*kept
	for place := l.byUse.Front(); place != nil; place = place.Next() {
		views = append(views, place.Value.(*kept))
	}
	return views
}
