package refserver

import "testing"

// TestPlaces: one tenant never has all places, and what is left is taken again.
func TestPlaces(t *testing.T) {
	p := newPlaces(32)
	taken := 0
	for p.take("greedy", false) {
		taken++
	}
	if taken != 4 {
		t.Errorf("one tenant has %d places of 32, want 4", taken)
	}
	for i := range 28 {
		if !p.take(string(rune('a'+i)), false) {
			t.Fatalf("tenant %d has no place beside a greedy one", i)
		}
	}
	if p.take("late", false) {
		t.Error("33 places of 32")
	}
	p.leave("greedy", false)
	if !p.take("late", false) || p.take("greedy", false) {
		t.Error("the place that was left went to nobody, or twice")
	}
	if one := newPlaces(1); !one.take("a", false) || one.take("b", false) {
		t.Error("a single place is not one")
	}
}

// TestPlacesOfGrantees: grantees keep no tenant out of its own node, where it has more than
// one place, and what they leave is taken again.
func TestPlacesOfGrantees(t *testing.T) {
	p := newPlaces(32)
	for i := range 4 {
		if p.take("tenant", true) != (i < 2) {
			t.Errorf("place %d of the grantees", i)
		}
	}
	for i := range 3 {
		if p.take("tenant", false) != (i < 2) {
			t.Errorf("place %d of the tenant beside its grantees", i)
		}
	}
	p.leave("tenant", true)
	p.leave("tenant", true)
	for i := range 3 {
		if p.take("tenant", true) != (i < 2) {
			t.Errorf("place %d that grantees left", i)
		}
	}
	if one := newPlaces(1); !one.take("a", true) {
		t.Error("a grantee has no place where there is one")
	}
}

// TestFewPlaces: grantees leave their tenant a place however few there are, if there are two.
func TestFewPlaces(t *testing.T) {
	for most := 2; most < 40; most++ {
		p := newPlaces(most)
		lent := 0
		for p.take("tenant", true) {
			lent++
		}
		if lent < 1 || !p.take("tenant", false) {
			t.Errorf("of %d places grantees have %d, and their tenant none", most, lent)
		}
	}
}
