package dwn

// Intersect returns the scope that selects exactly what both select. It is false
// if nothing can have the attributes that both ask for: unequal values of one
// member, contexts of which neither lies in the other, times that do not meet. It
// looks at the attributes alone and not at what kinds of message there are.
//
// The operation is commutative, associative and idempotent, and the zero Scope is
// its neutral element. The result may need more than MaxScopeSize as JSON.
func (s Scope) Intersect(other Scope) (Scope, bool) {
	both := s
	theirs := other.fields()
	for i, field := range both.fields() {
		if !field.narrow(*theirs[i].value) {
			return Scope{}, false
		}
	}
	if !both.from.set || other.from.set && other.from.us > both.from.us {
		both.from = other.from
	}
	if !both.to.set || other.to.set && other.to.us < both.to.us {
		both.to = other.to
	}
	if both.from.set && both.to.set && both.from.us > both.to.us {
		return Scope{}, false
	}
	return both, true
}

// narrow makes the member select what it and want select, false if that is nothing.
func (f scopeField) narrow(want string) bool {
	switch {
	case want == "" || want == *f.value:
	case *f.value == "" || f.name == "contextId" && inContext(*f.value, want):
		*f.value = want
	case f.name == "contextId" && inContext(want, *f.value):
	default:
		return false
	}
	return true
}

// Covers reports whether s selects everything that other selects.
func (s Scope) Covers(other Scope) bool {
	both, ok := s.Intersect(other)
	return ok && both == other
}
