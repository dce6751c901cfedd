package engine

import (
	"slices"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

// maxRefusedKeys bounds the refused items that an initiator keeps in mind, some
// hundred bytes each.
const maxRefusedKeys = 1 << 16

// refused are the items of this sync that one side would not store. Those refused
// here stay part of what the initiator says it has, so that they are not sent
// again and do not hide what else is missing; those refused there are not pushed
// again. The sync can no longer be complete, but everything else still moves.
type refused struct {
	here, there map[Key]bool
}

func (r refused) any() bool { return len(r.here)+len(r.there) > 0 }

// with returns keys, which are sorted, and those refused here, sorted.
func (r refused) with(keys []Key) []Key {
	if len(r.here) == 0 {
		return keys
	}
	all := slices.Clone(keys)
	for k := range r.here {
		all = append(all, k)
	}
	slices.SortFunc(all, Key.Compare)
	return slices.Compact(all)
}

// besides returns those refused here that are not held in another way, ascending.
func (r refused) besides(held map[Key]bool) []Key {
	var besides []Key
	for k := range r.here {
		if !held[k] {
			besides = append(besides, k)
		}
	}
	slices.SortFunc(besides, Key.Compare)
	return besides
}

// pushable returns the keys that are worth pushing.
func (r refused) pushable(keys []Key) []Key {
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return r.here[k] || r.there[k] })
}

// refuseHere books a payload that was not stored here, once per item. It reports
// whether the item is one not refused before.
func (i *Initiator) refuseHere(r Receipt) (bool, error) {
	if i.refused.here[r.Key] {
		return false, nil
	}
	i.report.refused(Refusal{Here: true, Key: r.Key, Reason: wire.Printable(r.Err.Error(), maxReason)})
	if r.Key == (Key{}) {
		return false, nil
	}
	i.refused.here[r.Key] = true
	if len(i.refused.here) > maxRefusedKeys {
		return true, i.incomplete("more than %d items were refused here, the last because: %v", maxRefusedKeys, r.Err)
	}
	return true, nil
}

// refuseThere books an item that the responder did not store.
func (i *Initiator) refuseThere(k Key, reason string) {
	if !i.refused.there[k] {
		i.refused.there[k] = true
		i.report.refused(Refusal{Key: k, Reason: wire.Printable(reason, maxReason)})
	}
}
