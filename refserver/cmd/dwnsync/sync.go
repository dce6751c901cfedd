package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
)

// runSync syncs a folder with a node over HTTP.
func runSync(ctx context.Context, s std, f *flags) error {
	dir, key, tenant, opt, price := f.dir(), f.key(), f.tenant(), f.sync(string(engine.DefaultStrategy)), f.roundPrice()
	web, grants := f.didWeb(), f.grants()
	args, err := f.parse(1)
	if err != nil {
		return err
	}
	if err := errors.Join(f.need("dir", "key", "tenant"), opt.check(engine.Strategy(*opt.strategy))); err != nil {
		return err
	}
	client, err := newClient(args, *key, *tenant)
	if err == nil {
		err = client.UseGrants(*grants...)
	}
	if err != nil {
		return err
	}
	node, err := openNode(*dir, true, warnings(s.err))
	if err != nil {
		return err
	}
	node.Resolver = web.resolver()
	bar := newProgress(s, "sync")
	result, err := syncRemembering(ctx, client, node.Node, refserver.SyncOptions{
		Scope: opt.scope.scope, Strategy: engine.Strategy(*opt.strategy), Direction: engine.Direction(*opt.direction),
		RoundPrice: int(*price), Progress: func(received, sent int) { bar.set(received + sent) },
	}, warnings(s.err))
	bar.done()
	if *opt.json || err == nil || errors.Is(err, engine.ErrIncomplete) {
		err = errors.Join(printResult(s, result, *opt.json), err)
	}
	return errors.Join(err, node.close())
}

// newClient returns a client of the URL that is the only one of args.
func newClient(args []string, key, tenant string) (*refserver.Client, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("%w: URL is missing", errUsage)
	}
	signer, err := readKey(key)
	if err != nil {
		return nil, err
	}
	client, err := refserver.NewClient(args[0], tenant, signer, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return client, nil
}

func printResult(s std, r refserver.SyncResult, asJSON bool) error {
	if asJSON {
		return printJSON(s, r)
	}
	state := "NOT complete"
	if r.Complete {
		state = "complete"
	}
	_, err := fmt.Fprintf(s.out, "%s: %d received, %d sent in %d rounds by %s, %d bytes up, %d down (%d metadata), %d ms\n",
		state, r.MessagesReceived, r.MessagesSent, r.Rounds, r.Strategy, r.BytesUp, r.BytesDown, r.MetadataBytes, r.ElapsedMS)
	fmt.Fprintf(s.out, "metadata: %d bytes up, %d down; messages: %d up, %d down", r.MetadataUp, r.MetadataDown, r.ItemsUp, r.ItemsDown)
	for _, by := range slices.Sorted(maps.Keys(r.Delivered)) {
		fmt.Fprintf(s.out, "; %d found by %s", r.Delivered[by], by)
	}
	fmt.Fprintln(s.out)
	if r.Scope != nil {
		fmt.Fprintf(s.out, "the grants cover this scope only: %s\n", r.Scope)
	}
	if r.DataReceived+r.DataSent+r.DataMissing > 0 {
		fmt.Fprintf(s.out, "record data by CID: %d received, %d sent, %d missing on both sides\n", r.DataReceived, r.DataSent, r.DataMissing)
	}
	for _, refused := range r.Refused {
		fmt.Fprintf(s.err, "the %s refused %s: %s\n", refused.By, refused.CID, refused.Reason)
	}
	return err
}
