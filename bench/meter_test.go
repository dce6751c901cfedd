package bench

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/bench/internal/baseline"
	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// party is who CPU time goes to.
type party int

const (
	transfer party = iota // of items: reading, packing, unpacking and storing them
	initiator
	responder
	parties
)

// meter divides the CPU time of a process among the parties of a sync that runs in it.
type meter struct {
	spent [parties]int64 // nanoseconds
	now   party
	since int64

	requests, known int // so far; when the last came that asked for a difference
}

// turn is called where a party begins, and returns the one before it.
func (m *meter) turn(next party) (before party) {
	t := cputime.Now()
	m.spent[m.now] += t - m.since
	before, m.now, m.since = m.now, next, t
	return before
}

// pause makes time go to nobody until resume is called.
func (m *meter) pause() (resume func()) {
	before := m.turn(transfer)
	return func() { m.turn(before) }
}

// metered is a transport to a responder in the same process, both on a meter.
type metered struct {
	engine.Transport
	*meter
}

func (t metered) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	t.count(head)
	t.turn(responder)
	defer t.turn(initiator)
	reply, err := t.Transport.Exchange(ctx, head, t.moved(items))
	if err != nil {
		return nil, err
	}
	return func(yield func(wire.Frame, error) bool) {
		t.turn(responder)
		defer t.turn(initiator)
		for f, err := range reply {
			reader := initiator
			if f.Type == wire.TypeItems {
				t.now, reader = transfer, transfer
			}
			t.turn(reader)
			ok := yield(f, err)
			t.turn(responder)
			if !ok {
				return
			}
		}
	}, nil
}

// count counts a request.
func (m *meter) count(head []wire.Frame) {
	m.requests++
	for _, f := range head {
		var init wire.Init
		if f.Type == wire.TypeInit && wire.DecodeBody(f, &init) == nil && (init.Summary != nil || init.Cursor != nil) {
			m.known = m.requests
		}
	}
}

// moved books the items of a request, with what reads them, to their transfer.
func (m *meter) moved(items iter.Seq2[wire.Frame, error]) iter.Seq2[wire.Frame, error] {
	return func(yield func(wire.Frame, error) bool) {
		before := m.turn(transfer)
		defer func() { m.turn(before) }()
		items(yield)
	}
}

// sync is run for a node. What merging keys takes in here is booked to transfer: no other
// replica has that work.
func (m *meter) sync(ctx context.Context, here *node, there engine.Transport, opt engine.Options) (engine.Report, error) {
	here.pause = m.pause
	return m.run(ctx, here, there, opt)
}

// run runs a sync on a meter that starts at zero.
func (m *meter) run(ctx context.Context, here engine.Replica, there engine.Transport, opt engine.Options) (engine.Report, error) {
	*m = meter{now: initiator, since: cputime.Now()}
	defer m.turn(transfer)
	return engine.Sync(ctx, here, metered{there, m}, opt)
}

// outcome is what a sync on the meter came to, but for what it found. Rounds are those
// until the difference was known: what follows moves items.
func (m *meter) outcome(r engine.Report) outcome {
	return outcome{baseline.Outcome{
		Up: r.Up.Metadata, Down: r.Down.Metadata, Rounds: max(m.known, 1),
		Here: m.spent[initiator], There: m.spent[responder],
	}, m.spent[transfer]}
}

// busy is a responder that takes CPU time: once before its reply, and once before each
// frame of it.
type busy struct {
	engine.Transport
	each    time.Duration
	replies int // so far
	frames  map[wire.Type]int
}

func (b *busy) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	burn(b.each)
	b.replies++
	reply, err := b.Transport.Exchange(ctx, head, items)
	return func(yield func(wire.Frame, error) bool) {
		for f, err := range reply {
			burn(b.each)
			b.frames[f.Type]++
			if !yield(f, err) {
				return
			}
		}
	}, err
}

// TestMeter: what a responder takes is booked to it but for the items, which are booked
// to their transfer, and nothing is booked twice.
func TestMeter(t *testing.T) {
	here, there := newSets(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: 1000, D: 100})
	replies := busy{engine.Direct{Replica: newNode(there, secretOf(1))}, 50 * time.Millisecond, 0, map[wire.Type]int{}}
	runtime.GC() // what other tests left is no part of it
	var m meter
	start := cputime.Now()
	r, err := m.sync(t.Context(), newNode(here, secretOf(1)), &replies, engine.Options{Direction: engine.Pull})
	total := cputime.Now() - start
	if err != nil {
		t.Fatal(err)
	}
	sum := m.spent[transfer] + m.spent[initiator] + m.spent[responder]
	if sum > total || sum < total*9/10 {
		t.Errorf("%v are booked, %d ns in all, of %d", m.spent, sum, total)
	}
	items := replies.frames[wire.TypeItems]
	others := replies.replies
	for _, n := range replies.frames {
		others += n
	}
	others -= items
	if items == 0 || others < 3*r.Rounds {
		t.Fatalf("%d ITEMS and %d others: %v in %d rounds", items, others, replies.frames, r.Rounds)
	}
	for p, times := range map[party]int{transfer: items, initiator: 0, responder: others} {
		least := int64(times) * replies.each.Nanoseconds()
		got := m.spent[p]
		// Compression takes memory, so nobody knows how much the transfer takes besides.
		if got <= least || p != transfer && got > least+replies.each.Nanoseconds()*9/10 {
			t.Errorf("%d ns are booked to party %d, which takes %d and some", got, p, least)
		}
	}
}

