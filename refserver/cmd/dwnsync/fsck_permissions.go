package main

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// note takes note of a grant, or of which one is revoked.
func (t *tenantCheck) note(m *dwn.Message) {
	if store.IsGrant(m) {
		t.granted[m.RecordID()] = true
	}
	if record, ok := store.Ends(m, t.found.Tenant); ok {
		t.revoked[record] = true // if it is a grant's
	}
}

// permissions compares what the store answers about grants with the messages that were
// read. A grant or a revocation that the store does not find is always told; one that it
// finds and that was not read only where all messages were.
func (t *tenantCheck) permissions(ctx context.Context) error {
	allRead := t.found.sound()
	listed := make(map[string]bool) // by record: whether it is revoked
	for g, err := range t.rows.Grants(ctx) {
		if err != nil && !damages(err) {
			return err
		}
		if err != nil {
			t.wrong("grants: %v", err)
			return nil
		}
		listed[g.Message.RecordID()] = g.Revoked
	}
	for _, record := range slices.Sorted(maps.Keys(t.granted)) {
		if _, ok := listed[record]; !ok {
			t.wrong("grant %s is not found as a grant", record)
		}
	}
	for _, record := range slices.Sorted(maps.Keys(t.revoked)) {
		_, err := t.rows.PutUnder(ctx, nil, []string{record})
		if err == nil {
			t.wrong("the revocation of grant %s is not found", record)
		} else if !errors.Is(err, store.ErrRevoked) {
			return err
		}
	}
	if allRead {
		t.unread(listed)
	}
	return nil
}

// unread tells of grants and revocations that the store finds and has no message of.
func (t *tenantCheck) unread(listed map[string]bool) {
	for _, record := range slices.Sorted(maps.Keys(listed)) {
		if !t.granted[record] {
			t.wrong("%s is found as a grant and is none", record)
		}
		if listed[record] && !t.revoked[record] {
			t.wrong("grant %s is found as revoked and is not", record)
		}
	}
}
