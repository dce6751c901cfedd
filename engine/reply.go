package engine

import (
	"context"
	"iter"
	"math"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

// reply yields the frames of the reply, the items as they are read.
func (r *responder) reply(ctx context.Context) iter.Seq2[wire.Frame, error] {
	return func(yield func(wire.Frame, error) bool) {
		if !r.replyHead(yield) || r.ack.WantSecret {
			return
		}
		budget := min(r.opt.Limits.ReplyBytes, int64(min(r.init.Budget, 1<<62)))
		sent := 0
		for f, err := range wire.EncodeItems(payloadsWithin(r.view.Items(ctx, r.send), budget, math.MaxInt, func(Item) { sent++ })) {
			if !yield(f, err) || err != nil {
				return
			}
		}
		end := wire.TypeDone
		if sent < len(r.send) {
			end = wire.TypeMore
		}
		yield(wire.EncodeBody(end, wire.End{Items: uint64(sent)}))
	}
}

// replyHead yields what stands before the items and reports whether to go on.
func (r *responder) replyHead(yield func(wire.Frame, error) bool) bool {
	ack, err := wire.EncodeBody(wire.TypeAck, r.ack)
	if !yield(ack, err) || err != nil {
		return false
	}
	if !r.ack.WantSecret && (r.init.Secret == nil || *r.init.Secret != r.secret.SecretName) {
		secret, err := wire.EncodeBody(wire.TypeSecret, r.secret)
		if !yield(secret, err) || err != nil {
			return false
		}
	}
	for _, f := range r.digest.frames() {
		if !yield(f, nil) {
			return false
		}
	}
	return true
}

// payloadsWithin yields payloads until they are limit or their sizes reach budget,
// but at least one, so that every round gets further. sent is told of each.
func payloadsWithin(items iter.Seq2[Item, error], budget int64, limit int, sent func(Item)) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		first := true
		for item, err := range items {
			if err != nil {
				yield(nil, err)
				return
			}
			budget -= wire.ItemSize(item.Payload)
			if limit--; !first && (budget < 0 || limit < 0) {
				return
			}
			first = false
			sent(item)
			if !yield(item.Payload, nil) {
				return
			}
		}
	}
}
