package refserver

import (
	"context"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// sealer returns what seals the cursors of a sync, under the store's key and for the view's
// tenant, scope and requester alone; nil where there can be none, without which the next
// sync costs more bytes.
func (s *Server) sealer(ctx context.Context, claims auth.InitClaims) engine.Sealer {
	if s.node.Keeper == nil {
		return nil
	}
	key, err := s.node.Store.SealKey(ctx)
	var sealer engine.KeySealer
	if err == nil {
		sealer, err = engine.NewSealer(key, claims.Tenant, string(summaries.Label(claims.Scope)), claims.Signer)
	}
	if err != nil {
		s.log.Warn("no cursor: the next sync costs more", "error", err)
		return nil
	}
	return sealer
}
