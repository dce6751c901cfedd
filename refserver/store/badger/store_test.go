package badger

import (
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(tb testing.TB, place string) store.Store { return openTest(tb, place, Options{}) })
}

func TestQuotas(t *testing.T) {
	storetest.RunQuotas(t, func(tb testing.TB, place string, quota store.Quota) store.Store {
		return openTest(tb, place, Options{Quota: quota})
	})
}

// openTest opens a store that need not be closed.
func openTest(tb testing.TB, dir string, opt Options) *Store {
	tb.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}
