package summary

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// smallSet returns a refined set of n items.
func smallSet(tb testing.TB, secret [32]byte, n int) *Set {
	tb.Helper()
	s, err := NewSet(secret, SetOptions{Leaf: 4})
	if err != nil {
		tb.Fatal(err)
	}
	var items []SetItem
	for i := range n {
		items = append(items, SetItem{Key: Key{Time: int64(i), ID: ID{byte(i)}}, Position: uint32(i + 1)})
	}
	if err := s.Build(items); err != nil {
		tb.Fatal(err)
	}
	s.SetPosition(uint64(n))
	return s
}

// TestDiffers: every part that is damaged is named, and no other.
func TestDiffers(t *testing.T) {
	secret := [32]byte{5}
	for want, damage := range map[Part]func(*Set){
		"":             func(*Set) {},
		PartParams:     func(s *Set) { s.opt.Leaf++ },
		PartPosition:   func(s *Set) { s.position++ },
		PartRoot:       func(s *Set) { s.tree.root.fingerprint[7]++ },
		PartTree:       func(s *Set) { s.tree.root.node.children[1].fingerprint[0]++ },
		PartTable:      func(s *Set) { s.table.Insert(4) },
		PartEstimators: func(s *Set) { s.estimators.Insert(9) },
		PartIndex: func(s *Set) {
			for short, position := range s.index.EntryAll() {
				s.index.Remove(short, position)
				s.index.Insert(short, 12345)
				return
			}
		},
	} {
		s := smallSet(t, secret, 50)
		damage(s)
		if got, err := s.Differs(smallSet(t, secret, 50)); got != want || err != nil {
			t.Errorf("got %q, want %q (%v)", got, want, err)
		}
	}
	// A table that once was larger is compared all the same.
	s := smallSet(t, secret, 50)
	s.table.Grow(s.index.All(), 1<<20)
	if got, err := s.Differs(smallSet(t, secret, 50)); got != "" || err != nil || s.table.Cells() <= minTableCells {
		t.Errorf("a larger table: %q (%v)", got, err)
	}
}

// TestRemoveMismatch: an item that the index has and the tree has not is not taken for
// absent: somebody who removes twice may ignore that.
func TestRemoveMismatch(t *testing.T) {
	secret, item := [32]byte{5}, Key{ID: ID{0}}
	for name, damage := range map[string]func(*Set) error{
		"no leaf":      func(s *Set) error { return s.tree.Remove(item, s.expander.Fingerprint(item)) },
		"another item": func(s *Set) error { s.tree.root.fingerprint[3]++; return nil },
	} {
		s := smallSet(t, secret, 1)
		if err := damage(s); err != nil {
			t.Fatal(err)
		}
		before := s.AppendBinary(nil)
		err := s.Remove(item, func(uint32) (bool, error) { return true, nil })
		if !errors.Is(err, ErrMismatch) || errors.Is(err, ErrAbsent) {
			t.Errorf("%s: got %v, want %v", name, err, ErrMismatch)
		}
		if !slices.Equal(s.AppendBinary(nil), before) {
			t.Errorf("%s: the set has changed", name)
		}
	}
}

// TestDecodeSetRefuses: no byte can be changed, added or left out, and what has a
// right tag over wrong contents is refused too.
func TestDecodeSetRefuses(t *testing.T) {
	secret := [32]byte{6}
	form := smallSet(t, secret, 9).AppendBinary(nil)
	if _, err := DecodeSet(secret, form); err != nil {
		t.Fatal(err)
	}
	refuse := func(name string, secret [32]byte, form []byte) {
		t.Helper()
		if _, err := DecodeSet(secret, form); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v, want %v", name, err, ErrEncoding)
		}
	}
	for at := 0; at < len(form); at += 1 + at/200 {
		damaged := slices.Clone(form)
		damaged[at] ^= 0x10
		refuse("damaged byte", secret, damaged)
		refuse("cut short", secret, form[:at])
	}
	refuse("too long", secret, append(slices.Clone(form), 0))
	refuse("another secret", [32]byte{7}, form)
	body := form[:len(form)-setTag]
	lengths := 4 + 4 + 2*8
	for name, change := range map[string]func(body []byte) []byte{
		"version":          func(b []byte) []byte { b[0]++; return b },
		"widths":           func(b []byte) []byte { b[1] = 65; return b },
		"other widths":     func(b []byte) []byte { b[1]--; return b },
		"no widths":        func(b []byte) []byte { b[1] = 0; return b },
		"reserved":         func(b []byte) []byte { b[3] = 1; return b },
		"leaf":             func(b []byte) []byte { b[4]++; return b },
		"huge leaf":        func(b []byte) []byte { b[7] = 0xff; return b },
		"count":            func(b []byte) []byte { b[16]++; return b },
		"huge part":        func(b []byte) []byte { b[lengths+7] = 0xff; return b },
		"shifted part":     func(b []byte) []byte { b[lengths]++; return b },
		"trailing":         func(b []byte) []byte { return append(b, 0) },
		"another's tree":   func(b []byte) []byte { return withPart(b, 0, smallSet(t, secret, 8).tree.AppendBinary(nil)) },
		"another's index":  func(b []byte) []byte { return withPart(b, 3, smallSet(t, secret, 8).index.AppendBinary(nil)) },
		"no estimators":    func(b []byte) []byte { return withPart(b, 2, nil) },
		"table cut":        func(b []byte) []byte { return withPart(b, 1, []byte{1, 48, 24}) },
		"index for a tree": func(b []byte) []byte { return withPart(b, 0, smallSet(t, secret, 9).index.AppendBinary(nil)) },
	} {
		changed := change(slices.Clone(body))
		refuse(name, secret, appendSetTag(changed, secret, changed))
	}
}

// withPart returns the body of a set with another part in the place of one.
func withPart(body []byte, part int, other []byte) []byte {
	lengths := body[24:setHead]
	at := setHead
	for i := range part {
		at += int(binary.LittleEndian.Uint64(lengths[8*i:]))
	}
	end := at + int(binary.LittleEndian.Uint64(lengths[8*part:]))
	binary.LittleEndian.PutUint64(lengths[8*part:], uint64(len(other)))
	return slices.Concat(body[:at], other, body[end:])
}

// FuzzDecodeSet: whatever is under a right tag is refused or encodes to itself, and
// takes memory for bytes that are there.
func FuzzDecodeSet(f *testing.F) {
	secret := [32]byte{1}
	for _, n := range []int{0, 1, 5, 20} {
		form := smallSet(f, secret, n).AppendBinary(nil)
		f.Add(form[:len(form)-setTag])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		form := appendSetTag(slices.Clone(body), secret, body)
		s, err := DecodeSet(secret, form)
		if err != nil {
			if !errors.Is(err, ErrEncoding) {
				t.Fatal(err)
			}
			return
		}
		if !slices.Equal(s.AppendBinary(nil), form) {
			t.Error("a set encodes to other bytes than it came from")
		}
	})
}
