package baseline

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// BenchmarkPrefixInsert is what it costs to keep a prefix up to date: sec/op is that of
// one insertion.
func BenchmarkPrefixInsert(b *testing.B) {
	for _, cells := range []int{1 << 10, 1 << 14, RIBLTCells} {
		b.Run(fmt.Sprintf("cells=%d", cells), func(b *testing.B) {
			r := rand.New(rand.NewPCG(9, 9))
			ids := make([]summary.ID, 1<<16)
			for i := range ids {
				ids[i] = randomID(r)
			}
			prefix, i := NewPrefix(cells), 0
			start := cputime.Now()
			for b.Loop() {
				prefix.Insert(ids[i%len(ids)])
				i++
			}
			b.ReportMetric(float64(cputime.Now()-start)/float64(i), "cpu-ns/op")
		})
	}
}

// BenchmarkRIBLT is one reconciliation of prepared sides, without the lookup of IDs in
// large sets: n is 10^4.
func BenchmarkRIBLT(b *testing.B) {
	for _, d := range []int{1, 100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("n=10000/d=%d", d), func(b *testing.B) {
			r := rand.New(rand.NewPCG(9, uint64(d)))
			keys := make([]summary.Key, 10_000+d)
			for i := range keys {
				keys[i] = summary.Key{Time: int64(i), ID: randomID(r)}
			}
			here, there := RIBLT{}.Prepare(keys[d/2:]), RIBLT{}.Prepare(keys[:len(keys)-d+d/2])
			var cpu [2]int64
			n := 0
			for b.Loop() {
				out, err := here.Reconcile(there)
				if err != nil {
					b.Fatal(err)
				}
				cpu[0] += out.Here
				cpu[1] += out.There
				n++
			}
			b.ReportMetric(float64(cpu[0])/float64(n), "here-ns/op")
			b.ReportMetric(float64(cpu[1])/float64(n), "there-ns/op")
		})
	}
}
