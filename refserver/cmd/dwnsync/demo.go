package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// errDemo reports a demo whose nodes do not hold what they must.
var errDemo = errors.New("the nodes do not hold what the sync promises")

// demoResult is the sum over all strategies that were run, and each of them.
type demoResult struct {
	refserver.SyncResult
	Results []refserver.SyncResult `json:"results"`
}

// runDemo syncs two real nodes on loopback, in temporary folders, that each lack
// a part of the shipped messages.
func runDemo(ctx context.Context, s std, f *flags) error {
	opt := f.sync("all")
	if _, err := f.parse(0); err != nil {
		return err
	}
	strategies := engine.Strategies()
	if *opt.strategy != "all" {
		strategies = []engine.Strategy{engine.Strategy(*opt.strategy)}
	}
	if err := opt.check(strategies[0]); err != nil {
		return err
	}
	d, err := newDemo(opt)
	if err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	if !*opt.json {
		d.explain(s.out)
	}
	total := demoResult{SyncResult: refserver.SyncResult{
		Strategy: engine.Strategy(*opt.strategy), Direction: d.direction, Complete: true, RootsEqual: true,
		Delivered: map[engine.Strategy]int{}, Refused: []refserver.Refused{},
	}}
	var failed error
	for _, strategy := range strategies {
		r, err := d.run(ctx, strategy)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", strategy, err))
		}
		total.add(r)
	}
	if *opt.json {
		return errors.Join(printJSON(s, total), failed)
	}
	if err := d.table(s.out, total.Results); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	return d.verdict(s.out)
}

func (t *demoResult) add(r refserver.SyncResult) {
	t.Results = append(t.Results, r)
	t.Rounds += r.Rounds
	t.BytesUp += r.BytesUp
	t.BytesDown += r.BytesDown
	t.MetadataBytes += r.MetadataBytes
	t.SummaryBytes += r.SummaryBytes
	t.MetadataUp += r.MetadataUp
	t.MetadataDown += r.MetadataDown
	t.ItemsUp += r.ItemsUp
	t.ItemsDown += r.ItemsDown
	t.MessagesReceived += r.MessagesReceived
	t.MessagesSent += r.MessagesSent
	t.DataReceived += r.DataReceived
	t.DataSent += r.DataSent
	t.DataMissing += r.DataMissing
	t.DataBytesUp += r.DataBytesUp
	t.DataBytesDown += r.DataBytesDown
	t.ElapsedMS += r.ElapsedMS
	t.Complete = t.Complete && r.Complete
	t.RootsEqual = t.RootsEqual && r.RootsEqual
	t.Refused = append(t.Refused, r.Refused...)
	for by, n := range r.Delivered {
		t.Delivered[by] += n
	}
}

// demo is the messages of one tenant, split so that each side lacks a part.
type demo struct {
	dir       string
	tenant    string
	signer    *auth.Signer
	scope     dwn.Scope
	direction engine.Direction
	here      []store.Entry // what the initiator has at first
	there     []store.Entry
}

// A tenth of the messages is only here, three tenths only there.
const (
	onlyHere  = 1
	onlyThere = 3
)

func newDemo(opt syncFlags) (*demo, error) {
	d := &demo{tenant: datasets.CorpusTenants()[0], scope: opt.scope.scope, direction: engine.Direction(*opt.direction)}
	jwk, _ := datasets.CorpusKey(d.tenant)
	var err error
	if d.signer, err = auth.ParseSigner(jwk); err != nil {
		return nil, err
	}
	n := 0
	for m, err := range datasets.Corpus() {
		if err != nil {
			return nil, err
		}
		if m.Tenant != d.tenant || !m.Retained || len(m.Data) > dwn.MaxInlineData {
			continue
		}
		entry := store.Entry{Message: m.Message, Data: m.Data}
		if place := n % 10; place >= onlyHere+onlyThere {
			d.here, d.there = append(d.here, entry), append(d.there, entry)
		} else if place < onlyHere {
			d.here = append(d.here, entry)
		} else {
			d.there = append(d.there, entry)
		}
		n++
	}
	d.dir, err = os.MkdirTemp("", "dwnsync-demo-")
	return d, err
}

// node is one running node of the demo.
type node struct {
	refserver.Node
	url  string
	stop func() error
}

// start opens a node with entries and serves it on a port of its own.
func (d *demo) start(ctx context.Context, name string, entries []store.Entry) (*node, error) {
	opened, err := openNode(filepath.Join(d.dir, name), true, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	n := &node{Node: opened.Node, stop: opened.close}
	if err := d.fill(ctx, n, entries); err != nil {
		return nil, errors.Join(err, opened.close())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, opened.close())
	}
	n.url = "http://" + listener.Addr().String()
	handler, err := refserver.NewServer(n.Node, refserver.ServerOptions{Origins: []string{n.url}, Version: version()})
	if err != nil {
		return nil, errors.Join(err, listener.Close(), opened.close())
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, listener, handler, func(context.Context) {}, slog.New(slog.DiscardHandler))
	}()
	n.stop = func() error {
		cancel()
		return errors.Join(<-done, opened.close())
	}
	return n, nil
}

