package summaries

import "container/list"

// shelf holds views by their last use and knows what they take. It is used under
// the lock of its Keeper.
type shelf struct {
	most, size int64
	// fair says that an owner loses a view only if all of its views take more than
	// its even share of most. Else the view that was used last is never the victim.
	fair   bool
	byUse  *list.List       // of *kept, the most recently used first
	owners map[string]int64 // what the views of each take
}

func newShelf(most int64, fair bool) *shelf {
	return &shelf{most: most, fair: fair, byUse: list.New(), owners: make(map[string]int64)}
}

// use makes v the most recently used, with the size that it has now. What was
// dropped stays so.
func (s *shelf) use(v *kept, size int64) {
	if v.dropped {
		return
	}
	if v.place == nil {
		v.place = s.byUse.PushFront(v)
	}
	s.byUse.MoveToFront(v.place)
	s.size += size - v.counted
	s.owners[v.did] += size - v.counted
	v.counted = size
}

// drop takes v out. Who still uses it may go on.
func (s *shelf) drop(v *kept) {
	v.dropped = true
	if v.place == nil {
		return
	}
	s.byUse.Remove(v.place)
	v.place = nil
	s.size -= v.counted
	if s.owners[v.did] -= v.counted; s.owners[v.did] == 0 {
		delete(s.owners, v.did)
	}
	v.counted = 0
}

// victim returns the view to drop next, nil if none has to go: the least recently
// used, with fairness among those of owners above their share. There is such an owner,
// because all shares together are no more than most.
func (s *shelf) victim() *kept {
	if s.size <= s.most {
		return nil
	}
	if !s.fair && s.byUse.Len() < 2 {
		return nil
	}
	for place := s.byUse.Back(); place != nil; place = place.Prev() {
		v := place.Value.(*kept)
		if !s.fair || s.owners[v.did]*int64(len(s.owners)) > s.most {
			return v
		}
	}
	return nil
}

func (s *shelf) all() []*kept {
	var views []*kept
	for place := s.byUse.Front(); place != nil; place = place.Next() {
		views = append(views, place.Value.(*kept))
	}
	return views
}
