package badger

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

const (
	damagedDir  = "DWNSYNC_DAMAGED_DIR" // of the child process: the folder to read
	damagedLine = "the store is whole"  // what the child says if it read everything
	damagedText = "the store is short"  // what nobody may be told without an error
)

// TestDamage flips a bit of a table. Who opens that store gets an error, or everything:
// never fewer messages and no error, because a sync would take them for lacking, and a
// compaction would drop them. Badger ends the process where a table is damaged, so a
// child reads.
func TestDamage(t *testing.T) {
	dir, all := t.TempDir(), samples(t)
	s := openTest(t, dir, Options{})
	for batch := range slices.Chunk(all, store.MaxBatch/4) {
		if _, err := s.Tenant("did:example:damage").Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no table to damage: %v", err)
	}
	if got := readDamaged(t, dir); !strings.Contains(got, damagedLine) {
		t.Fatalf("an undamaged store: %s", got)
	}
	refused := 0
	for seed := range uint64(6) {
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		flipBit(t, filepath.Join(copied, strings.TrimPrefix(tables[0], dir)), rand.New(rand.NewPCG(seed, 1)))
		got := readDamaged(t, copied)
		if strings.Contains(got, damagedText) {
			t.Errorf("seed %d: %s", seed, got)
		}
		if !strings.Contains(got, damagedLine) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed: this test shows nothing")
	}
}

// flipBit changes one bit in the first half of a table, where its blocks are.
func flipBit(t *testing.T, path string, random *rand.Rand) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[random.IntN(len(data)/2)] ^= 1 << random.IntN(8)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// readDamaged returns what a child says that reads all of the store, however it ends.
func readDamaged(t *testing.T, dir string) string {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDamageChild$", "-test.v")
	child.Env = append(os.Environ(), damagedDir+"="+dir)
	out, _ := child.CombinedOutput() // it may crash: what it said counts
	return string(out)
}

// TestDamageChild reads a store that may be damaged.
func TestDamageChild(t *testing.T) {
	dir := os.Getenv(damagedDir)
	if dir == "" {
		t.Skip("runs as a child of TestDamage")
	}
	s := openTest(t, dir, Options{})
	tenant := s.Tenant("did:example:damage")
	keys, _, err := tenant.Keys(t.Context(), dwn.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []dwn.ID
	for _, key := range keys {
		ids = append(ids, key.ID)
	}
	logged, got := 0, 0
	for _, err := range tenant.Log(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		logged++
	}
	for _, err := range tenant.Get(t.Context(), ids) {
		if err != nil {
			t.Fatal(damagedText, err)
		}
		got++
	}
	if want := len(samples(t)); len(keys) != want || logged < want || got != want {
		t.Fatalf("%s: %d keys, %d entries of the log, %d messages, want %d", damagedText, len(keys), logged, got, want)
	}
	fmt.Println(damagedLine)
}
