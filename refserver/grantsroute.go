package refserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

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

// heldGrant returns g as an answer has it, false where it is no grant of the tenant's.
func heldGrant(tenant string, g store.Grant) (HeldGrant, bool) {
	if len(g.Data) > auth.MaxGrantData || g.Message.Author() != tenant {
		return HeldGrant{}, false
	}
	return HeldGrant{NewRecord(tenant, g.Message, g.Data), g.Revoked}, true
}

// authorizeTenant returns the tenant whose own key signed a call.
func (s *Server) authorizeTenant(r *http.Request) (string, error) {
	claims, err := s.authorize(r)
	if err == nil {
		err = auth.Authorize(claims.Signer, claims.Tenant)
	}
	return claims.Tenant, err
}

// getGrants tells the tenant, and nobody else, which of its grants this node holds.
func (s *Server) getGrants(w http.ResponseWriter, r *http.Request) error {
	tenant, err := s.authorizeTenant(r)
	if err != nil {
		return err
	}
	all, size := []HeldGrant{}, 0
	for g, err := range s.node.Store.Tenant(tenant).Grants(r.Context()) {
		if err != nil {
			return err
		}
		held, ok := heldGrant(tenant, g)
		if !ok {
			continue // it must not hide one
		}
		if size += g.Size(); size > maxGrantBytes {
			break
		}
		if all = append(all, held); len(all) == maxGrants {
			break
		}
	}
	return writeJSON(w, http.StatusOK, all)
}

// getGrant tells the tenant, and nobody else, of one of its grants, however many there are.
func (s *Server) getGrant(w http.ResponseWriter, r *http.Request) error {
	tenant, err := s.authorizeTenant(r)
	if err != nil {
		return err
	}
	id := r.PathValue("recordId")
	e, revoked, err := s.node.Store.Tenant(tenant).Grant(r.Context(), id)
	if err != nil {
		return err
	}
	held, ok := heldGrant(tenant, store.Grant{Entry: e, Revoked: revoked})
	if !ok {
		return fmt.Errorf("grant %.80q: %w", id, store.ErrNotFound)
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

// Grant returns the tenant's permission grant of that record ID, however many the server
// holds. Where it holds none it is a *Problem with the code "not-found", and auth.ErrGrant
// where the record is no grant that could be used. The client has to sign as the tenant.
func (c *Client) Grant(ctx context.Context, recordID string) (auth.NamedGrant, error) {
	if err := auth.CheckGrantIDs([]string{recordID}); err != nil {
		return auth.NamedGrant{}, err
	}
	var held HeldGrant
	if err := c.callJSON(ctx, http.MethodGet, "/v1/grants/"+url.PathEscape(recordID), nil, &held); err != nil {
		return auth.NamedGrant{}, err
	}
	g, err := parseGrantRecord(held.Record)
	if err == nil && (g.ID != recordID || g.Grantor != c.tenant) {
		err = fmt.Errorf("%w: asked for the grant %s, got %s", ErrServer, recordID, g.ID)
	}
	return auth.NamedGrant{Grant: g, Revoked: held.Revoked}, err
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

// Grant returns the tenant's permission grant of that record ID. It is store.ErrNotFound
// where the node holds none, and auth.ErrGrant for one that could not be used.
func (n Node) Grant(ctx context.Context, tenant, recordID string) (auth.NamedGrant, error) {
	e, revoked, err := n.Store.Tenant(tenant).Grant(ctx, recordID)
	if err != nil {
		return auth.NamedGrant{}, err
	}
	g, err := auth.ParseGrant(e.Message, e.Data)
	return auth.NamedGrant{Grant: g, Revoked: revoked}, err
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
