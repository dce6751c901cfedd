package refserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// HeldGrant is a permission grant of a tenant's that a node holds.
type HeldGrant struct {
	Record
	Revoked bool `json:"revoked"` // or deleted
}

// How many grants, and bytes of them before they are JSON, an answer to GET /v1/grants has
// at most: it is below 16 MiB, which is what a client reads.
const (
	maxGrants     = 1000
	maxGrantBytes = 6 << 20
)

// getGrants tells the tenant, and nobody else, which of its grants this node holds.
func (s *Server) getGrants(w http.ResponseWriter, r *http.Request) error {
	claims, err := s.authorize(r)
	if err != nil {
		return err
	}
	if err := auth.Authorize(claims.Signer, claims.Tenant); err != nil {
		return err
	}
	held, size := []HeldGrant{}, 0
	for g, err := range s.node.Store.Tenant(claims.Tenant).Grants(r.Context()) {
		if err != nil {
			return err
		}
		if len(g.Data) > auth.MaxGrantData || g.Message.Author() != claims.Tenant {
			continue // it is no grant of the tenant's, and must not hide one
		}
		if size += g.Size(); size > maxGrantBytes {
			break
		}
		held = append(held, HeldGrant{NewRecord(claims.Tenant, g.Message, g.Data), g.Revoked})
		if len(held) == maxGrants {
			break
		}
	}
	return writeJSON(w, http.StatusOK, held)
}

// Grants returns the tenant's permission grants that the server holds, at most 1000 of them.
// What is no grant that could be used is left out. The client has to sign as the tenant.
func (c *Client) Grants(ctx context.Context) ([]auth.NamedGrant, error) {
	var held []HeldGrant
	if err := c.callJSON(ctx, http.MethodGet, "/v1/grants", nil, &held); err != nil {
		return nil, err
	}
	var grants []auth.NamedGrant
	for _, h := range held {
		g, err := parseGrantRecord(h.Record)
		if err == nil {
			grants = append(grants, auth.NamedGrant{Grant: g, Revoked: h.Revoked})
		}
	}
	return grants, nil
}

func parseGrantRecord(r Record) (auth.Grant, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return auth.Grant{}, err
	}
	_, e, err := ParseRecord(text)
	if err != nil {
		return auth.Grant{}, err
	}
	return auth.ParseGrant(e.Message, e.Data)
}

// Grants returns a tenant's permission grants that the node holds, in no order. What is no grant
// that could be used is handed to unusable, if that is not nil.
func (n Node) Grants(ctx context.Context, tenant string, unusable func(store.Entry, error)) ([]auth.NamedGrant, error) {
	var grants []auth.NamedGrant
	for held, err := range n.Store.Tenant(tenant).Grants(ctx) {
		if err != nil {
			return nil, fmt.Errorf("grants: %w", err)
		}
		g, err := auth.ParseGrant(held.Message, held.Data)
		if err == nil {
			grants = append(grants, auth.NamedGrant{Grant: g, Revoked: held.Revoked})
		} else if unusable != nil {
			unusable(held.Entry, err)
		}
	}
	return grants, nil
}
