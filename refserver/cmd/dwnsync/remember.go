package main

import (
	"context"
	"log/slog"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
)

// syncRemembering syncs with what the last sync of the folder with that server left there,
// and leaves what the next one can use. That it cannot be read or kept costs bytes, so log
// is told and the sync goes on.
func syncRemembering(ctx context.Context, client *refserver.Client, node refserver.Node, opt refserver.SyncOptions, log *slog.Logger) (refserver.SyncResult, error) {
	memory, err := client.Cursor(ctx, node, opt)
	if err != nil {
		log.Warn("the cursor of the last sync cannot be read", "error", err)
		memory = new(engine.CursorMemory)
	}
	opt.Cursor = memory
	result, err := client.Sync(ctx, node, opt)
	if !result.Complete { // record data may be missing: no cursor is about that
		return result, err
	}
	if err := client.KeepCursor(ctx, node, opt); err != nil {
		log.Warn("the cursor for the next sync cannot be kept", "error", err)
	}
	return result, err
}
