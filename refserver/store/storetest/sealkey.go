package storetest

import (
	"sync"
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// testSealKey asks for a store's key from many sides at once, and again after it was
// opened again: there is one, no other store has it, and it makes no tenant.
func testSealKey(t *testing.T, b *bed) {
	var keys [8]store.SealKey
	var asking sync.WaitGroup
	for i := range keys {
		asking.Go(func() {
			var err error
			if keys[i], err = b.SealKey(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if keys[0] == (store.SealKey{}) {
		t.Fatal("the key is nothing but zeros")
	}
	for i := range keys {
		if keys[i] != keys[0] {
			t.Fatalf("call %d returned another key than the first", i)
		}
	}
	m := newModel(alice)
	m.putAll(t, b.Tenant(alice), notes(t, 0, 3)...)
	for range 2 {
		b.reopen()
		if got, err := b.SealKey(t.Context()); err != nil || got != keys[0] {
			t.Fatalf("opened again, the store has another key (%v)", err)
		}
	}
	m.check(t, b.Tenant(alice))
	other := newBed(t, b.open)
	if got, err := other.SealKey(t.Context()); err != nil || got == keys[0] {
		t.Errorf("another store has the same key (%v)", err)
	}
	if dids := tenantsOf(t, other); len(dids) != 0 {
		t.Errorf("a key made the tenants %q", dids)
	}
}
