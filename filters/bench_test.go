package filters_test

import (
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
)

// Building, asking and encoding are measured in package bench, for all kinds.

// perKey reports the time of one of n keys, of which every operation handled all.
func perKey(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
}

func BenchmarkKey(b *testing.B) {
	var salt filters.Salt
	var id [32]byte
	for b.Loop() {
		id[0] = byte(salt.Key(id))
	}
}
