package notebook

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

// TestBook holds the book to what the engine asks of a replica.
func TestBook(t *testing.T) {
	enginetest.TestReplica(t, enginetest.Fixture{
		Open:      func(*testing.T) engine.Replica { return New() },
		Payloads:  some("a note", 0, 200),
		Bad:       []byte("short"),
		KeepsRoot: true,
	})
}

// some returns the notes from first to before last; those of one text and number are equal.
func some(text string, first, last int) [][]byte {
	var notes [][]byte
	for i := first; i < last; i++ {
		notes = append(notes, Note(int64(i%97)*1_000_000, fmt.Sprintf("%s %d", text, i)))
	}
	return notes
}

func write(t *testing.T, b *Book, notes [][]byte) {
	t.Helper()
	receipts, err := b.Put(t.Context(), notes)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range receipts {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

// root is the one that a book keeps.
func root(t *testing.T, b *Book) engine.Root {
	t.Helper()
	v, err := b.View(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, kept, err := v.(view).Root(t.Context(), b.under)
	if err != nil || !kept {
		t.Fatalf("no root: %v", err)
	}
	return r
}

// TestSync: two books that hold 3000 notes together and some alone are the same after a
// sync over HTTP, by each strategy; and again after one of them got more. Kept summaries
// save reading all keys then, and a cursor saves the round that tells how much more it is.
func TestSync(t *testing.T) {
	for _, strategy := range []engine.Strategy{engine.StrategySketch, engine.StrategyCursor, engine.StrategyList} {
		t.Run(string(strategy), func(t *testing.T) {
			p := newPair(t, strategy)
			write(t, p.home, some("at home", 0, 40))
			write(t, p.away, some("away", 0, 60))
			p.sync(t, 60, 40)
			write(t, p.away, some("later", 0, 1000))
			p.home.readings, p.away.readings = 0, 0
			report := p.sync(t, 1000, 0)
			if read := p.home.readings + p.away.readings; strategy != engine.StrategyList && read != 0 {
				t.Errorf("all keys were read %d times", read)
			}
			if strategy == engine.StrategyCursor && (report.Rounds != 1 || report.Delivered[strategy] != 1000) {
				t.Errorf("%d rounds, %v; want 1000 by the cursor in one", report.Rounds, report.Delivered)
			}
		})
	}
}

// pair is two books with an HTTP server between them.
type pair struct {
	home, away *Book
	transport  engine.Transport
	opt        engine.Options
}

func newPair(t *testing.T, strategy engine.Strategy) pair {
	t.Helper()
	sealer, err := engine.NewSealer([32]byte{1}, "away", "home")
	if err != nil {
		t.Fatal(err)
	}
	p := pair{home: New(), away: New(), opt: engine.Options{Strategy: strategy, Cursor: new(engine.CursorMemory)}}
	write(t, p.home, some("shared", 0, 3000))
	write(t, p.away, some("shared", 0, 3000))
	server := httptest.NewServer(Handler(p.away, sealer, func(err error) { t.Error(err) }))
	t.Cleanup(server.Close)
	p.transport = Post(server.Client(), server.URL)
	return p
}

// sync runs a sync in which so many notes come and go, and compares the books.
func (p pair) sync(t *testing.T, received, sent int) engine.Report {
	t.Helper()
	report, err := engine.Sync(t.Context(), p.home, p.transport, p.opt)
	if err != nil || !report.Complete || !report.RootsEqual || report.Received != received || report.Sent != sent {
		t.Fatalf("%v: %+v", err, report)
	}
	if got := root(t, p.home); got != root(t, p.away) || got != report.Local {
		t.Fatalf("the roots differ: %d notes at home, %d away, %d in the report", got.Count, root(t, p.away).Count, report.Local.Count)
	}
	if !maps.EqualFunc(p.home.notes, p.away.notes, slices.Equal) {
		t.Fatal("the books differ")
	}
	return report
}
