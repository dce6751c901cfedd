package engine_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// lie is how the summaries that a view keeps are wrong. What is nil is right.
type lie struct {
	snapshot func(t testing.TB, l *falseKeeper, keys []engine.Key) *summary.Snapshot
	root     bool // that is kept is the one of snapshot, not that of the keys
	resolve  func(keys []engine.Key, unknown []uint64) ([]engine.Key, []uint64)
	keysIn   func(keys []engine.Key) []engine.Key
	// hides is set where all that is kept is of another set: a sync may then take what the
	// two sets differ by for something that it is not.
	hides bool
}

// falseKeeper is a set whose views keep summaries that lie.
type falseKeeper struct {
	*enginetest.Set
	t      testing.TB
	lie    lie
	before []engine.Key // what the set held at first
	read   int
}

func (l *falseKeeper) View(ctx context.Context) (engine.View, error) {
	v, err := l.Set.View(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := v.Keys(ctx)
	if err != nil {
		return nil, err
	}
	kept, _, err := v.(engine.Linear).Summaries(ctx, *epoch(1))
	if err != nil {
		return nil, err
	}
	told := kept.Snapshot()
	if l.lie.snapshot != nil {
		told = l.lie.snapshot(l.t, l, keys)
	}
	return lyingSums{v, l, kept, told}, nil
}

// lyingSums is the view of a falseKeeper and its summaries.
type lyingSums struct {
	engine.View
	of    *falseKeeper
	right engine.Summaries
	told  *summary.Snapshot
}

func (v lyingSums) Keys(ctx context.Context) ([]engine.Key, error) {
	v.of.read++
	return v.View.Keys(ctx)
}

func (v lyingSums) Root(ctx context.Context, secret engine.Secret) (engine.Root, bool, error) {
	root, ok, err := v.View.(engine.Summarised).Root(ctx, secret)
	if v.of.lie.root {
		root = v.told.Root()
	}
	return root, ok, err
}

func (v lyingSums) Summaries(_ context.Context, secret engine.Secret) (engine.Summaries, bool, error) {
	return v, secret == *epoch(1), nil
}

func (v lyingSums) Snapshot() *summary.Snapshot { return v.told }

func (v lyingSums) Resolve(ctx context.Context, shorts []uint64) ([]engine.Key, []uint64, error) {
	keys, unknown, err := v.right.Resolve(ctx, shorts)
	if v.of.lie.resolve != nil {
		keys, unknown = v.of.lie.resolve(keys, unknown)
	}
	return keys, unknown, err
}

func (v lyingSums) KeysIn(ctx context.Context, from, to engine.Key) ([]engine.Key, error) {
	keys, err := v.right.KeysIn(ctx, from, to)
	if v.of.lie.keysIn != nil {
		keys = v.of.lie.keysIn(keys)
	}
	return keys, err
}

// The parts of an encoded summary.Set.
const (
	treePart = iota
	tablePart
	estimatorPart
	indexPart
)

func builtSet(t testing.TB, name string, keys []engine.Key) *summary.Set {
	t.Helper()
	set, err := summary.NewSet(summary.Derive(epoch(1).Key, []byte(name)), summary.SetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	items := make([]summary.SetItem, len(keys))
	for i, k := range keys {
		items[i] = summary.SetItem{Key: k, Position: uint32(i)}
	}
	if err := set.Build(items); err != nil {
		t.Fatal(err)
	}
	return set
}

// spliced returns the summaries of keys with parts of those of others.
func spliced(t testing.TB, name string, keys, others []engine.Key, parts ...int) *summary.Snapshot {
	t.Helper()
	const fixed, head, tag = 24, 24 + 4*8, 16
	secret := summary.Derive(epoch(1).Key, []byte(name))
	mine, theirs := builtSet(t, name, keys).AppendBinary(nil), builtSet(t, name, others).AppendBinary(nil)
	form := slices.Clone(mine[:head])
	if slices.Contains(parts, treePart) { // the index has to have as many
		copy(form[16:fixed], theirs[16:fixed])
		parts = append(parts, indexPart)
	}
	atMine, atTheirs := head, head
	for part := range 4 {
		length := func(form []byte) int { return int(binary.LittleEndian.Uint64(form[fixed+8*part:])) }
		taken := mine[atMine:][:length(mine)]
		if slices.Contains(parts, part) {
			taken = theirs[atTheirs:][:length(theirs)]
		}
		atMine, atTheirs = atMine+length(mine), atTheirs+length(theirs)
		binary.LittleEndian.PutUint64(form[fixed+8*part:], uint64(len(taken)))
		form = append(form, taken...)
	}
	mac := hmac.New(sha256.New, secret[:])
	mac.Write([]byte("dwnsync saved v1\x00"))
	mac = hmac.New(sha256.New, mac.Sum(nil))
	mac.Write(form)
	set, err := summary.DecodeSet(secret, append(form, mac.Sum(nil)[:tag]...))
	if err != nil {
		t.Fatal(err)
	}
	return set.Snapshot()
}

// others are ways in which the set that summaries are of is not that of the keys.
var others = map[string]func(l *falseKeeper, keys []engine.Key) []engine.Key{
	"a newest one too many": func(_ *falseKeeper, keys []engine.Key) []engine.Key {
		return append(slices.Clone(keys), phantom(1<<40))
	},
	"the newest one missing": func(_ *falseKeeper, keys []engine.Key) []engine.Key { return keys[:max(0, len(keys)-1)] },
	"the newest another": func(_ *falseKeeper, keys []engine.Key) []engine.Key {
		return append(slices.Clone(keys[:max(0, len(keys)-1)]), phantom(1<<40))
	},
	"an old one missing": func(_ *falseKeeper, keys []engine.Key) []engine.Key { return keys[min(1, len(keys)):] },
	"half":               func(_ *falseKeeper, keys []engine.Key) []engine.Key { return keys[:len(keys)/2] },
	"nothing":            func(*falseKeeper, []engine.Key) []engine.Key { return nil },
	"what was at first":  func(l *falseKeeper, _ []engine.Key) []engine.Key { return l.before },
}

// phantom is the key of an item that nobody has.
func phantom(time int64) engine.Key { return engine.Key{Time: time, ID: engine.ID{0xff, 7}} }

// lies are all of them, by name.
func lies() map[string]lie {
	first := func(keys []engine.Key) []engine.Key { return keys[min(1, len(keys)):] }
	last := func(keys []engine.Key) []engine.Key { return keys[:max(0, len(keys)-1)] }
	all := map[string]lie{
		"keys in: none":            {keysIn: func([]engine.Key) []engine.Key { return nil }},
		"keys in: first missing":   {keysIn: first},
		"keys in: last missing":    {keysIn: last},
		"keys in: one too many":    {keysIn: func(k []engine.Key) []engine.Key { return append(slices.Clone(k), phantom(1<<50)) }},
		"keys in: backwards":       {keysIn: func(k []engine.Key) []engine.Key { k = slices.Clone(k); slices.Reverse(k); return k }},
		"keys in: one for another": {keysIn: func(k []engine.Key) []engine.Key { return append([]engine.Key{phantom(-1 << 50)}, first(k)...) }},
		"resolve: nothing":         {resolve: func(k []engine.Key, u []uint64) ([]engine.Key, []uint64) { return nil, u }},
		"resolve: one missing":     {resolve: func(k []engine.Key, u []uint64) ([]engine.Key, []uint64) { return first(k), u }},
		"resolve: one too many":    {resolve: func(k []engine.Key, u []uint64) ([]engine.Key, []uint64) { return append(k, phantom(3)), u }},
		"resolve: twice":           {resolve: func(k []engine.Key, u []uint64) ([]engine.Key, []uint64) { return append(k, k...), u }},
		"resolve: all unknown": {resolve: func([]engine.Key, []uint64) ([]engine.Key, []uint64) {
			return nil, []uint64{1, 2, 3}
		}},
	}
	for name, other := range others {
		for what, parts := range map[string][]int{"tree": {treePart}, "table": {tablePart}, "estimators": {estimatorPart}, "all": {treePart, tablePart, estimatorPart}} {
			snapshot := func(t testing.TB, l *falseKeeper, keys []engine.Key) *summary.Snapshot {
				return spliced(t, l.Name, keys, other(l, keys), parts...)
			}
			all[what+": "+name] = lie{snapshot: snapshot}
			if slices.Contains(parts, treePart) {
				all[what+" and root: "+name] = lie{snapshot: snapshot, root: true, hides: true}
			}
		}
	}
	all["tree: in other places"] = lie{snapshot: misplaced}
	return all
}

// misplaced returns summaries whose tree has the right root, of items at other times.
func misplaced(t testing.TB, l *falseKeeper, keys []engine.Key) *summary.Snapshot {
	set := builtSet(t, l.Name, keys)
	tree := set.Snapshot().Tree()
	hasher := summary.NewHasher(summary.Derive(epoch(1).Key, []byte(l.Name)))
	for _, k := range keys {
		f := hasher.Key(k).Fingerprint
		if err := tree.Remove(k, f); err != nil {
			t.Fatal(err)
		}
		k.Time += 1 << 30
		tree.Insert(k, f)
	}
	return set.Snapshot()
}

// lyingPair returns two sets of n items in common and d of each alone that keep summaries.
func lyingPair(t *testing.T, name string, n, d int) (a, b *enginetest.Set) {
	t.Helper()
	sets := [2]*enginetest.Set{}
	for side := range sets {
		s := &enginetest.Set{Name: name, KeepSummaries: true}
		keep(t, s, epoch(1))
		for i := range n {
			s.Add(enginetest.Payload(int64(i/3)<<24, fmt.Sprintf("shared %d", i)))
		}
		for i := range d {
			s.Add(enginetest.Payload(int64(i*89%max(1, n))<<23, fmt.Sprintf("only %d %d", side, i)))
		}
		sets[side] = s
	}
	return sets[0], sets[1]
}

// TestLies: what a view keeps and is not so, on either side, costs rounds. A sync is complete if
// it is exact, but for what a whole view was kept wrong by, and never loses anything.
func TestLies(t *testing.T) {
	for name, l := range lies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for side := range 2 {
				for n, strategy := range []engine.Strategy{engine.StrategySketch, "ranges", engine.StrategyAuto} {
					for _, direction := range []engine.Direction{engine.Pull, engine.Push, engine.Both} {
						for m, size := range []int{7, 900} {
							if raceDetector && m > 0 {
								continue // takes minutes
							}
							scope := []string{"", "scope"}[(n+m)%2]
							l.told(t, side, strategy, direction, scope, size)
						}
					}
				}
			}
		})
	}
}

