package engine

import (
	"math"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// DefaultRoundPrice is what a round is worth in bytes where nobody says otherwise: 50 ms
// at 20 Mbit/s.
const DefaultRoundPrice = 125_000

// Cost is what a sync is expected to take: bytes of all frames but ITEMS and AUTH, and
// requests, those included that only push. Each is a mean over salts.
type Cost struct {
	Up, Down float64 // bytes
	Rounds   float64
}

// Bytes returns the bytes in both directions.
func (c Cost) Bytes() float64 { return c.Up + c.Down }

// Priced returns bytes and rounds as one number, a round at so many bytes: its round-trip
// time times the bandwidth. Zero stands for DefaultRoundPrice.
func (c Cost) Priced(round float64) float64 {
	if round == 0 {
		round = DefaultRoundPrice
	}
	return c.Bytes() + c.Rounds*round
}

func (c Cost) plus(d Cost) Cost { return Cost{c.Up + d.Up, c.Down + d.Down, c.Rounds + d.Rounds} }

func (c Cost) times(share float64) Cost {
	return Cost{c.Up * share, c.Down * share, c.Rounds * share}
}

// Pair is what is known of two sets before a sync.
type Pair struct {
	Here, There         uint64  // items of the initiator, and of the responder
	OnlyHere, OnlyThere float64 // of these, what the other side lacks
	// Outside are those of OnlyThere that lie where the initiator has nothing: beyond its last
	// item, or between the buckets of its spine. They cost nothing to tell.
	Outside   float64
	Direction Direction
	// Stranger says that the initiator has no secret yet: what needs one takes a round more.
	Stranger bool
	// Cursor says that both sides know what their logs took in since a sync: of the
	// initiator's, all of OnlyHere, Both of both.
	Cursor    bool
	SinceBoth float64
	// Token is the length of the cursor that a reply ends with, 0 for none.
	Token int

	ranges []rangeCase // where the items are, if that is known
	// What a responder has said to a first probe, if it was asked: that it decodes, or a plan,
	// whose filter is of so many items.
	decodes  bool
	plan     *wire.Plan
	filtered float64
}

// Bytes of frames, heads included, of two sets of 10^3 to 10^6 items. What a summary
// takes besides its own bytes is in summaryHead.
const (
	initBytes    = 142.0 // INIT with a secret and a root
	namesBytes   = 97.0  // these two
	ackBytes     = 160.0 // ACK and DONE
	throughBytes = 64.0  // what was let through, in ACK
	summaryHead  = 52.0  // INIT's or ACK's words about a summary, and a SUMMARY frame's head
	secretBytes  = 66.0
	doubtHead    = 24.0 // words about the part that a filter is of
	cursorHead   = 10.0 // before a token in INIT or ACK
	planBytes    = 60.0 // ACK's words about a plan, without its buckets
	spineBytes   = 10.0 // a bucket of a spine, and its count
	bucketBytes  = 6.0  // a bucket of a plan or of a filter

	probeFixed = 22 + 256 + 41 + 1 // a probe without spine, filter and cells
)

// Cost returns what a sync by one strategy is expected to take. It is false for
// StrategyAuto, whose cost is that of what it takes, and for StrategyCursor without one.
//
// The figures are means: whether a filter of 2^-8 hides something, and so costs a round, is
// chance. They hold for peers that keep still and share a secret or have none, and where
// the bytes of the items fit into one reply and, but for their number, one request.
func (p Pair) Cost(s Strategy) (Cost, bool) {
	if p.Direction == "" {
		p.Direction = Both
	}
	if w, ok := wholeOf(s); ok {
		return p.first(w.sync(p)), true
	}
	switch {
	case s == StrategySegmented:
		return p.first(p.segmented()), true
	case s == StrategySketch && p.Stranger && p.Here > 0:
		asked := p
		asked.Stranger = false
		return p.first(p.opening().plus(asked.sketched())), true
	case s == StrategySketch:
		return p.first(p.sketched()), true
	case s == StrategyCursor && p.Cursor:
		return p.resumed(), true
	}
	return Cost{}, false
}

// opening is the first request and its reply, without what they say: a stranger's names no
// secret and no root, and it is sent the secret.
func (p Pair) opening() Cost {
	if p.Stranger {
		return Cost{initBytes - namesBytes, ackBytes + secretBytes, 1}
	}
	return Cost{initBytes, ackBytes, 1}
}

// first adds what every reply ends with.
func (p Pair) first(c Cost) Cost {
	if p.Token > 0 {
		c.Down += c.Rounds * (cursorHead + float64(p.Token))
	}
	return c
}

func (p Pair) equal() bool { return p.OnlyHere == 0 && p.OnlyThere == 0 }

// pushed are the requests that bring what the responder lacks, if it was not found before
// the last round. Below one, onlyHere is the chance that there is one.
func (p Pair) pushed(onlyHere float64) Cost {
	if !p.Direction.Pushes() {
		return Cost{}
	}
	requests := onlyHere
	if onlyHere >= 1 {
		requests = math.Ceil(onlyHere / wire.MaxRequestItems)
	}
	return Cost{initBytes, ackBytes, 1}.times(requests)
}

// IDs returns what the list of all IDs takes, the last step of every ladder: it needs no
// other round to tell the difference.
func (p Pair) IDs() Cost {
	c := Cost{initBytes + summaryHead + 32*float64(p.Here), ackBytes, 1}
	if p.equal() {
		return c
	}
	c.Down += throughBytes
	if p.OnlyHere > 0 {
		c.Down += summaryHead + 32*(float64(p.There)-p.OnlyThere)
	}
	return c.plus(p.pushed(p.OnlyHere))
}

// filterLen returns the expected length of the encoding of a filter of n keys.
func filterLen(kind filters.Kind, n float64, bits int) float64 {
	opt := filters.Options{Bits: bits}
	if kind == filters.List && bits > 32 {
		opt = filters.Options{FalsePositiveRate: math.Ldexp(1, -bits)}
	}
	if length, ok := filters.ExpectedLen(kind, int(math.Round(max(0, n))), opt); ok {
		return float64(length)
	}
	return n * float64(bits) / 8 // more keys than a filter has room for
}

// segmentedLen returns that of a segmented filter, whose segments hold 512 to 1024 keys
// each, three quarters of 1024 on average, and its segments.
func segmentedLen(n float64) (length, segments float64) {
	segments = max(1, n/740)
	return filterLen(filters.Ribbon, n, 8) + 14*segments, segments
}

// probeLen returns the length of a probe of n items without its filter.
func probeLen(n uint64, cells int) float64 {
	spine := math.Min(spineSize, math.Ceil(float64(n)/32))
	return probeFixed + spineBytes*spine + float64(cells*summary.ParamsFor(n).CellSize())
}
