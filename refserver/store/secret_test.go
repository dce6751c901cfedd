package store

import "testing"

// TestBeats checks, over all pairs of a small set, that exactly one of two
// different secrets wins and that the winner of many does not depend on order.
func TestBeats(t *testing.T) {
	var all []Secret
	for generation := range uint64(3) {
		for id := range byte(3) {
			for key := range byte(2) {
				all = append(all, Secret{Generation: generation, ID: [16]byte{15: id}, Key: [32]byte{31: key}})
			}
		}
	}
	want := Secret{Generation: 2}
	for _, a := range all {
		for _, b := range all {
			if wins := a.Beats(b); wins == b.Beats(a) && a != b || wins && a == b {
				t.Errorf("%v and %v: both or neither win", a, b)
			}
		}
		if a != want && !want.Beats(a) {
			t.Errorf("%v does not beat %v", want, a)
		}
	}
}
