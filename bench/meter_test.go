package bench

import (
	"context"
	"iter"
	"testing"

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
	t.turn(responder)
	defer t.turn(initiator)
	reply, err := t.Transport.Exchange(ctx, head, items)
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

// sync runs a sync on a meter that starts at zero.
func (m *meter) sync(ctx context.Context, here *node, there engine.Transport, opt engine.Options) (engine.Report, error) {
	*m = meter{now: initiator, since: cputime.Now()}
	defer m.turn(transfer)
	return engine.Sync(ctx, here, metered{there, m}, opt)
}

// busy is a responder that takes at least so many nanoseconds of CPU time before its
// reply, and as many again before the first frame of it and the last.
type busy struct {
	engine.Transport
	ns int64
}

func (b busy) burn() {
	for start := cputime.Now(); cputime.Now()-start < b.ns; {
	}
}

func (b busy) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	b.burn()
	reply, err := b.Transport.Exchange(ctx, head, items)
	return func(yield func(wire.Frame, error) bool) {
		for f, err := range reply {
			if f.Type == wire.TypeAck || f.Type == wire.TypeDone {
				b.burn()
			}
			if !yield(f, err) {
				return
			}
		}
	}, err
}

// TestMeter: what a responder takes is booked to it, and nothing is booked twice.
func TestMeter(t *testing.T) {
	const ms = 1e6
	here, there := newSets(t, datasets.Workload{Shape: datasets.Steady, Divergence: datasets.Scattered, N: 1000, D: 100})
	replies := busy{engine.Direct{Replica: newNode(there, secretOf(1))}, 20 * ms}
	var m meter
	start := cputime.Now()
	r, err := m.sync(t.Context(), newNode(here, secretOf(1)), replies, engine.Options{Direction: engine.Pull})
	total := cputime.Now() - start
	if err != nil {
		t.Fatal(err)
	}
	sum := m.spent[transfer] + m.spent[initiator] + m.spent[responder]
	if sum > total || sum < total*9/10 {
		t.Errorf("%v are booked, %d ns in all, of %d", m.spent, sum, total)
	}
	if m.spent[transfer] == 0 {
		t.Errorf("nothing is booked to the transfer of %d items", r.Received)
	}
	if least := int64(r.Rounds) * 60 * ms; m.spent[responder] < least || m.spent[initiator] > least/2 || m.spent[initiator] == 0 {
		t.Errorf("%d ns are booked to the responder, which takes %d and some, %d to the initiator", m.spent[responder], least, m.spent[initiator])
	}
}