// fill stores the shipped messages as they are. What a sync moves is verified.
func (d *demo) fill(ctx context.Context, n *node, entries []store.Entry) error {
	for batch := range slices.Chunk(entries, store.MaxBatch) {
		if _, err := n.Store.Tenant(d.tenant).Put(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// run syncs two fresh nodes by one strategy and checks what they hold.
func (d *demo) run(ctx context.Context, strategy engine.Strategy) (refserver.SyncResult, error) {
	result := refserver.SyncResult{Strategy: strategy, Direction: d.direction}
	here, err := d.start(ctx, string(strategy)+"-here", d.here)
	if err != nil {
		return result, err
	}
	there, err := d.start(ctx, string(strategy)+"-there", d.there)
	if err != nil {
		return result, errors.Join(err, here.stop())
	}
	result, err = d.sync(ctx, strategy, here, there)
	return result, errors.Join(err, here.stop(), there.stop())
}

func (d *demo) sync(ctx context.Context, strategy engine.Strategy, here, there *node) (refserver.SyncResult, error) {
	result := refserver.SyncResult{Strategy: strategy, Direction: d.direction}
	client, err := refserver.NewClient(there.url, d.tenant, d.signer, nil)
	if err != nil {
		return result, err
	}
	before, err := d.holdings(ctx, here, there)
	if err != nil {
		return result, err
	}
	result, err = client.Sync(ctx, here.Node, refserver.SyncOptions{Scope: d.scope, Strategy: strategy, Direction: d.direction})
	if err != nil {
		return result, err
	}
	after, err := d.holdings(ctx, here, there)
	if err != nil {
		return result, err
	}
	return result, d.check(before, after)
}

// holdings are the sorted CIDs in scope of both nodes.
type holdings struct{ here, there []string }

func (d *demo) holdings(ctx context.Context, here, there *node) (h holdings, err error) {
	if h.here, err = sortedCIDs(ctx, here.Store.Tenant(d.tenant), d.scope); err != nil {
		return h, err
	}
	h.there, err = sortedCIDs(ctx, there.Store.Tenant(d.tenant), d.scope)
	return h, err
}

// check compares what the nodes hold after a sync with what they held before,
// without the engine: nothing lost, nothing invented.
func (d *demo) check(before, after holdings) error {
	union := merge(before.here, before.there)
	wantHere, wantThere := before.here, before.there
	if d.direction.Pulls() {
		wantHere = union
	}
	if d.direction.Pushes() {
		wantThere = union
	}
	// A delete comes into scope on a node with the initial write of its record.
	known := merge(union, d.inScope())
	for _, c := range []struct {
		name      string
		got, want []string
	}{{"here", after.here, wantHere}, {"there", after.there, wantThere}} {
		if lost := minus(c.want, c.got); len(lost) > 0 {
			return fmt.Errorf("%w: %d messages are not %s, the first is %s", errDemo, len(lost), c.name, lost[0])
		}
		if invented := minus(c.got, known); len(invented) > 0 {
			return fmt.Errorf("%w: %d messages %s are none of those at the start", errDemo, len(invented), c.name)
		}
	}
	if d.direction == engine.Both && !slices.Equal(after.here, after.there) {
		return fmt.Errorf("%w: %d messages here, %d there", errDemo, len(after.here), len(after.there))
	}
	return nil
}

func merge(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// minus returns what is in a and not in b, which is sorted.
func minus(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool {
		_, found := slices.BinarySearch(b, s)
		return found
	})
}

// inScope returns the sorted CIDs of all messages in scope. A delete is in scope
// with the initial write of its record, on whichever side that is.
func (d *demo) inScope() []string {
	all := slices.Concat(d.here, d.there)
	initial := map[string]dwn.Attributes{}
	for _, e := range all {
		if e.Message.IsInitialWrite() {
			initial[e.Message.RecordID()] = e.Message.Attributes()
		}
	}
	var cids []string
	for _, e := range all {
		a := e.Message.Attributes()
		if first, ok := initial[a.RecordID]; ok && a.Method == "Delete" {
			a = a.Inherit(first)
		}
		if d.scope.Matches(a) {
			cids = append(cids, e.Message.CID().String())
		}
	}
	return merge(cids, nil)
}

func (d *demo) explain(w io.Writer) {
	fmt.Fprintf(w, "Two nodes on loopback hold DWN messages of one tenant: %d here, %d there.\n", len(d.here), len(d.there))
	fmt.Fprintf(w, "Each strategy starts from that state (direction %s).\n\n", d.direction)
}

func (d *demo) table(w io.Writer, results []refserver.SyncResult) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "strategy\trounds\treceived\tsent\tbytes up\tbytes down\tof it metadata\ttime\tcomplete\tequal\t")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%v\t%t\t%t\t\n", r.Strategy, r.Rounds, r.MessagesReceived, r.MessagesSent,
			r.BytesUp, r.BytesDown, r.MetadataBytes, time.Duration(r.ElapsedMS)*time.Millisecond, r.Complete, r.RootsEqual)
	}
	return t.Flush()
}

// verdict says what check has found in order after every sync.
func (d *demo) verdict(w io.Writer) error {
	if d.direction == engine.Both {
		_, err := fmt.Fprintf(w, "\nChecked apart from the engine: both nodes hold the same %d messages after each sync.\n", len(d.inScope()))
		return err
	}
	_, err := fmt.Fprintf(w, "\nChecked apart from the engine: each node holds what %s promises.\n", d.direction)
	return err
}
