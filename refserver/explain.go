package refserver

import (
	"context"
	"encoding/json"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// Explain tells what a sync of the tenant's messages of node with the server would cost by
// each strategy, and what engine.StrategyAuto would take. No message moves. Of opt, Scope,
// Direction, Limits, RoundPrice and Cursor count. Where the client's grants cover only a part of
// opt.Scope, it is about that part, as Client.Sync would be, at the price of a request.
func (c *Client) Explain(ctx context.Context, node Node, opt SyncOptions) (Explanation, error) {
	e, err := c.explainScope(ctx, node, opt)
	if part, ok := c.narrower(opt.Scope, err); ok {
		opt.Scope = part
		e, err = c.explainScope(ctx, node, opt)
		e.Requests++ // the one that was refused
		return Explanation{e, part.AppendJSON(nil)}, err
	}
	return Explanation{e, nil}, err
}

// Explanation is what a sync would cost.
type Explanation struct {
	engine.Explanation
	// Scope is the one that it is about, where the grants cover only a part of the one asked
	// for; else nil.
	Scope json.RawMessage
}

// explainScope is about exactly opt.Scope.
func (c *Client) explainScope(ctx context.Context, node Node, opt SyncOptions) (engine.Explanation, error) {
	t := &transport{client: c, scope: opt.Scope, direction: auth.Push} // see engine.Explain
	return engine.Explain(ctx, c.replica(node, opt.Scope), t, engine.Options{
		Direction: opt.Direction, Limits: opt.Limits, RoundPrice: opt.RoundPrice, Cursor: opt.Cursor,
	})
}
