package engine

import (
	"context"
	"errors"
	"iter"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

// Transport carries one request to a responder and returns its reply. It must have
// read items to their end, or given them up, when Exchange returns: the engine then
// goes on with what was sent. The caller iterates over the reply once; the transport
// releases it where that iteration ends.
type Transport interface {
	Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error)
}

// Sync runs one sync of replica with the responder behind transport. The report
// is valid also where the error is not nil: what arrived is stored.
func Sync(ctx context.Context, replica Replica, transport Transport, opt Options) (Report, error) {
	initiator, err := NewInitiator(replica, opt)
	if err != nil {
		return Report{}, err
	}
	for {
		done, err := initiator.exchange(ctx, transport)
		if done || err != nil {
			return initiator.Report(), err
		}
	}
}

func (i *Initiator) exchange(ctx context.Context, transport Transport) (bool, error) {
	head, items, err := i.Request(ctx)
	if err != nil {
		return false, err
	}
	reply, err := transport.Exchange(ctx, head, items)
	if errors.Is(err, ErrUnsupported) && i.unsupported() {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return i.Reply(ctx, reply)
}

// Direct is the Transport to a responder in the same process.
type Direct struct {
	Replica Replica
	Options RespondOptions
}

// Exchange answers the request from the replica.
func (d Direct) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	return Respond(ctx, d.Replica, wire.Join(head, items), d.Options)
}
