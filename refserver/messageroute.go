package refserver

import (
	"cmp"
	"context"
	"net/http"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// getMessage answers GET_CID: one message with its inline data.
func (s *Server) getMessage(w http.ResponseWriter, r *http.Request) error {
	claims, err := s.authorize(r)
	if err != nil {
		return err
	}
	id, err := idOf(r.PathValue("cid"))
	if err != nil {
		return err
	}
	may, err := s.decideByCID(r.Context(), claims.Claims, auth.Pull)
	if err != nil {
		return err
	}
	var found store.Entry
	get := func() error {
		found, err = s.messageFor(r.Context(), claims.Tenant, may, id)
		return err
	}
	if may != nil {
		err = s.placed(claims.Tenant, get)
	} else {
		err = get()
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, NewRecord(claims.Tenant, found.Message, found.Data))
}

// messageFor returns a message as a requester may see it; nil is the tenant itself.
func (s *Server) messageFor(ctx context.Context, tenant string, may *access, id dwn.ID) (store.Entry, error) {
	for e, err := range s.node.Store.Tenant(tenant).Get(ctx, []dwn.ID{id}) {
		if err != nil || may == nil {
			return e, err
		}
		if reads, err := may.reads(ctx, e.Message); err != nil || !reads {
			return store.Entry{}, cmp.Or(err, error(&store.MissingError{ID: id}))
		}
		return may.shown(e), nil
	}
	return store.Entry{}, store.ErrNotFound
}

// Written is the answer to POST /v1/messages.
type Written struct {
	CID     string `json:"cid"`
	Outcome string `json:"outcome"` // "accepted", "duplicate" or "data added"
}

// postMessage stores one message, with its data if that is short enough to travel inline.
func (s *Server) postMessage(w http.ResponseWriter, r *http.Request) error {
	claims, err := s.authorize(r)
	if err != nil {
		return err
	}
	leave, err := s.writes.enter(claims.Claims)
	if err != nil {
		return err
	}
	defer leave()
	body, err := readBody(w, r, maxRecord, claims.Body)
	if err != nil {
		return err
	}
	_, entry, err := ParseRecord(body)
	if err != nil {
		return err
	}
	if len(entry.Data) > dwn.MaxInlineData {
		return errInline
	}
	outcome, err := s.write(r.Context(), claims.Claims, entry)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if outcome == store.Accepted {
		status = http.StatusCreated
	}
	return writeJSON(w, status, Written{CID: entry.Message.CID().String(), Outcome: outcome.String()})
}

// write stores an entry for whoever signed the claims, and returns what it is told of it.
func (s *Server) write(ctx context.Context, claims auth.Claims, entry store.Entry) (store.Outcome, error) {
	may, err := s.decideByCID(ctx, claims, auth.Push)
	if err != nil {
		return 0, err
	}
	results, err := s.node.writeFor(ctx, claims.Tenant, may, []store.Entry{entry})
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		return 0, err
	}
	if may != nil && results[0].Outcome == store.DataAdded {
		return store.Duplicate, nil // that the data was missing tells of messages that are hidden
	}
	return results[0].Outcome, nil
}