// scripted is a responder whose reply has frames of these types. It keeps who took time
// when it made each.
type scripted struct {
	*meter
	types []wire.Type
	made  []party
}

func (s *scripted) Exchange(context.Context, []wire.Frame, iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	return func(yield func(wire.Frame, error) bool) {
		for _, t := range s.types {
			s.made = append(s.made, s.now)
			if !yield(wire.Frame{Type: t}, nil) {
				return
			}
		}
	}, nil
}

// TestMeterTurns: the responder takes time for each frame, and who reads it after that.
func TestMeterTurns(t *testing.T) {
	m := meter{now: initiator}
	there := &scripted{&m, []wire.Type{wire.TypeAck, wire.TypeItems, wire.TypeItems, wire.TypeDone}, nil}
	reply, err := metered{there, &m}.Exchange(t.Context(), nil, nil)
	if err != nil || m.now != initiator {
		t.Fatalf("it is the turn of %d after the request, want %d: %v", m.now, initiator, err)
	}
	var read []party
	for range reply {
		read = append(read, m.now)
	}
	if want := []party{initiator, transfer, transfer, initiator}; !slices.Equal(read, want) || m.now != initiator {
		t.Errorf("frames were read in the turns of %v, want %v; then it is that of %d", read, want, m.now)
	}
	if want := []party{responder, responder, responder, responder}; !slices.Equal(there.made, want) {
		t.Errorf("frames were made in the turns of %v, want %v", there.made, want)
	}
}

// watched is a view that calls keys before its keys are read, and items before they
// are.
type watched struct {
	engine.View
	keys, items func()
}

func (v watched) Keys(ctx context.Context) ([]engine.Key, error) {
	v.keys()
	return v.View.Keys(ctx)
}

func (v watched) Items(ctx context.Context, of []engine.Key) iter.Seq2[engine.Item, error] {
	v.items()
	return v.View.Items(ctx, of)
}

// TestMeterMerge: putting what came on top of what was there is booked to nobody.
func TestMeterMerge(t *testing.T) {
	here, there := newSets(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: 1000, D: 1})
	var m meter
	var merging []party
	n := newNode(nil, secretOf(1))
	n.base = watched{here, func() {
		if len(n.put) > 0 { // of the one item: only merging asks for the base after that
			merging = append(merging, m.now)
		}
	}, func() {}}
	if _, err := m.sync(t.Context(), n, engine.Direct{Replica: newNode(there, secretOf(1))}, engine.Options{Direction: engine.Pull}); err != nil {
		t.Fatal(err)
	}
	m.turn(initiator) // as in another round, which this sync had no need of
	if _, err := n.View(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(merging, []party{transfer}) || m.now != initiator {
		t.Errorf("keys were merged in the turns of %v, want one merge in that of %d; then it is that of %d", merging, transfer, m.now)
	}
}

// TestMeterRounds: rounds are those until the last that asked for a difference, at least one.
func TestMeterRounds(t *testing.T) {
	var m meter
	for _, c := range []struct {
		init wire.Init
		want int
	}{
		{wire.Init{}, 1},
		{wire.Init{Summary: &wire.Summary{}}, 2},
		{wire.Init{Cursor: []byte{1}}, 3},
		{wire.Init{}, 3},
	} {
		c.init.Version = wire.Version
		f, err := wire.EncodeBody(wire.TypeInit, c.init)
		if err != nil {
			t.Fatal(err)
		}
		m.count([]wire.Frame{f})
		if got := m.outcome(engine.Report{}).Rounds; got != c.want {
			t.Errorf("%d rounds after %d requests, want %d", got, m.requests, c.want)
		}
	}
}

// TestMeterPushed: items of a request are booked to their transfer, with what takes them in.
func TestMeterPushed(t *testing.T) {
	m := meter{now: responder}
	two := func(yield func(wire.Frame, error) bool) {
		for range 2 {
			if !yield(wire.Frame{}, nil) {
				return
			}
		}
	}
	for range m.moved(two) {
		if m.now != transfer {
			t.Errorf("an item is taken in in the turn of %d", m.now)
		}
		break
	}
	if m.now != responder {
		t.Errorf("after the items it is the turn of %d", m.now)
	}
}
