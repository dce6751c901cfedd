package auth

import (
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// cases is how many random requests are tried, the long form with DWNSYNC_LONG=1.
func cases() int {
	if os.Getenv("DWNSYNC_LONG") == "1" {
		return 1_000_000
	}
	return 20_000
}

// world is what random requests are about: every place, and messages in some.
type world struct {
	places   []dwn.Attributes
	messages []worldMessage
	ids      []string // of grants; messages carry the first three
	dids     map[string]string
}

type worldMessage struct {
	spec       messageSpec
	m, initial *dwn.Message
	at         dwn.Attributes // with what a delete inherits
}

func newWorld(t testing.TB) *world {
	w := &world{dids: map[string]string{}}
	for _, name := range []string{"T", "G", "O"} {
		w.dids[name] = actor(t, name).DID()
	}
	contexts := []string{"", "a", "a/b", "ab", "c"}
	for _, protocol := range []string{"", protocolURL("P"), protocolURL("Q")} {
		for _, path := range []string{"", "note", "todo"} {
			for _, context := range contexts {
				for time := range int64(3) {
					for _, method := range []string{"Write", "Delete"} {
						w.places = append(w.places, dwn.Attributes{Interface: "Records", Method: method, Protocol: protocol, ProtocolPath: path, ContextID: context, Time: firstDay + time*day})
					}
				}
			}
		}
	}
	var grants []*dwn.Message
	for n := range 6 {
		g := embedded(t, n+1, "T")
		grants, w.ids = append(grants, g), append(w.ids, g.RecordID())
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 400 {
		s := messageSpec{kind: []string{"write", "update", "delete", "configure"}[min(rng.IntN(8)/2, 3)], by: pick(rng, "T", "G", "G", "O"), day: rng.Int64N(3) + 1, published: rng.IntN(2) == 0, prune: rng.IntN(2) == 0}
		s.protocol = protocolURL(pick(rng, "P", "P", "P", "Q", "X"))
		s.path, s.context = pick(rng, "note", "todo"), pick(rng, contexts...)
		if rng.IntN(3) == 0 && s.kind != "configure" {
			s.under = grants[rng.IntN(3)]
		}
		s.copied = rng.IntN(4) == 0
		if s.owner = pick(rng, "", "", "", "", "T", "G", "O"); s.owner != "" && rng.IntN(4) == 0 {
			s.ownerUnder = grants[rng.IntN(3)]
		}
		if rng.IntN(8) > 0 {
			s.first = &messageSpec{kind: "write", by: "T", protocol: s.protocol, context: s.context, path: s.path}
			if rng.IntN(4) == 0 {
				s.first.protocol, s.first.path, s.first.context = protocolURL(pick(rng, "P", "Q")), pick(rng, "note", "todo"), pick(rng, contexts...)
			}
		}
		m, initial := s.build(t)
		at := m.Attributes()
		if initial != nil && s.kind == "delete" {
			at = at.Inherit(initial.Attributes())
		}
		w.messages = append(w.messages, worldMessage{s, m, initial, at})
	}
	return w
}

func pick(rng *rand.Rand, from ...string) string { return from[rng.IntN(len(from))] }

func (w *world) request(t testing.TB, rng *rand.Rand) Request {
	text := pick(rng, "*", "protocol=P", "protocol=P", "protocol=Q", "contextId=a", "protocol=P contextId=a/b", "protocol=P protocolPath=note") + " " +
		pick(rng, "", "", "from=2", "to=2", "from=2 to=2", "method=Write")
	r := Request{
		Tenant: w.dids["T"], Signer: w.dids[pick(rng, "G", "G", "G", "G", "G", "G", "T", "O")], Scope: tableScope(t, text),
		Direction: Direction(pick(rng, "both", "both", "push", "pull")), Now: tableNow,
	}
	for _, i := range rng.Perm(len(w.ids))[:rng.IntN(5)] {
		r.Grants = append(r.Grants, randomGrant(t, rng, w.ids[i]))
	}
	return r
}

func randomGrant(t testing.TB, rng *rand.Rand, id string) NamedGrant {
	text := pick(rng, "Messages.Read", "Messages.Read", "Messages.Read", "Records.Write", "Records.Write", "Records.Delete", "Messages.Query", "Records.Read") +
		" " + pick(rng, "P", "P", "Q") + " " + pick(rng, "", "", "c=a", "c=a/b", "c=c", "p=note", "p=todo") +
		" " + pick(rng, "", "", "", "", "", "", "", "to=O", "from=O", "expired", "future", "revoked") + " " + pick(rng, "", "delegated") + " " + pick(rng, "", "", "public", "private")
	if rng.IntN(5) == 0 {
		text = "Messages.Read"
	}
	g := tableGrants(t, text)[0]
	g.ID = id
	return g
}

// The oracle: what a request may read and push, by sets of places and by who is
// who, without scopes. Counts, inside and the two sets below are all it knows.

func (r Request) counts(g NamedGrant) bool {
	return g.Grantor == r.Tenant && g.Grantee == r.Signer && !g.Revoked && !(r.Now < g.Granted || r.Now >= g.Expires)
}

func inside(g NamedGrant, at dwn.Attributes) bool {
	c, n := at.ContextID+"/", len(g.ContextID)
	return (g.Protocol == "" || g.Protocol == at.Protocol) && (g.ProtocolPath == "" || g.ProtocolPath == at.ProtocolPath) &&
		(n == 0 || len(c) > n && c[:n+1] == g.ContextID+"/")
}

// reads returns which of the places may be read, nil if none, and by which grant.
func (w *world) reads(r Request) (set []bool, by NamedGrant) {
	grants := slices.Clone(r.Grants)
	slices.SortFunc(grants, func(a, b NamedGrant) int { return strings.Compare(a.ID, b.ID) })
	if r.Signer == r.Tenant {
		grants = []NamedGrant{{Grant: Grant{Grantor: r.Tenant, Grantee: r.Signer, Expires: r.Now + 1, Interface: "Messages", Method: "Read"}}}
	}
	sets := map[string][]bool{}
	for _, g := range grants {
		if r.counts(g) && g.Interface+g.Method == "MessagesRead" {
			sets[g.ID] = make([]bool, len(w.places))
			for i, at := range w.places {
				sets[g.ID][i] = inside(g, at) && r.Scope.Matches(at)
			}
		}
	}
	for _, g := range grants {
		wider := func(other []bool) bool { return subset(sets[g.ID], other) && !subset(other, sets[g.ID]) }
		largest := slices.Contains(sets[g.ID], true)
		for _, other := range sets {
			largest = largest && !wider(other)
		}
		if largest {
			return sets[g.ID], g
		}
	}
	return nil, NamedGrant{}
}

func subset(a, b []bool) bool {
	for i := range a {
		if a[i] && !b[i] {
			return false
		}
	}
	return true
}

func (w *world) pushes(r Request, reader NamedGrant, x worldMessage) bool {
	s := x.spec
	switch signer := w.dids[s.by]; {
	case r.Direction == Pull:
		return false
	case r.Signer == r.Tenant:
		return true
	case s.kind == "configure" || x.at.Protocol == dwn.PermissionsURI || !inside(reader, x.at) || !r.Scope.Matches(x.at):
		return false
	case s.kind != "write" && s.first == nil:
		return false
	case s.kind == "update" && (s.first.protocol != s.protocol || s.first.path != s.path || s.first.context != s.context):
		return false
	case s.ownerUnder != nil || s.owner != "" && s.owner != "T" && s.owner != s.by || s.owner == s.by && s.copied:
		return false
	case s.under == nil && signer == r.Tenant:
		return true
	case signer != r.Signer:
		return false
	}
	return slices.ContainsFunc(r.Grants, func(g NamedGrant) bool {
		return r.counts(g) && g.Interface == "Records" && g.Method == x.at.Method && inside(g, x.at) &&
			(g.Publication == "" || s.kind == "delete" || (g.Publication == "Required") == s.published) &&
			(g.ProtocolPath == "" || s.kind != "delete" || !s.prune) &&
			(s.under == nil || g.Delegated && g.ID == s.under.RecordID())
	})
}

func TestDecideAgainstOracle(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(7, 2))
	var refused, exact, narrower, pushed int
	for n := range cases() {
		r := w.request(t, rng)
		want, reader := w.reads(r)
		d, err := Decide(r)
		if (err == nil) != (want != nil) || err != nil && err != ErrForbidden {
			t.Fatalf("case %d: %+v: got %v", n, r, err)
		}
		if err != nil {
			refused++
			continue
		}
		all := true
		for i, at := range w.places {
			if d.Read.Matches(at) != want[i] {
				t.Fatalf("case %d: %+v: reads %s, wrong about %+v", n, r, d.Read.AppendJSON(nil), at)
			}
			all = all && want[i] == r.Scope.Matches(at)
		}
		if d.Exact != all || r.Signer != r.Tenant && !slices.Contains(d.Grants, reader.ID) {
			t.Fatalf("case %d: %+v: exact %t, by %v", n, r, d.Exact, d.Grants)
		}
		if exact++; !all {
			narrower++
		}
		for range 4 {
			x := w.messages[rng.IntN(len(w.messages))]
			may := w.pushes(r, reader, x)
			if got := MayPush(d, x.m, attributesOf(x.initial)); (got == nil) != may || got != nil && got != ErrForbidden {
				t.Fatalf("case %d: %+v: %+v: got %v, want %t", n, r, x.spec, got, may)
			}
			if may {
				pushed++
			}
		}
	}
	t.Logf("%d refused, %d read, %d of them less, %d pushed", refused, exact, narrower, pushed)
	if n := cases(); refused < n/20 || exact < n/20 || narrower < n/20 || pushed < n/20 {
		t.Error("too few of one kind")
	}
}

// Each decision of DecideEach is what Decide says of that reading grant alone, beside those that
// do not read.
func TestDecideEach(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(7, 4))
	several := 0
	for n := range cases() / 4 {
		r := w.request(t, rng)
		if r.Signer == r.Tenant {
			continue
		}
		var want []Decision
		slices.SortFunc(r.Grants, func(a, b NamedGrant) int { return strings.Compare(a.ID, b.ID) })
		for _, g := range r.Grants {
			alone := r
			alone.Grants = slices.DeleteFunc(slices.Clone(r.Grants), func(other NamedGrant) bool { return other.is("Messages", "Read") && other.ID != g.ID })
			if d, err := Decide(alone); err == nil && g.is("Messages", "Read") {
				want = append(want, d)
			}
		}
		rng.Shuffle(len(r.Grants), func(i, j int) { r.Grants[i], r.Grants[j] = r.Grants[j], r.Grants[i] })
		got, err := DecideEach(r)
		if !reflect.DeepEqual(got, want) || (err == nil) != (want != nil) || err != nil && err != ErrForbidden {
			t.Fatalf("case %d: %+v: got %+v, %v, want %+v", n, r, got, err, want)
		}
		if len(want) > 1 {
			several++
		}
	}
	if several < cases()/100 {
		t.Errorf("%d with several decisions", several)
	}
}

