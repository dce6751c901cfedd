package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// rotated is what rotate did.
type rotated struct {
	Generation uint64  `json:"generation"`         // of the secret that is held now
	Messages   *uint64 `json:"messages,omitempty"` // that summaries are kept of under it, if they could be made
}

// runRotate gives a tenant the next secret. Its summaries under it are made before it
// counts, so that the next sync does not have to.
func runRotate(ctx context.Context, s std, f *flags) error {
	dir, tenant, asJSON := f.dir(), f.tenant(), f.json()
	if _, err := f.parse(0); err != nil {
		return err
	}
	if err := f.need("dir", "tenant"); err != nil {
		return err
	}
	node, err := openAlone(s, *dir, "rotate")
	if err != nil {
		return err
	}
	r, err := rotate(ctx, node, *dir, *tenant)
	if err == nil {
		err = r.print(s, *asJSON)
	}
	return errors.Join(err, node.close())
}

func (r rotated) print(s std, asJSON bool) error {
	if asJSON {
		return printJSON(s, r)
	}
	under := "summaries under it were not made"
	if r.Messages != nil {
		under = fmt.Sprintf("summaries of %d messages under it", *r.Messages)
	}
	_, err := fmt.Fprintf(s.out, "secret of generation %d, %s; other nodes of the tenant take it over when they sync\n", r.Generation, under)
	return err
}

// rotate fails where the tenant has no new secret. That there are no summaries under it is
// a warning: they are made when they are needed, and fsck tells why they cannot be.
func rotate(ctx context.Context, node folderNode, dir, did string) (rotated, error) {
	rows := node.Store.Tenant(did)
	present, err := node.Store.Has(ctx, did)
	if err != nil {
		return rotated{}, err
	}
	if _, ok, err := rows.Secret(ctx, nil); err != nil {
		return rotated{}, err
	} else if !ok && !present {
		return rotated{}, errNobody(did, dir)
	}
	secret, err := node.Rotate(ctx, did)
	if err != nil {
		return rotated{}, err
	}
	view, err := node.Keeper.View(ctx, did, dwn.Scope{}, secret)
	if err != nil {
		node.log.Warn("rotated, but there are no summaries under the new secret; dwnsync fsck tells more", "error", err)
		return rotated{Generation: secret.Generation}, nil
	}
	return rotated{secret.Generation, &view.Root.Count}, nil
}
