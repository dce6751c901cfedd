package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// rotated is what rotate did.
type rotated struct {
	Generation uint64 `json:"generation"` // of the secret that is held now
	Messages   uint64 `json:"messages"`   // that summaries are kept of under it
}

// runRotate gives a tenant the next secret. Its summaries under it are made before it
// counts, so that the next sync does not have to.
func runRotate(ctx context.Context, s std, f *flags) error {
	dir, tenant, asJSON := f.dir(), f.tenant(), f.json()
	if _, err := f.parse(0); err != nil {
		return err
	}
	if err := f.need("dir", "tenant"); err != nil {
		return err
	}
	node, err := openAlone(s, *dir, "rotate")
	if err != nil {
		return err
	}
	r, err := rotate(ctx, node, *dir, *tenant)
	if err = errors.Join(err, node.close()); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(s, r)
	}
	_, err = fmt.Fprintf(s.out, "secret of generation %d, summaries of %d messages under it; other nodes of the tenant take it over when they sync\n",
		r.Generation, r.Messages)
	return err
}

func rotate(ctx context.Context, node folderNode, dir, did string) (rotated, error) {
	rows := node.Store.Tenant(did)
	present, err := node.Store.Has(ctx, did)
	if err != nil {
		return rotated{}, err
	}
	if _, ok, err := rows.Secret(ctx); err != nil {
		return rotated{}, err
	} else if !ok && !present {
		return rotated{}, errNobody(did, dir)
	}
	secret, err := node.Rotate(ctx, did)
	if err != nil {
		return rotated{}, err
	}
	view, err := node.Keeper.View(ctx, did, dwn.Scope{}, secret)
	if err != nil {
		return rotated{}, err
	}
	return rotated{secret.Generation, view.Root.Count}, nil
}

// maxRotateEvery is ten years of 365 days; maxPauses times as much is a time.Duration.
const (
	maxRotateEvery = 10 * 365 * 24 * time.Hour
	maxPauses      = 8
)

// rotateAgain rotates the secrets of all tenants of a node that have one, one after
// another, again and again until ctx is over, while syncs go on. The pauses between are
// drawn anew each time, exponentially, every on average: so it does not matter how often
// the program is started, and nodes of one tenant hardly ever rotate at once.
func rotateAgain(ctx context.Context, node refserver.Node, every time.Duration, log *slog.Logger) {
	if every == 0 {
		return
	}
	for {
		pause := time.NewTimer(time.Duration(min(rand.ExpFloat64(), maxPauses) * float64(every)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
			rotateAll(ctx, node, log)
		}
	}
}

func rotateAll(ctx context.Context, node refserver.Node, log *slog.Logger) {
	for did, err := range node.Store.Tenants(ctx) {
		held := false
		if err == nil {
			_, held, err = node.Store.Tenant(did).Secret(ctx)
		}
		var next store.Secret
		if err == nil && held { // who never synced needs none
			next, err = node.Rotate(ctx, did)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("a tenant's secret was not rotated", "error", err)
		case held:
			log.Info("rotated a tenant's secret", "generation", next.Generation)
		}
	}
}
