package baseline

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// checkExact reconciles two sets and compares what was found with a map of both.
func checkExact(t *testing.T, here, there []summary.Key) Outcome {
	t.Helper()
	out, err := Negentropy{}.Prepare(here).Reconcile(Negentropy{}.Prepare(there))
	if err != nil {
		t.Fatal(err)
	}
	only := make(map[summary.ID]int) // 1 here, 2 there, 3 both
	for _, k := range here {
		only[k.ID] |= 1
	}
	for _, k := range there {
		only[k.ID] |= 2
	}
	for side, found := range [][]summary.ID{out.Have, out.Need} {
		for _, id := range found {
			if only[id] != side+1 {
				t.Fatalf("%x found on side %d, held by %d; here %v there %v", id, side+1, only[id], here, there)
			}
			delete(only, id) // a second time it is wrong
		}
	}
	for id, sides := range only {
		if sides != 3 {
			t.Fatalf("%x not found, held by %d; here %v there %v", id, sides, here, there)
		}
	}
	return out
}

// TestNegentropyAllSmall: all pairs of subsets of six keys, at four ways that six times
// and IDs may lie.
func TestNegentropyAllSmall(t *testing.T) {
	for _, times := range [][6]int64{{0, 1, 2, 3, 4, 5}, {7, 7, 7, 7, 7, 7}, {0, 0, 1, 1, 1, math.MaxInt64}, {1 << 20, 1 << 21, 1 << 40, 1 << 40, 1 << 60, 1 << 62}} {
		var keys [6]summary.Key
		for i := range keys {
			keys[i] = summary.Key{Time: times[i], ID: summary.ID{31: 1}}
			keys[i].ID[6*i] = byte(1 + i)
		}
		slices.SortFunc(keys[:], summary.Key.Compare)
		subset := func(mask int) (of []summary.Key) {
			for i, k := range keys {
				if mask>>i&1 == 1 {
					of = append(of, k)
				}
			}
			return of
		}
		for pair := range 1 << 12 {
			checkExact(t, subset(pair&63), subset(pair>>6))
		}
	}
}

// TestNegentropyRandom: sets of hundreds of keys, dense in few times and prefixes, so
// that every depth of splitting and every length of prefix comes up.
func TestNegentropyRandom(t *testing.T) {
	random := splitMix(1)
	for range 300 {
		var here, there []summary.Key
		times, lack := 1+random.below(300), 1+random.below(40)
		for i := range random.below(1500) {
			k := summary.Key{Time: int64(random.below(times)), ID: summary.ID{2: byte(i >> 8), 5: byte(i), 31: byte(random.next())}}
			in := random.below(lack + 2)
			if in != 0 {
				here = append(here, k)
			}
			if in != 1 {
				there = append(there, k)
			}
		}
		slices.SortFunc(here, summary.Key.Compare)
		slices.SortFunc(there, summary.Key.Compare)
		out := checkExact(t, here, there)
		if mirror := checkExact(t, there, here); len(mirror.Have) != len(out.Need) || len(mirror.Need) != len(out.Have) {
			t.Fatal("the other way round finds another difference")
		}
	}
}

// TestNegentropyCounts: what Reconcile counts is what crossed the wire.
func TestNegentropyCounts(t *testing.T) {
	here, there := setPair{"spread", "scattered", 10000, 100}.sides()
	want := transcribe(t, "", here, there)
	got := checkExact(t, here, there)
	if int(got.Up) != want.Up || int(got.Down) != want.Down || got.Rounds != want.Rounds {
		t.Errorf("got %d up, %d down, %d rounds, want %+v", got.Up, got.Down, got.Rounds, want)
	}
	if got.Here <= 0 || got.There <= 0 {
		t.Errorf("CPU time of %d ns here and %d ns there", got.Here, got.There)
	}
}

// TestNegentropyFingerprint: the sums of a prepared side give what adding up gives.
func TestNegentropyFingerprint(t *testing.T) {
	keys, _ := setPair{"carries", "equal", 100, 0}.sides()
	side := Negentropy{}.Prepare(keys).(*rangeSide)
	for lo := range keys {
		for hi := lo; hi <= len(keys); hi += 7 {
			var words [4]uint64
			for _, k := range keys[lo:hi] {
				carry := uint64(0)
				for w := range words {
					words[w], carry = bits.Add64(words[w], binary.LittleEndian.Uint64(k.ID[8*w:]), carry)
				}
			}
			var sum []byte
			for _, w := range words {
				sum = binary.LittleEndian.AppendUint64(sum, w)
			}
			if want, got := shortHash(append(sum, byte(hi-lo))), side.fingerprint(lo, hi); got != want {
				t.Fatalf("[%d:%d] got %x, want %x", lo, hi, got, want)
			}
		}
	}
}

func TestNegentropyRefuses(t *testing.T) {
	good := Negentropy{}.Prepare([]summary.Key{{Time: 1}})
	if _, err := good.Reconcile(Negentropy{}.Prepare([]summary.Key{{Time: -1}})); !errors.Is(err, ErrTimestamp) {
		t.Errorf("a negative time there: %v", err)
	}
	if _, err := (Negentropy{}.Prepare([]summary.Key{{Time: -1}})).Reconcile(good); !errors.Is(err, ErrTimestamp) {
		t.Errorf("a negative time here: %v", err)
	}
	if _, err := good.Reconcile(stranger{}); err == nil {
		t.Error("a side of another system is taken")
	}
}

