package refserver

import (
	"context"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// Explain tells what a sync of the tenant's messages of node with the server would cost by
// each strategy, and what engine.StrategyAuto would take. No message moves. Of opt, Scope,
// Direction, Limits, RoundPrice and Cursor count.
func (c *Client) Explain(ctx context.Context, node Node, opt SyncOptions) (engine.Explanation, error) {
	t := &transport{client: c, scope: opt.Scope, direction: auth.Push} // see engine.Explain
	return engine.Explain(ctx, c.replica(node, opt.Scope), t, engine.Options{
		Direction: opt.Direction, Limits: opt.Limits, RoundPrice: opt.RoundPrice, Cursor: opt.Cursor,
	})
}
