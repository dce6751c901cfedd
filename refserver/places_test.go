package refserver

import "testing"

// TestPlaces: one tenant never has all places, and what is left is taken again.
func TestPlaces(t *testing.T) {
	p := newPlaces(32)
	taken := 0
	for p.take("greedy") {
		taken++
	}
	if taken != 4 {
		t.Errorf("one tenant has %d places of 32, want 4", taken)
	}
	for i := range 28 {
		if !p.take(string(rune('a' + i))) {
			t.Fatalf("tenant %d has no place beside a greedy one", i)
		}
	}
	if p.take("late") {
		t.Error("33 places of 32")
	}
	p.leave("greedy")
	if !p.take("late") || p.take("greedy") {
		t.Error("the place that was left went to nobody, or twice")
	}
	if one := newPlaces(1); !one.take("a") || one.take("b") {
		t.Error("a single place is not one")
	}
}
