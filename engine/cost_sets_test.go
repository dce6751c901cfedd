package engine_test

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// costSets are two sets that keep their summaries, and how to make them as they were.
type costSets struct {
	name                string
	a, b                *enginetest.Set
	beforeA, beforeB    []engine.Key
	onlyHere, onlyThere int
	direction           engine.Direction
}

// costItem is the payload of an item: one a minute, some kilobytes apart from what matters.
func costItem(i int, whose byte) []byte {
	return enginetest.Payload(1.7e15+int64(i)*60e6, string(append(binary.BigEndian.AppendUint32(nil, uint32(i)), whose)))
}

// makeCostSets returns sets of which b has the items of 0 to n-1 that are not in notThere, and a
// those not in notHere and some of its own.
func makeCostSets(t *testing.T, name string, n int, here, there func(i int) bool, own int) *costSets {
	t.Helper()
	s := &costSets{name: name, direction: engine.Both, a: &enginetest.Set{KeepSummaries: true}, b: &enginetest.Set{KeepSummaries: true}}
	var a, b [][]byte
	for i := range n {
		if here(i) {
			a = append(a, costItem(i, 's'))
		}
		if there(i) {
			b = append(b, costItem(i, 's'))
		}
	}
	for i := range own {
		a = append(a, costItem(i*n/own, 'a'))
	}
	s.a.Add(a...)
	s.b.Add(b...)
	for _, set := range []*enginetest.Set{s.a, s.b} {
		keep(t, set, epoch(1))
	}
	s.beforeA, s.beforeB = s.a.Keys(), s.b.Keys()
	s.onlyHere, s.onlyThere = len(minusKeys(s.beforeA, s.beforeB)), len(minusKeys(s.beforeB, s.beforeA))
	return s
}

// restore takes out of the sets what a sync put there, and keeps both under another secret.
func (s *costSets) restore(t *testing.T, generation uint64) {
	t.Helper()
	s.a.Remove(minusKeys(s.a.Keys(), s.beforeA)...)
	s.b.Remove(minusKeys(s.b.Keys(), s.beforeB)...)
	secret := &engine.Secret{SecretName: wire.SecretName{Generation: generation}, Key: [32]byte{byte(generation)}}
	keep(t, s.a, secret)
	keep(t, s.b, secret)
}

// minusKeys returns the keys of a that are not in b; both ascend.
func minusKeys(a, b []engine.Key) (only []engine.Key) {
	for _, k := range a {
		if _, held := slices.BinarySearchFunc(b, k, engine.Key.Compare); !held {
			only = append(only, k)
		}
	}
	return only
}

// pair is what is known of the sets, exactly.
func (s *costSets) pair(t *testing.T) engine.Pair {
	t.Helper()
	p := engine.Pair{
		Here: uint64(len(s.beforeA)), There: uint64(len(s.beforeB)), Direction: s.direction,
		OnlyHere: float64(s.onlyHere), OnlyThere: float64(s.onlyThere),
	}
	return p.Ranged(t.Context(), viewFor(t, s.a), viewFor(t, s.b), *epoch(1))
}

func viewFor(t *testing.T, r engine.Replica) engine.View {
	t.Helper()
	v, err := r.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// all is every item, but none of d that are spread over n.
func all(int) bool { return true }

func lacking(n, d int) func(int) bool {
	if d == 0 {
		return all
	}
	lacked := map[int]bool{}
	for i := range d {
		lacked[int(math.Round((float64(i)+0.4)*float64(n)/float64(d)))] = true
	}
	return func(i int) bool { return !lacked[i] }
}

// costCases are the grid: n items, of which d differ.
func costCases(t *testing.T, n int) []*costSets {
	var cases []*costSets
	add := func(name string, here, there func(int) bool, own int) {
		cases = append(cases, makeCostSets(t, name, n, here, there, own))
	}
	for _, d := range []int{0, 1, 10, 100, 1000, 10_000} {
		if d >= n {
			continue
		}
		add("scattered/d="+strconv.Itoa(d), lacking(n, d), all, 0)
		if d < 10 {
			continue
		}
		older := lacking(n, d/20)
		recent := func(i int) bool { return older(i) && (i < n-2*d || i*19%40 >= 19) }
		add("recent/d="+strconv.Itoa(d), recent, all, 0)
		add("newest/d="+strconv.Itoa(d), func(i int) bool { return i < n-d }, all, 0)
		add("both/d="+strconv.Itoa(d), lacking(n, d/2), all, d/2)
		add("ours/d="+strconv.Itoa(d), all, lacking(n, d), 0)
	}
	add("disjoint", func(int) bool { return false }, all, n)
	add("empty here", func(int) bool { return false }, all, 0)
	add("empty there", all, func(int) bool { return false }, 0)
	return cases
}
