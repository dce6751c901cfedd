package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// testSecrets offers secrets in random order and checks that the best one stays.
func testSecrets(t *testing.T, b *bed) {
	rng := rand.New(rand.NewPCG(1, 2))
	var best store.Secret
	for i := range 60 {
		offered := store.Secret{Generation: uint64(rng.IntN(4)), ID: [16]byte{byte(rng.IntN(4))}, Key: [32]byte{byte(rng.IntN(4))}}
		if i == 0 || offered.Beats(best) {
			best = offered
		}
		if got, err := b.Tenant(alice).KeepSecret(t.Context(), nil, offered); err != nil || got != best {
			t.Fatalf("KeepSecret returns %v (%v), want %v", got, err, best)
		}
		if i%20 == 19 {
			b.reopen()
		}
		if got, found, err := b.Tenant(alice).Secret(t.Context(), nil); err != nil || !found || got != best {
			t.Fatalf("Secret returns %v (%v), want %v", got, err, best)
		}
	}
	if dids := tenantsOf(t, b); len(dids) != 0 {
		t.Errorf("a secret made the tenants %q", dids)
	}
}

// testSecretLabels keeps a secret under as many labels as there may be, and one more.
func testSecretLabels(t *testing.T, b *bed) {
	have := b.Tenant(alice)
	label := func(i int) []byte { return fmt.Appendf(nil, "label %d", i) }
	keep := func(label []byte, s store.Secret) {
		t.Helper()
		if got, err := have.KeepSecret(t.Context(), label, s); err != nil || got != s {
			t.Fatalf("KeepSecret of %q: %v (%v), want %v", label, got, err, s)
		}
	}
	keep(nil, store.Secret{Generation: 1 << 40}) // the tenant's own is not counted
	for i := range store.MaxSecrets {
		keep(label(i), store.Secret{Generation: uint64(i)})
	}
	full := func() {
		t.Helper()
		for _, label := range [][]byte{label(store.MaxSecrets), {0}, make([]byte, 100_000)} {
			got, err := have.KeepSecret(t.Context(), label, store.Secret{Generation: 1})
			if !errors.Is(err, store.ErrTooManySecrets) || got != (store.Secret{}) {
				t.Fatalf("one label more: %v (%v), want %v", got, err, store.ErrTooManySecrets)
			}
			if _, found, err := have.Secret(t.Context(), label); found || err != nil {
				t.Fatalf("one label more: found %v (%v)", found, err)
			}
		}
	}
	full()
	keep(label(7), store.Secret{Generation: 1 << 41})
	full()
	b.reopen()
	have = b.Tenant(alice)
	full()
	for i := range store.MaxSecrets {
		want := uint64(i)
		if i == 7 {
			want = 1 << 41
		}
		if got, found, err := have.Secret(t.Context(), label(i)); err != nil || !found || got.Generation != want {
			t.Fatalf("secret of label %d: %v, found %v (%v)", i, got, found, err)
		}
	}
	for _, empty := range [][]byte{nil, {}} {
		if got, found, err := have.Secret(t.Context(), empty); err != nil || !found || got.Generation != 1<<40 {
			t.Fatalf("the tenant's own secret: %v, found %v (%v)", got, found, err)
		}
	}
	if _, found, err := b.Tenant("did:example:other").Secret(t.Context(), label(1)); found || err != nil {
		t.Errorf("another tenant's secret: found %v (%v)", found, err)
	}
}
