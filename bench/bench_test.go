package bench

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/bench/internal/cputime"
)

var (
	large = flag.Bool("large", false, "measure sets of up to a million keys, messages or items too")
	huge  = flag.Bool("huge", false, "measure filters, stores and views of ten million too")
	seed  = flag.Uint64("seed", 0, "fixes the salts of syncs")
)

// benchtime is how long a benchmark runs where the flag of that name is not given: all
// of them shall take minutes.
const benchtime = "20ms"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.benchtime" })
	if !given {
		if err := flag.Set("test.benchtime", benchtime); err != nil {
			panic(err) // a constant that the testing package reads
		}
	}
	os.Exit(m.Run())
}

// chacha returns a source of randomness that a seed fixes.
func chacha(seed uint64) *rand.ChaCha8 {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	return rand.NewChaCha8(s)
}

// burn takes at least d of CPU time.
func burn(d time.Duration) {
	for start := cputime.Now(); cputime.Now()-start < d.Nanoseconds(); {
	}
}

// percentile returns the smallest value that at least p of 100 values are not
// above. It sorts values.
func percentile(values []int, p int) int {
	slices.Sort(values)
	return values[(len(values)*p+99)/100-1]
}

func TestPercentile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	for _, c := range []struct {
		values  []int
		p, want int
	}{{[]int{7}, 99, 7}, {[]int{3, 1, 2}, 50, 2}, {hundred, 99, 99}, {hundred, 100, 100}, {append(hundred, 1000), 99, 100}} {
		if got := percentile(c.values, c.p); got != c.want {
			t.Errorf("percentile %d of %d values is %d, want %d", c.p, len(c.values), got, c.want)
		}
	}
}

// once runs a benchmark for a single operation and returns what it reported.
func once(t *testing.T, name string, bench func(*testing.B)) map[string]float64 {
	t.Helper()
	return times(t, name, 1, bench)
}

// times runs a benchmark for n operations and returns what it reported.
func times(t *testing.T, name string, n int, bench func(*testing.B)) map[string]float64 {
	t.Helper()
	benchtime := flag.Lookup("test.benchtime")
	before := benchtime.Value.String()
	if err := flag.Set("test.benchtime", fmt.Sprintf("%dx", n)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := flag.Set("test.benchtime", before); err != nil {
			t.Fatal(err)
		}
	}()
	r := testing.Benchmark(bench)
	if r.N == 0 {
		t.Fatalf("%s failed; go test -bench tells why", name)
	}
	return r.Extra
}

// within fails where a metric is absent or out of [low, high].
func within(t *testing.T, name string, metrics map[string]float64, unit string, low, high float64) {
	t.Helper()
	if got, ok := metrics[unit]; !ok || got < low || got > high {
		t.Errorf("%s: %s is %v (reported: %t), want %v to %v", name, unit, got, ok, low, high)
	}
}
