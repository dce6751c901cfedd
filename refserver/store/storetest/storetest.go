// Package storetest tests that a store.Store keeps its promises. Every
// implementation runs it.
package storetest

import (
	"testing"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Opener opens the store at a place. The place is a folder that exists and is
// empty at first; an implementation that keeps its data elsewhere uses it as a name.
// Opening a place again, after the store there has been closed, finds what was in it.
type Opener func(tb testing.TB, place string) store.Store

// Run runs the suite, each test on stores of its own.
func Run(t *testing.T, open Opener) {
	tests := []struct {
		name string
		run  func(*testing.T, *bed)
	}{
		{"Empty", testEmpty},
		{"Corpus", testCorpus},
		{"Vectors", testVectors},
		{"Outcomes", testOutcomes},
		{"AllOrNothing", testAllOrNothing},
		{"BatchLimits", testBatchLimits},
		{"LargeAttributes", testLargeAttributes},
		{"GetOrder", testGetOrder},
		{"Positions", testPositions},
		{"Ties", testTies},
		{"RandomHistories", testRandomHistories},
		{"RescopeMany", testRescopeMany},
		{"Twins", testTwins},
		{"SimilarTenants", testSimilarTenants},
		{"TenantsApart", testTenantsApart},
		{"LargeData", testLargeData},
		{"WrongData", testWrongData},
		{"SmallData", testSmallData},
		{"LyingSizes", testLyingSizes},
		{"ManyWanted", testManyWanted},
		{"ConcurrentUploads", testConcurrentUploads},
		{"Owed", testOwed},
		{"ManyOwed", testManyOwed},
		{"Secrets", testSecrets},
		{"SecretLabels", testSecretLabels},
		{"Grants", testGrants},
		{"GrantDeleted", testGrantDeleted},
		{"Lend", testLend},
		{"ManyGrants", testManyGrants},
		{"PutUnder", testPutUnder},
		{"PutDataUnder", testPutDataUnder},
		{"RevocationOrder", testRevocationOrder},
		{"SealKey", testSealKey},
		{"Folds", testFolds},
		{"FoldsTogether", testFoldsTogether},
		{"Concurrency", testConcurrency},
		{"Canceled", testCanceled},
		{"Close", testClose},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, newBed(t, open)) })
	}
}

// bed is a store under test that can be opened again.
type bed struct {
	store.Store
	tb    testing.TB
	open  Opener
	place string
}

func newBed(tb testing.TB, open Opener) *bed {
	b := &bed{tb: tb, open: open, place: tb.TempDir()}
	b.Store = open(tb, b.place)
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

// reopen closes the store and opens it again.
func (b *bed) reopen() {
	b.tb.Helper()
	if err := b.Close(); err != nil {
		b.tb.Fatal(err)
	}
	b.Store = b.open(b.tb, b.place)
}
