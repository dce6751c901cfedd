package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// TestLinearizable checks the check itself, on histories that were made by hand.
func TestLinearizable(t *testing.T) {
	at := func(begin, end time.Duration, c call) call {
		c.begin, c.end = begin, end
		return c
	}
	revoke := call{kind: callRevoke}
	stored, again := call{kind: callPush, accepted: true}, call{kind: callPush}
	refused := call{kind: callPush, refused: true}
	live, dead := call{kind: callAsk}, call{kind: callAsk, refused: true}
	absent, present := call{kind: callLook, accepted: true}, call{kind: callLook}
	sent, unsent := call{kind: callSend}, call{kind: callSend, refused: true}
	lacking, found := call{kind: callFind, accepted: true}, call{kind: callFind}
	other := call{kind: callPush, grant: 1, message: 1, accepted: true}
	tests := []struct {
		name    string
		history []call
		want    bool
	}{
		{"nothing", nil, true},
		{"stored, then revoked", []call{at(0, 1, stored), at(2, 3, revoke)}, true},
		{"revoked, then stored", []call{at(0, 1, revoke), at(2, 3, stored)}, false},
		{"revoked, then told so", []call{at(0, 1, revoke), at(2, 3, refused)}, true},
		{"stored while it is revoked", []call{at(0, 5, revoke), at(2, 9, stored)}, true},
		{"refused while it is revoked", []call{at(2, 5, revoke), at(0, 9, refused)}, true},
		{"refused, then revoked", []call{at(0, 1, refused), at(2, 3, revoke)}, false},
		{"refused and never revoked", []call{at(0, 1, refused)}, false},
		{"another grant is revoked", []call{at(0, 1, revoke), at(2, 3, other), at(4, 5, dead)}, true},
		{"dead, then alive", []call{at(0, 9, revoke), at(1, 2, dead), at(3, 4, live)}, false},
		{"alive, then dead", []call{at(0, 9, revoke), at(1, 2, live), at(3, 4, dead)}, true},
		{"seen dead, then stored", []call{at(0, 9, revoke), at(1, 2, dead), at(3, 4, stored)}, false},
		{"seen dead by a refusal, then stored", []call{at(0, 9, revoke), at(1, 2, refused), at(3, 4, stored)}, false},
		{"revoked, then absent, then stored", []call{at(0, 9, stored), at(1, 2, revoke), at(3, 4, absent)}, false},
		{"revoked, then there", []call{at(0, 9, stored), at(1, 2, revoke), at(3, 4, present)}, true},
		{"new twice", []call{at(0, 5, stored), at(1, 6, stored)}, false},
		{"new and again", []call{at(0, 5, again), at(1, 6, stored)}, true},
		{"again before it is new", []call{at(0, 1, again), at(2, 3, stored)}, false},
		{"sent, found, revoked", []call{at(0, 1, sent), at(2, 3, found), at(4, 5, revoke), at(6, 7, found)}, true},
		{"found unsent", []call{at(0, 1, found), at(2, 3, sent)}, false},
		{"sent, then lacking", []call{at(0, 1, sent), at(2, 3, lacking)}, false},
		{"revoked, then sent", []call{at(0, 1, revoke), at(2, 3, sent)}, false},
		{"revoked, then refused data", []call{at(0, 1, revoke), at(2, 3, unsent), at(4, 5, lacking)}, true},
		{"refused data and never revoked", []call{at(0, 1, unsent)}, false},
		{"revoked, then lacking, then found", []call{at(0, 9, sent), at(1, 2, revoke), at(3, 4, lacking), at(5, 6, found)}, false},
	}
	for _, test := range tests {
		if got := linearizable(test.history); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// careless is a tenant that looks for revocations before it writes, not while it does.
type careless struct{ store.Tenant }

func (c careless) PutUnder(ctx context.Context, batch []store.Entry, grants []string) ([]store.Outcome, error) {
	for _, g := range grants {
		if _, revoked, err := c.Grant(ctx, g); err != nil || revoked {
			return nil, errors.Join(err, store.ErrRevoked)
		}
	}
	time.Sleep(time.Millisecond)
	return c.Put(ctx, batch)
}

// carelessData is careless with data.
type carelessData struct{ store.Tenant }

func (c carelessData) PutDataUnder(ctx context.Context, id cid.Cid, r io.Reader, grants []string) error {
	for _, g := range grants {
		if _, revoked, err := c.Grant(ctx, g); err != nil || revoked {
			return errors.Join(err, store.ErrRevoked)
		}
	}
	time.Sleep(time.Millisecond)
	return c.PutData(ctx, id, r)
}

// TestHistoriesTell checks that the histories find what they are made to find.
func TestHistoriesTell(t *testing.T) {
	s, err := badger.Open(t.TempDir(), badger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	unordered, late, data := 0, 0, 0
	for seed := range uint64(200) {
		did := fmt.Sprintf("did:example:history%d", seed)
		if seed%2 == 1 {
			if !linearizable(history(t, carelessData{s.Tenant(did)}, did, seed)) {
				data++
			}
			continue
		}
		calls := history(t, careless{s.Tenant(did)}, did, seed)
		if !linearizable(calls) {
			unordered++
		}
		if loggedLate(t, s.Tenant(did), did, calls) != nil {
			late++
		}
	}
	t.Logf("of 100 histories, %d are those of no order, %d have a message after a revocation; of 100 others, %d have data after one", unordered, late, data)
	if unordered == 0 || late == 0 || data == 0 {
		t.Error("what is stored under a grant after its revocation goes unnoticed")
	}
}
