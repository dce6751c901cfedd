package refserver

import (
	"fmt"
	"math"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

func protocolScope(t *testing.T, n int) dwn.Scope {
	t.Helper()
	scope, err := dwn.ParseScope(fmt.Appendf(nil, `{"protocol":"https://example.org/%d"}`, n))
	if err != nil {
		t.Fatal(err)
	}
	return scope
}

// TestBorrowedTooFarAhead: what a grantee is given for a view has the same bound as what a
// peer offers for the tenant.
func TestBorrowedTooFarAhead(t *testing.T) {
	n := emptyNode(t)
	for i, c := range []struct {
		held, offered, want uint64 // generations, 0 for none
	}{
		{5, 5 + 1<<32, 5 + 1<<32},
		{5, 6 + 1<<32, 5},
		{5, math.MaxUint64, 5},
		{5, 4, 5},
		{0, 1 << 32, 1 << 32},
		{0, 1<<32 + 1, 1},
		{0, math.MaxUint64, 1},
	} {
		r := n.BorrowedReplica("did:example:bound", protocolScope(t, i))
		if c.held > 0 {
			if got, err := r.KeepSecret(t.Context(), secretOf(c.held)); err != nil || got != secretOf(c.held) {
				t.Fatal(got, err)
			}
		}
		got, err := r.KeepSecret(t.Context(), secretOf(c.offered))
		if err != nil || got.Generation != c.want || (c.want == c.offered) != (got == secretOf(c.offered)) {
			t.Errorf("%d offered to %d: kept %d, want %d (%v)", c.offered, c.held, got.Generation, c.want, err)
		}
		if held, _, err := r.Secret(t.Context()); held != got || err != nil {
			t.Errorf("holds %v, said %v (%v)", held.SecretName, got.SecretName, err)
		}
	}
	if _, found, err := n.Store.Tenant("did:example:bound").Secret(t.Context(), nil); found || err != nil {
		t.Errorf("the tenant has a secret: %v, %v", found, err)
	}
}

// TestManyViews: however many scopes a server makes a grantee sync, the next one's secret is
// kept.
func TestManyViews(t *testing.T) {
	n := emptyNode(t)
	rows := n.Store.Tenant("did:example:views")
	for i := range store.MaxSecrets - 5 {
		if _, err := rows.KeepSecret(t.Context(), fmt.Append(nil, i), store.Secret{Generation: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 25 {
		r := n.BorrowedReplica("did:example:views", protocolScope(t, i))
		want := secretOf(uint64(i))
		if got, err := r.KeepSecret(t.Context(), want); err != nil || got != want {
			t.Fatalf("view %d: %v (%v), want %v", i, got.SecretName, err, want.SecretName)
		}
		if got, ok, err := r.Secret(t.Context()); !ok || err != nil || got != want {
			t.Fatalf("view %d: holds %v (%v), want %v", i, got.SecretName, err, want.SecretName)
		}
	}
}
