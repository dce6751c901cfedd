package refserver

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// Cursor returns what node's store keeps, for SyncOptions.Cursor, of the last sync with the
// server by the same signer, of the same tenant, scope and direction: an empty memory where
// that is nothing, or damaged. The caller hands it to Sync and, after a sync without an
// error, to KeepCursor. What it says is checked before it is used, so one that is lost, old
// or of a restored backup costs bytes and never a message: it is kept among the folds,
// of which nothing is needed.
func (c *Client) Cursor(ctx context.Context, node Node, opt SyncOptions) (*engine.CursorMemory, error) {
	_, data, _, err := node.Store.Tenant(c.tenant).Fold(ctx, c.cursorName(opt))
	if errors.Is(err, store.ErrFoldDamaged) {
		err = nil
	}
	return engine.DecodeCursorMemory(data), err
}

// KeepCursor keeps opt.Cursor in node's store for Cursor. An error means that the next sync
// will cost more bytes.
func (c *Client) KeepCursor(ctx context.Context, node Node, opt SyncOptions) error {
	if opt.Cursor == nil {
		return nil
	}
	rows := node.Store.Tenant(c.tenant)
	last, err := rows.Last(ctx)
	if err != nil {
		return err
	}
	return rows.KeepFold(ctx, c.cursorName(opt), last, opt.Cursor.AppendBinary(nil))
}

// cursorName names the fold that keeps a cursor. All of them have one length, below
// store.MaxFoldName, however long a URL or a scope is.
func (c *Client) cursorName(opt SyncOptions) string {
	direction := opt.Direction
	if direction == "" {
		direction = engine.Both
	}
	h := sha256.New()
	for _, part := range []string{c.origin, c.signer.DID(), string(summaries.Label(opt.Scope)), string(direction)} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return "cursor " + hex.EncodeToString(h.Sum(nil)[:24])
}