// One grant more never narrows what may be read, nor, where that is exact, what may
// be pushed; one that does not count changes nothing.
func TestOneGrantMore(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(7, 3))
	for n := range cases() / 4 {
		r := w.request(t, rng)
		if len(r.Grants) == len(w.ids) {
			continue
		}
		before, errBefore := Decide(r)
		more := r
		g := randomGrant(t, rng, w.ids[rng.IntN(len(w.ids))])
		for slices.ContainsFunc(r.Grants, func(has NamedGrant) bool { return has.ID == g.ID }) {
			g.ID = w.ids[rng.IntN(len(w.ids))]
		}
		more.Grants = append(slices.Clone(r.Grants), g)
		rng.Shuffle(len(more.Grants), func(i, j int) { more.Grants[i], more.Grants[j] = more.Grants[j], more.Grants[i] })
		after, err := Decide(more)
		if errBefore == nil && (err != nil || before.Exact && !after.Exact || after.Read != before.Read && before.Read.Covers(after.Read)) {
			t.Fatalf("case %d: %+v narrows %+v to %+v, %v", n, g, before, after, err)
		}
		if before.Exact && !coverAll(after.Push, before.Push) {
			t.Fatalf("case %d: %+v narrows the push from %v to %v", n, g, before.Push, after.Push)
		}
		if !r.counts(g) && (err != errBefore || after.Read != before.Read || !slices.Equal(after.Grants, before.Grants) || !slices.Equal(after.Push, before.Push)) {
			t.Fatalf("case %d: %+v does not count and changes %+v to %+v, %v", n, g, before, after, err)
		}
	}
}

func coverAll(scopes, covered []dwn.Scope) bool {
	for _, one := range covered {
		if !slices.ContainsFunc(scopes, func(s dwn.Scope) bool { return s.Covers(one) }) {
			return false
		}
	}
	return true
}
