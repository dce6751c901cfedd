package storetest

import (
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

// testSecretLabels keeps a secret under more labels than there may be: the newest is always
// held, and all but one of those before, and no other kind of secret is touched.
func testSecretLabels(t *testing.T, b *bed) {
	have, other := b.Tenant(alice), b.Tenant("did:example:other")
	label := func(i int) []byte { return fmt.Appendf(nil, "label %d", i) }
	secret := func(i int) store.Secret { return store.Secret{Generation: uint64(i)} }
	keep := func(have store.Secrets, label []byte, s store.Secret) {
		t.Helper()
		if got, err := have.KeepSecret(t.Context(), label, s); err != nil || got != s {
			t.Fatalf("KeepSecret of %q: %v (%v), want %v", label, got, err, s)
		}
	}
	held := func(labels int) (n int) {
		t.Helper()
		for i := range labels {
			got, found, err := have.Secret(t.Context(), label(i))
			if err != nil || found && got != secret(i) {
				t.Fatalf("secret of label %d: %v (%v), want %v", i, got, err, secret(i))
			}
			if found {
				n++
			}
		}
		return n
	}
	keep(have, nil, secret(1<<40)) // the tenant's own is not counted
	keep(other, label(0), secret(7))
	labels := store.MaxSecrets
	for i := range labels {
		keep(have, label(i), secret(i))
	}
	if n := held(labels); n != store.MaxSecrets {
		t.Fatalf("%d of %d labels are held", n, labels)
	}
	keep(have, label(7), secret(7))
	for range 40 {
		keep(have, label(labels), secret(labels))
		if labels++; labels%10 == 0 {
			b.reopen()
			have, other = b.Tenant(alice), b.Tenant("did:example:other")
		}
		if got, found, err := have.Secret(t.Context(), label(labels-1)); err != nil || !found || got != secret(labels-1) {
			t.Fatalf("the newest: %v, found %v (%v)", got, found, err)
		}
		if n := held(labels); n != store.MaxSecrets {
			t.Fatalf("%d of %d labels are held, want %d", n, labels, store.MaxSecrets)
		}
	}
	for _, empty := range [][]byte{nil, {}} {
		if got, found, err := have.Secret(t.Context(), empty); err != nil || !found || got != secret(1<<40) {
			t.Fatalf("the tenant's own secret: %v, found %v (%v)", got, found, err)
		}
	}
	if got, found, err := other.Secret(t.Context(), label(0)); !found || err != nil || got != secret(7) {
		t.Errorf("another tenant's secret: %v, found %v (%v)", got, found, err)
	}
}
