package storetest_test

import (
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
	"github.com/dwn-sync/dwnsync/refserver/store/storetest"
)

// A test of an implementation says how to open it.
func Example() {
	_ = func(t *testing.T) {
		storetest.Run(t, func(tb testing.TB, place string) store.Store {
			s, err := badger.Open(place, badger.Options{})
			if err != nil {
				tb.Fatal(err)
			}
			return s
		})
	}
	// Output:
}