// stranger is a side of another system.
type stranger struct{}

func (stranger) Reconcile(Side) (Outcome, error) { return Outcome{}, nil }

func TestNegentropyMessages(t *testing.T) {
	id := bytes.Repeat([]byte{5}, idSize)
	for _, c := range []struct {
		name string
		msg  []byte
		ok   bool
	}{
		{"nothing", nil, false},
		{"version 0", []byte{0x60}, false},
		{"version 2", []byte{0x62}, false},
		{"no range", []byte{0x61}, true},
		{"skip to infinity", []byte{0x61, 0, 0, 0}, true},
		{"skip to 0 with an empty prefix", []byte{0x61, 1, 0, 0}, true},
		{"the same bound twice", []byte{0x61, 2, 1, 9, 0, 1, 1, 9, 0}, true},
		{"a bound below the last", []byte{0x61, 2, 1, 9, 0, 1, 1, 8, 0}, false},
		{"a range beyond infinity", []byte{0x61, 0, 0, 0, 0, 0, 0}, false},
		{"infinity with a prefix", []byte{0x61, 0, 1, 9, 0}, false},
		{"a prefix of 33 bytes", append([]byte{0x61, 2, 33}, make([]byte, 33+1)...), false},
		{"a prefix of 32 bytes", append([]byte{0x61, 2, 32}, make([]byte, 32+1)...), true},
		{"a prefix cut short", []byte{0x61, 2, 3, 9, 9}, false},
		{"mode 3", []byte{0x61, 0, 0, 3}, false},
		{"no mode", []byte{0x61, 0, 0}, false},
		{"a number without an end", []byte{0x61, 0x81, 0x80}, false},
		{"a number with leading zeros", []byte{0x61, 0x80, 0x01, 0, 0}, false},
		{"2^64 - 1, whose time is reserved", []byte{0x61, 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0}, true},
		{"2^64", []byte{0x61, 0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0, 0}, false},
		{"times that add up to 2^64 - 1", []byte{0x61, 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 2, 0, 0}, false},
		{"a fingerprint cut short", append([]byte{0x61, 0, 0, 1}, id[:15]...), false},
		{"a fingerprint", append([]byte{0x61, 0, 0, 1}, id[:16]...), true},
		{"2^26 IDs claimed", []byte{0x61, 0, 0, 2, 0xa0, 0x80, 0x80, 0x00}, false},
		{"2^60 IDs claimed", []byte{0x61, 0, 0, 2, 0x90, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, false},
		{"one ID", append([]byte{0x61, 0, 0, 2, 1}, id...), true},
		{"one ID cut short", append([]byte{0x61, 0, 0, 2, 1}, id[1:]...), false},
		{"bytes behind infinity", append(append([]byte{0x61, 0, 0, 2, 1}, id...), 1), false},
	} {
		side := Negentropy{}.Prepare([]summary.Key{{Time: 1}}).(*rangeSide)
		if _, err := side.answer(c.msg); c.ok != (err == nil) || err != nil && !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	side := Negentropy{}.Prepare(nil).(*rangeSide)
	twice := append(append([]byte{0x61, 0, 0, 2, 2}, id...), id...)
	if _, err := side.advance(twice, new(Outcome)); !errors.Is(err, ErrMessage) {
		t.Errorf("an ID twice in a list: %v", err)
	}
}

// FuzzNegentropyMessage: whatever the bytes, a side answers with an error or with a
// message that reads to its end and whose length is bounded by its keys and the bytes.
func FuzzNegentropyMessage(f *testing.F) {
	here, there := setPair{"instant", "scattered", 600, 20}.sides()
	a, b := Negentropy{}.Prepare(here).(*rangeSide), Negentropy{}.Prepare(there).(*rangeSide)
	query := a.initiate()
	for range 2 {
		reply, err := b.answer(query)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(query)
		f.Add(reply)
		if query, err = a.advance(reply, new(Outcome)); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		var found Outcome
		for _, step := range []func() ([]byte, error){
			func() ([]byte, error) { return a.answer(msg) },
			func() ([]byte, error) { return a.advance(msg, &found) },
		} {
			answer, err := step()
			if err != nil {
				if !errors.Is(err, ErrMessage) {
					t.Fatal(err)
				}
				continue
			}
			if most := 64*len(here) + 20*len(msg) + 64; len(answer) > most {
				t.Fatalf("%d bytes answered with %d, at most %d", len(msg), len(answer), most)
			}
			reader, err := newMessageReader(answer)
			for err == nil && reader.more() {
				_, err = reader.next()
			}
			if err != nil {
				t.Fatal("our own answer:", err)
			}
		}
		if len(found.Have) > len(here) || len(found.Need) > len(msg)/idSize {
			t.Fatalf("%d have, %d need", len(found.Have), len(found.Need))
		}
	})
}

func shortHash(data []byte) [fingerprintSize]byte {
	digest := sha256.Sum256(data)
	return [fingerprintSize]byte(digest[:])
}
