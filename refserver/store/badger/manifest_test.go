package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// manifestOf returns the manifest of a store that made tables several times, and where
// its changes begin, the end included.
func manifestOf(t *testing.T) (data []byte, begins []int) {
	t.Helper()
	dir := t.TempDir()
	for i := range 3 {
		s := openTest(t, dir, Options{})
		if _, err := s.Tenant("did").KeepSecret(t.Context(), nil, store.Secret{Generation: uint64(i)}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, contentName, dgraph.ManifestFilename))
	if err != nil {
		t.Fatal(err)
	}
	const magic, head = 8, 8
	for at := magic; at < len(data); at += head + int(binary.BigEndian.Uint32(data[at:])) {
		begins = append(begins, at)
	}
	if len(begins) < 4 {
		t.Fatalf("a manifest of %d changes", len(begins))
	}
	return data, append(begins, len(data))
}

// tablesIn lists the tables in a folder with that manifest.
func tablesIn(t *testing.T, dir string, manifest []byte) (map[string]dgraph.TableManifest, error) {
	t.Helper()
	overwrite(t, filepath.Join(dir, dgraph.ManifestFilename), manifest)
	if err := cutManifest(dir); err != nil {
		return nil, err
	}
	files, err := listTables(dir)
	tables := make(map[string]dgraph.TableManifest)
	for _, file := range files {
		tables[file.path] = file.TableManifest
	}
	return tables, err
}

// TestManifest damages a manifest in many ways.
func TestManifest(t *testing.T) {
	data, begins := manifestOf(t)
	t.Run("flipped", func(t *testing.T) { testManifestFlipped(t, data) })
	t.Run("cut", func(t *testing.T) { testManifestCut(t, data, begins) })
}

// testManifestFlipped flips every bit of a manifest.
func testManifestFlipped(t *testing.T, data []byte) {
	dir := t.TempDir()
	want, err := tablesIn(t, dir, data)
	if err != nil || len(want) == 0 {
		t.Fatalf("%d tables (%v)", len(want), err)
	}
	for i := range 8 * len(data) {
		data[i/8] ^= 1 << (i % 8)
		if got, err := tablesIn(t, dir, data); !errors.Is(err, store.ErrCorrupt) && (err != nil || !maps.Equal(got, want)) {
			t.Errorf("bit %d of byte %d of %d: tables %v (%v)", i%8, i/8, len(data), got, err)
		}
		data[i/8] ^= 1 << (i % 8)
	}
}

// testManifestCut ends a manifest at any byte: what a crash leaves.
func testManifestCut(t *testing.T, data []byte, begins []int) {
	dir, changes := t.TempDir(), 0
	whole := len(data) // a change follows that is longer than all before it
	longer := bytes.Repeat([]byte{7}, 2*whole)
	data = binary.BigEndian.AppendUint32(bytes.Clone(data), uint32(len(longer)))
	data = append(binary.BigEndian.AppendUint32(data, castagnoli(longer)), longer[:whole]...)
	for n := begins[0]; n < len(data); n += long(7) {
		for changes+1 < len(begins) && n >= begins[changes+1] {
			changes++
		}
		got, err := tablesIn(t, dir, data[:n])
		left, _ := os.ReadFile(filepath.Join(dir, dgraph.ManifestFilename))
		want, _ := tablesIn(t, dir, data[:begins[changes]])
		if err != nil || !maps.Equal(got, want) || len(left) != begins[changes] {
			t.Errorf("cut at byte %d of %d: tables %v, want %v (%v)", n, len(data), got, want, err)
		}
	}
	for n := range begins[0] {
		if _, err := tablesIn(t, dir, data[:n]); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("cut at byte %d: %v", n, err)
		}
	}
}
