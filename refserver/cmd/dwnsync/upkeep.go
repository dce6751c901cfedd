package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// maxUpkeep is ten years of 365 days; maxPauses times as much is a time.Duration.
const (
	maxUpkeep = 10 * 365 * 24 * time.Hour
	maxPauses = 8
)

// usableUpkeep returns nil for a flag that again can be given.
func usableUpkeep(name string, every time.Duration) error {
	if every != 0 && (every < minEvery || every > maxUpkeep) {
		return fmt.Errorf("%w: -%s %s is not 0 and not between %s and %s", errUsage, name, every, minEvery, maxUpkeep)
	}
	return nil
}

// again does what a server does for its tenants now and then, again and again until ctx is
// over; every 0 is never. The pauses between are drawn anew each time, exponentially, every
// on average: so it does not matter how often the program is started, and nodes of one
// tenant hardly ever do it at once.
func again(ctx context.Context, every time.Duration, do func(context.Context)) {
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
			do(ctx)
		}
	}
}

// eachHeld calls f for all tenants of a node that have a secret, one after another, until
// ctx is over. Who never synced has none, and no summaries.
func eachHeld(ctx context.Context, node refserver.Node, log *slog.Logger, f func(did string)) {
	for did, err := range node.Store.Tenants(ctx) {
		held := false
		if err == nil {
			_, held, err = node.Store.Tenant(did).Secret(ctx, nil)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("a tenant was left out", "error", err)
		case held:
			f(did)
		}
	}
}

// rotateAll rotates the secrets of all tenants that have one, while syncs go on.
func rotateAll(ctx context.Context, node refserver.Node, log *slog.Logger) {
	eachHeld(ctx, node, log, func(did string) {
		next, err := node.Rotate(ctx, did)
		switch {
		case err == nil:
			log.Info("rotated a tenant's secret", "generation", next.Generation)
		case ctx.Err() == nil:
			log.Warn("a tenant's secret was not rotated", "error", err)
		}
	})
}

// checkAll compares the summaries of all tenants that have a secret with what is stored,
// while syncs go on, and makes those again that are not of that. No sync can: two nodes
// that are wrong by the same have equal roots.
func checkAll(ctx context.Context, node refserver.Node, log *slog.Logger) {
	eachHeld(ctx, node, log, func(did string) {
		err := node.Keeper.Check(ctx, did)
		switch {
		case err == nil:
			log.Debug("checked a tenant's summaries")
			return
		case ctx.Err() != nil:
			return
		case !errors.Is(err, summaries.ErrDrift):
			log.Warn("a tenant's summaries were not checked", "error", err)
			return
		}
		log.Error("a tenant's summaries drifted and are made again; dwnsync fsck tells whether messages are damaged", "error", err)
		switch err := node.Keeper.Rebuild(ctx, did); {
		case err == nil:
			log.Info("made a tenant's summaries again")
		case ctx.Err() == nil:
			log.Error("a tenant's summaries were not made again", "error", err)
		}
	})
}
