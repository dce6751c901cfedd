package refserver

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// SyncOptions configure one sync. The zero value works: everything, in both
// directions, by the default strategy.
type SyncOptions struct {
	Scope     dwn.Scope
	Strategy  engine.Strategy
	Direction engine.Direction
	Limits    engine.Limits
	// RoundPrice is how many bytes a round is worth to engine.StrategyAuto: the round-trip
	// time times the bandwidth. Default engine.DefaultRoundPrice.
	RoundPrice int
	// Segments is what engine.StrategySegmented remembers from one sync with the same
	// server, tenant and scope to the next; nil: nothing.
	Segments *engine.SegmentMemory
	// Cursor is what engine.StrategyCursor remembers from one sync with the same server,
	// tenant, scope and signer to the next; nil: nothing. Client.Cursor and KeepCursor keep
	// it in the node's store.
	Cursor   *engine.CursorMemory
	Progress func(received, sent int)
}

// SyncResult says what a sync did and cost. Bytes are of HTTP bodies.
type SyncResult struct {
	Strategy         engine.Strategy         `json:"strategy"`
	Direction        engine.Direction        `json:"direction"`
	Rounds           int                     `json:"rounds"`
	BytesUp          int64                   `json:"bytes_up"` // all frames, tokens included; not data by CID
	BytesDown        int64                   `json:"bytes_down"`
	MetadataBytes    int64                   `json:"metadata_bytes"` // frames up and down but ITEMS and AUTH
	SummaryBytes     int64                   `json:"summary_bytes"`  // of these, SUMMARY frames
	MetadataUp       int64                   `json:"metadata_bytes_up"`
	MetadataDown     int64                   `json:"metadata_bytes_down"`
	ItemsUp          int64                   `json:"item_bytes_up"` // ITEMS frames: compressed messages
	ItemsDown        int64                   `json:"item_bytes_down"`
	MessagesReceived int                     `json:"messages_received"`
	MessagesSent     int                     `json:"messages_sent"`
	Delivered        map[engine.Strategy]int `json:"delivered"`        // received and sent, by the strategy that found them
	Refused          []Refused               `json:"refused"`          // at most engine.MaxRefused of them
	RefusedMessages  int                     `json:"refused_messages"` // how many there were
	Complete         bool                    `json:"complete"`
	RootsEqual       bool                    `json:"roots_equal"`
	DataReceived     int                     `json:"data_received"` // record data fetched by CID
	DataSent         int                     `json:"data_sent"`
	DataMissing      int                     `json:"data_missing"`  // wanted here, and the server has it neither
	DataRefused      int                     `json:"data_refused"`  // wanted, and the quota of the side that wants it has no room
	DataBytesUp      int64                   `json:"data_bytes_up"` // of data sent by CID; data_bytes_down of that received
	DataBytesDown    int64                   `json:"data_bytes_down"`
	ElapsedMS        int64                   `json:"elapsed_ms"`
	// Scope is the one that was synced, where the grants cover only a part of the one asked for.
	Scope json.RawMessage `json:"scope,omitempty"`
}

// Refused is a message that one side would not store.
type Refused struct {
	By     string `json:"by"`            // "initiator" or "responder"
	CID    string `json:"cid,omitempty"` // absent where the bytes were no message
	Reason string `json:"reason"`
}

// Sync syncs the tenant's messages of node with the server, then the record data
// that does not travel with its message. The result is valid also where the
// error is not nil. A sync that is not proved to be complete is
// engine.ErrIncomplete. Where the client's grants cover only a part of opt.Scope, that part
// is synced, and the result names it.
func (c *Client) Sync(ctx context.Context, node Node, opt SyncOptions) (SyncResult, error) {
	start := time.Now()
	result, err := c.syncScope(ctx, node, opt)
	if part, ok := c.narrower(opt.Scope, err); ok {
		opt.Scope = part
		result, err = c.syncScope(ctx, node, opt)
		result.Scope = part.AppendJSON(nil)
	}
	result.ElapsedMS = time.Since(start).Milliseconds()
	return result, err
}

// narrower returns the part of scope that a refusal offers. A server that offers what was
// not asked for, or the same, is not followed.
func (c *Client) narrower(scope dwn.Scope, refusal error) (dwn.Scope, bool) {
	var p *Problem
	if !errors.As(refusal, &p) || p.Code != codeNarrower || len(c.grants) == 0 {
		return scope, false
	}
	part, err := dwn.ParseScope(p.Scope)
	return part, err == nil && part != scope && scope.Covers(part)
}

// syncScope syncs exactly opt.Scope.
func (c *Client) syncScope(ctx context.Context, node Node, opt SyncOptions) (SyncResult, error) {
	if opt.Direction == "" {
		opt.Direction = engine.Both
	}
	t := &transport{client: c, scope: opt.Scope, direction: auth.Direction(opt.Direction)}
	options := engine.Options{
		Strategy: opt.Strategy, Direction: opt.Direction, Limits: opt.Limits, RoundPrice: opt.RoundPrice,
		Segments: opt.Segments, Cursor: opt.Cursor,
	}
	if opt.Progress != nil {
		options.Progress = func(r *engine.Report) { opt.Progress(r.Received, r.Sent) }
	}
	report, err := engine.Sync(ctx, c.replica(node, opt.Scope), t, options)
	result := resultOf(report, t.authBytes.Load())
	if err == nil {
		err = c.syncData(ctx, node.Store.Tenant(c.tenant), opt, &result)
	}
	return result, err
}

func resultOf(r engine.Report, authBytes int64) SyncResult {
	result := SyncResult{
		Strategy: r.Strategy, Direction: r.Direction, Rounds: r.Rounds,
		BytesUp:       r.Up.Metadata + r.Up.Items + authBytes,
		BytesDown:     r.Down.Metadata + r.Down.Items,
		MetadataBytes: r.Up.Metadata + r.Down.Metadata,
		SummaryBytes:  r.Up.Summaries + r.Down.Summaries,
		MetadataUp:    r.Up.Metadata, MetadataDown: r.Down.Metadata,
		ItemsUp: r.Up.Items, ItemsDown: r.Down.Items,
		MessagesReceived: r.Received, MessagesSent: r.Sent, Delivered: r.Delivered,
		Refused: []Refused{}, RefusedMessages: r.RefusedItems,
		Complete: r.Complete, RootsEqual: r.RootsEqual,
	}
	for _, refusal := range r.Refused {
		refused := Refused{By: "initiator", Reason: refusal.Reason}
		if !refusal.Here {
			refused.By = "responder"
		}
		if refusal.Key != (engine.Key{}) {
			refused.CID = dwn.CIDOf(refusal.Key.ID).String()
		}
		result.Refused = append(result.Refused, refused)
	}
	return result
}
