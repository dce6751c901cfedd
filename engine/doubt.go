package engine

import (
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// doubt is the part of all items that a segmented filter has not settled: those
// whose segment keys lie in some intervals. It is a hint: whoever makes it wrong
// costs rounds.
type doubt struct {
	key       keyFunc // segment keys under the salt of told
	intervals filters.Intervals
	told      wire.Within // as it travels
}

func newDoubt(key keyFunc, salt filters.Salt, intervals filters.Intervals) *doubt {
	return &doubt{key, intervals, wire.Within{Salt: salt, Intervals: intervals.AppendTo(nil)}}
}

func (d *doubt) contains(k Key) bool { return d.intervals.Contains(d.key(k)) }

// of returns those of keys that are in doubt, and their places in keys.
func (d *doubt) of(keys []Key) (inside []Key, places []int) {
	for i, k := range keys {
		if d.contains(k) {
			inside, places = append(inside, k), append(places, i)
		}
	}
	return inside, places
}

// within is of without places; nil is all of keys.
func (d *doubt) within(keys []Key) []Key {
	if d == nil {
		return keys
	}
	inside, _ := d.of(keys)
	return inside
}

// wire returns d as it travels.
func (d *doubt) wire() *wire.Within {
	if d == nil {
		return nil
	}
	return &d.told
}

func parseDoubt(w wire.Within, hash hashFunc) (*doubt, error) {
	if len(w.Intervals) > wire.MaxIntervals {
		return nil, fmt.Errorf("%w: intervals of %d bytes, at most %d", wire.ErrTooLarge, len(w.Intervals), wire.MaxIntervals)
	}
	intervals, err := filters.DecodeIntervals(w.Intervals, filters.Limits{})
	if err != nil {
		return nil, err
	}
	return &doubt{segmentedBy(hash, w.Salt), intervals, w}, nil
}
