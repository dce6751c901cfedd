package main

import (
	"cmp"
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
	if err := errors.Join(f.need("dir", "key", "tenant"), opt.check(engine.Strategy(*opt.strategy)), web.check()); err != nil {
		return err
	}
	client, err := newGrantee(args, *key, *tenant, *grants)
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
	return newGrantee(args, key, tenant, nil)
}

// newGrantee is newClient for a key that goes by grants, if there are any.
func newGrantee(args []string, key, tenant string, grants []string) (*refserver.Client, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("%w: URL is missing", errUsage)
	}
	signer, err := readKey(key)
	if err != nil {
		return nil, err
	}
	if len(grants) > 0 && signer.DID() == tenant {
		return nil, fmt.Errorf("%w: -grant is for a key that is not the tenant's; this one needs none", errUsage)
	}
	client, err := refserver.NewClient(args[0], tenant, signer, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return client, client.UseGrants(grants...)
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
	printRefused(s, r)
	return err
}

// maxRefusedLines is how many refused messages people are told of by name.
const maxRefusedLines = 10

// printRefused writes a line for each of the first refused messages. A cause that has
// nothing to do with one message, such as a quota, refuses them all.
func printRefused(s std, r refserver.SyncResult) {
	named := r.Refused[:min(len(r.Refused), maxRefusedLines)]
	for _, refused := range named {
		line := "the " + refused.By + " refused " + cmp.Or(refused.CID, "what is no message")
		if refused.Reason != "" {
			line += ": " + refused.Reason
		}
		fmt.Fprintln(s.err, line)
	}
	if more := max(r.RefusedMessages, len(r.Refused)) - len(named); more > 0 {
		fmt.Fprintf(s.err, "and %d more were refused; -json lists up to %d\n", more, engine.MaxRefused)
	}
}
