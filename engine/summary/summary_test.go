package summary_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

var update = flag.Bool("update", false, "rewrite the golden vectors")

const vectorFile = "../../testdata/vectors/summary/fingerprints.json"

func Example() {
	h := summary.NewHasher([32]byte{1})
	a, b := summary.Key{Time: 1, ID: summary.ID{7}}, summary.Key{Time: 2, ID: summary.ID{8}}
	both := h.Root([]summary.Key{a, b})
	fmt.Println(both.Count, both.Sub(h.Key(a)) == h.Key(b))
	// Output: 2 true
}

// number reads a fingerprint as the integer that it stands for.
func number(f summary.Fingerprint) *big.Int {
	b := slices.Clone(f[:])
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func FuzzFingerprint(f *testing.F) {
	f.Add(make([]byte, 32), slices.Repeat([]byte{0xff}, 32))
	f.Add(slices.Repeat([]byte{0xff}, 32), append([]byte{1}, make([]byte, 31)...))
	f.Fuzz(func(t *testing.T, x, y []byte) {
		var a, b summary.Fingerprint
		copy(a[:], x)
		copy(b[:], y)
		modulus := new(big.Int).Lsh(big.NewInt(1), 256)
		sum := new(big.Int).Add(number(a), number(b))
		if got := number(a.Add(b)); got.Cmp(sum.Mod(sum, modulus)) != 0 {
			t.Errorf("%x + %x = %x", a, b, got)
		}
		diff := new(big.Int).Sub(number(a), number(b))
		if got := number(a.Sub(b)); got.Cmp(diff.Mod(diff, modulus)) != 0 {
			t.Errorf("%x - %x = %x", a, b, got)
		}
		if a.Add(b).Sub(b) != a {
			t.Errorf("%x + %x - %x is not the first", a, b, b)
		}
	})
}

func TestCompare(t *testing.T) {
	sorted := []summary.Key{
		{Time: math.MinInt64},
		{Time: -1, ID: summary.ID{255}},
		{Time: 0},
		{Time: 0, ID: summary.ID{31: 1}},
		{Time: 0, ID: summary.ID{1}},
		{Time: 5, ID: summary.ID{0}},
		{Time: math.MaxInt64},
	}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, want := a.Compare(b), map[bool]int{true: 1}[i > j]-map[bool]int{true: 1}[i < j]; got != want {
				t.Errorf("%v to %v: got %d, want %d", a, b, got, want)
			}
		}
	}
}

// TestRootOrder: a root depends neither on order nor on the way there, and on
// time, ID and secret.
func TestRootOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	keys := make([]summary.Key, 100)
	for i := range keys {
		keys[i] = summary.Key{Time: random.Int64(), ID: summary.ID{byte(i), byte(random.Int())}}
	}
	h := summary.NewHasher([32]byte{9})
	want := h.Root(keys)
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	if got := h.Root(keys[:30]).Add(h.Root(keys[30:])); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if want.Sub(h.Root(keys)) != (summary.Root{}) {
		t.Error("a root without itself is not zero")
	}
	if summary.NewHasher([32]byte{8}).Root(keys) == want {
		t.Error("another secret, the same root")
	}
	keys[5].Time++
	if h.Root(keys) == want {
		t.Error("another time, the same root")
	}
	keys[5].Time--
	keys[5].ID[31]++
	if h.Root(keys) == want {
		t.Error("another ID, the same root")
	}
}

type vector struct {
	Secret      string `json:"secret"`
	Label       string `json:"label"`
	Derived     string `json:"derived"`
	Time        int64  `json:"time"`
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint"`
}

// TestVectors holds derivation and fingerprints to the golden file.
func TestVectors(t *testing.T) {
	var got []vector
	for i, label := range []string{"", `{"interface":"Records"}`, "é"} {
		secret := [32]byte{0: byte(i), 31: 0xff}
		derived := summary.Derive(secret, []byte(label))
		for _, time := range []int64{0, 1735689661000542, -1, math.MaxInt64, math.MinInt64} {
			id := summary.ID{0: byte(time), 30: byte(i)}
			print := summary.NewHasher(derived).Key(summary.Key{Time: time, ID: id}).Fingerprint
			got = append(got, vector{
				hex.EncodeToString(secret[:]), label, hex.EncodeToString(derived[:]), time,
				hex.EncodeToString(id[:]), hex.EncodeToString(print[:]),
			})
		}
	}
	text, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(vectorFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(text)+"\n" != string(want) {
		t.Errorf("fingerprints differ from %s", vectorFile)
	}
}

func TestKeyAllocates(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	h := summary.NewHasher([32]byte{})
	if n := testing.AllocsPerRun(100, func() { h.Key(summary.Key{Time: 1}) }); n != 0 {
		t.Errorf("%v allocations per key", n)
	}
}

func BenchmarkKey(b *testing.B) {
	h := summary.NewHasher([32]byte{})
	var k summary.Key
	for b.Loop() {
		k.Time++
		h.Key(k)
	}
}