// told syncs two sets of which one lies, and checks what comes of it.
func (l lie) told(t *testing.T, side int, strategy engine.Strategy, direction engine.Direction, scope string, n int) {
	t.Helper()
	a, b := lyingPair(t, scope, n, n/8+2)
	p := pair{a: a, b: b, direction: direction}
	wantA, wantB := p.promised()
	bad := &falseKeeper{Set: []*enginetest.Set{a, b}[side], t: t, lie: l}
	bad.before = bad.Keys()
	sides := [2]engine.Replica{a, b}
	sides[side] = bad
	opt := engine.Options{Strategy: strategy, Direction: direction, Random: chacha(1), RoundPrice: 1}
	if strategy == "ranges" {
		opt.Strategy = engine.StrategySketch
		opt = opt.BeginWithRanges()
	}
	report, err := engine.Sync(t.Context(), sides[0], engine.Direct{Replica: sides[1], Options: engine.RespondOptions{Random: chacha(2)}}, opt)
	where := fmt.Sprintf("side %d, %s, %s, %q, %d items: %d rounds", side, strategy, direction, scope, n, report.Rounds)
	switch {
	case err != nil && (l.hides && errors.Is(err, engine.ErrIncomplete)):
		t.Logf("%s: %v", where, err)
	case err != nil || !report.Complete:
		t.Errorf("%s: %v", where, err)
	case !slices.Equal(a.Keys(), wantA) || !slices.Equal(b.Keys(), wantB):
		if !l.hides {
			t.Errorf("%s: complete, but the sets are not what is promised", where)
		}
	}
	if len(without(wantA, append(a.Keys(), bad.before...))) > 0 && err == nil && !l.hides {
		t.Errorf("%s: lost", where)
	}
	if report.Rounds > mostRounds {
		t.Errorf("%s: more than %d", where, mostRounds)
	}
}
