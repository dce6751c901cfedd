package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
)

// explained is what explain -json prints. The names stay.
type explained struct {
	MessagesHere  uint64            `json:"messages_here"`
	MessagesThere uint64            `json:"messages_there"`
	LackedHere    int64             `json:"lacked_here"`  // messages that are only there
	LackedThere   int64             `json:"lacked_there"` // messages that are only here
	Exact         bool              `json:"exact"`        // they are counted, not estimated
	Equal         bool              `json:"equal"`        // both sides hold the same
	Cursor        bool              `json:"cursor"`       // there is a usable one of the last sync
	Requests      int               `json:"requests"`     // that it took to find out
	RoundPrice    int               `json:"round_price"`  // bytes that a round is taken to be worth
	Takes         engine.Strategy   `json:"takes"`        // what auto begins with
	Why           string            `json:"why"`
	Strategies    []explainedByCost `json:"strategies"`
	// Scope is what it is about, where the grants cover only a part of the one asked for.
	Scope json.RawMessage `json:"scope,omitempty"`
}

// explainedByCost is the expected cost of a sync by one strategy, messages not counted.
type explainedByCost struct {
	Strategy  engine.Strategy `json:"strategy"`
	BytesUp   int64           `json:"bytes_up"`
	BytesDown int64           `json:"bytes_down"`
	Rounds    float64         `json:"rounds"` // two decimals: another round can be chance
	Cost      int64           `json:"cost"`   // bytes up and down and round_price for each round
}

const explainHelp = `It makes one request, one or two more at first contact, one more where grants cover a
part of the scope only, and moves no message. The
costs are of metadata, those of the messages come on top, the same by any strategy. They
are expected values: where a filter can hide a message, another round is chance.

-json prints one object: messages_here, messages_there, lacked_here, lacked_there (messages that
only the other side has), exact (they are counted; otherwise estimated, with a
standard error of 9 %), equal, cursor, requests, round_price (bytes that a round is
taken to be worth), takes and why (what auto begins with), strategies: a list of strategy,
bytes_up, bytes_down, rounds, cost (bytes and rounds times round_price), and scope where
the grants cover only a part of the one asked for.
`

// runExplain tells what a sync with a node would cost.
func runExplain(ctx context.Context, s std, f *flags) error {
	dir, key, tenant, scope, asJSON := f.dir(), f.key(), f.tenant(), f.scope(), f.json()
	direction, price := f.String("direction", string(engine.Both), "pull, push or both"), f.roundPrice()
	web, grants := f.didWeb(), f.grants()
	help := f.help
	f.help = func() {
		help()
		fmt.Fprint(s.out, "\n"+explainHelp)
	}
	args, err := f.parse(1)
	if err != nil {
		return err
	}
	checked := syncFlags{direction: direction}
	if err := errors.Join(f.need("dir", "key", "tenant"), checked.check(engine.StrategyAuto), web.check()); err != nil {
		return err
	}
	client, err := newGrantee(args, *key, *tenant, *grants)
	if err != nil {
		return err
	}
	node, err := openNode(*dir, false, warnings(s.err)) // it asks, so it makes nothing
	if err != nil {
		return err
	}
	node.Resolver = web.resolver()
	opt := refserver.SyncOptions{Scope: scope.scope, Direction: engine.Direction(*direction), RoundPrice: int(*price)}
	e, err := explain(ctx, client, node.Node, opt)
	switch {
	case err != nil:
	case *asJSON:
		err = printJSON(s, e)
	default:
		err = e.print(s.out)
	}
	return errors.Join(err, node.close())
}

func explain(ctx context.Context, client *refserver.Client, node refserver.Node, opt refserver.SyncOptions) (explained, error) {
	var err error
	if opt.Cursor, err = client.Cursor(ctx, node, opt); err != nil {
		return explained{}, err
	}
	e, err := client.Explain(ctx, node, opt)
	if err != nil {
		return explained{}, err
	}
	result := explained{
		MessagesHere: e.Here.Count, MessagesThere: e.There.Count,
		LackedHere: int64(math.Round(e.OnlyThere)), LackedThere: int64(math.Round(e.OnlyHere)),
		Exact: e.Exact, Equal: e.Equal(), Cursor: e.Cursor, Requests: e.Requests, RoundPrice: e.RoundPrice,
		Takes: e.Takes, Why: e.Why, Scope: e.Scope,
	}
	for _, c := range e.Costs {
		result.Strategies = append(result.Strategies, explainedByCost{
			Strategy: c.Strategy, BytesUp: int64(math.Round(c.Up)), BytesDown: int64(math.Round(c.Down)),
			Rounds: math.Round(100*c.Rounds) / 100, Cost: int64(math.Round(c.Priced(float64(e.RoundPrice)))),
		})
	}
	return result, nil
}

// print writes e for people.
func (e explained) print(w io.Writer) error {
	about := "about "
	if e.Exact {
		about = ""
	}
	if e.Scope != nil {
		fmt.Fprintf(w, "the grants cover this scope only: %s\n", e.Scope)
	}
	fmt.Fprintf(w, "%d messages here, %d there; lacked here: %s%d, there: %s%d\n\n",
		e.MessagesHere, e.MessagesThere, about, e.LackedHere, about, e.LackedThere)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "strategy\tbytes up\tbytes down\trounds\tcost\t")
	for _, c := range e.Strategies {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.2f\t%d\t\n", c.Strategy, c.BytesUp, c.BytesDown, c.Rounds, c.Cost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nMessages not counted; the cost takes a round for %d bytes.\nauto takes %s: %s.\n", e.RoundPrice, e.Takes, e.Why)
	return err
}
