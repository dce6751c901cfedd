package badger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// tablesOf stores messages, closes the store and returns its tables.
func tablesOf(t *testing.T, dir string) []tableFile {
	t.Helper()
	s := openTest(t, dir, Options{})
	var batch []store.Entry
	for i := range store.MaxBatch {
		batch = append(batch, store.Entry{Message: deleteOf(t, fmt.Sprint("record ", i))})
	}
	if _, err := s.Tenant("did").Put(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := listTables(filepath.Join(dir, contentName))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d tables (%v)", len(files), err)
	}
	return files
}

// TestVerifyBits flips bits of a table: of its blocks, its index and all that
// follows. Either that is noticed, or all blocks are what they were: a compressed block
// can tell the same in two ways.
func TestVerifyBits(t *testing.T) {
	file := tablesOf(t, t.TempDir())[0]
	data, err := os.ReadFile(file.path)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(data []byte) error {
		var v verifier
		return v.verify(bytes.NewReader(data), int64(len(data)), file.Compression)
	}
	if err := verify(data); err != nil {
		t.Fatal(err)
	}
	var v verifier
	end, err := v.readIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 0))
	at := []int{0, int(end) - 1, int(end)}
	for range 300 {
		at = append(at, rng.IntN(int(end)), int(end)+rng.IntN(len(data)-int(end)))
	}
	for i := len(data) - 24; i < len(data); i++ {
		at = append(at, i)
	}
	same := 0
	for _, i := range at {
		bit := byte(1) << rng.IntN(8)
		data[i] ^= bit
		switch err := verify(data); {
		case err == nil && i < int(end):
			same++ // what was verified is the checksum of the content
		case err == nil:
			t.Errorf("a bit of byte %d of %d flipped, after the blocks: not noticed", i, len(data))
		case !errors.Is(err, store.ErrCorrupt):
			t.Errorf("a bit of byte %d flipped: %v", i, err)
		}
		data[i] ^= bit
	}
	if same > 3 {
		t.Errorf("%d of 300 bits flipped in blocks are not noticed", same)
	}
}

// TestVerifyCut cuts a table, or makes it longer.
func TestVerifyCut(t *testing.T) {
	file := tablesOf(t, t.TempDir())[0]
	data, err := os.ReadFile(file.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 3, 4, 7, 8, 20, 24, len(data) / 2, len(data) - 1, len(data) + 1} {
		var v verifier
		other := append(bytes.Clone(data), 0)[:n]
		if err := v.verify(bytes.NewReader(other), int64(n), file.Compression); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%d of %d bytes: %v", n, len(data), err)
		}
		if n < len(data) { // as of a file that shrinks while it is read
			if err := v.verify(bytes.NewReader(other), int64(len(data)), file.Compression); err == nil {
				t.Errorf("%d of %d bytes: not noticed", n, len(data))
			}
		}
	}
}

// TestVerifyGap puts a byte between the blocks and the index.
func TestVerifyGap(t *testing.T) {
	file := tablesOf(t, t.TempDir())[0]
	data, err := os.ReadFile(file.path)
	if err != nil {
		t.Fatal(err)
	}
	var v verifier
	end, err := v.readIndex(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	data = slices.Insert(data, int(end), 0)
	if err := v.verify(bytes.NewReader(data), int64(len(data)), file.Compression); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("got %v, want %v", err, store.ErrCorrupt)
	}
}

// TestVerifyClaims decompresses a block that claims to be long: nothing is allocated
// for the claim.
func TestVerifyClaims(t *testing.T) {
	var v verifier
	claim := binary.AppendUvarint(nil, 100<<20)
	if _, err := v.decompress(append(claim, 0, 1), options.Snappy); err == nil || cap(v.plain) > 0 {
		t.Errorf("%d bytes allocated (%v)", cap(v.plain), err)
	}
}

// TestVerifyForms verifies tables as Badger writes them with and without
// compression, with rows of all sizes, and a compression that nobody here uses.
func TestVerifyForms(t *testing.T) {
	for _, c := range []options.CompressionType{options.None, options.Snappy, options.ZSTD} {
		dir := t.TempDir()
		db, err := dgraph.Open(settings(dir, nil).WithCompression(c))
		if err != nil {
			t.Fatal(err)
		}
		rng, batch := rand.New(rand.NewPCG(1, 1)), db.NewWriteBatch()
		for i := range 300 {
			value := make([]byte, rng.IntN(1<<(i%19)))
			for j := range value {
				value[j] = byte(rng.IntN(1 + i%256))
			}
			if err := batch.Set([]byte{byte(i >> 8), byte(i)}, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(batch.Flush(), db.Close()); err != nil {
			t.Fatal(err)
		}
		files, err := listTables(dir)
		if err != nil || len(files) == 0 || files[0].Compression != c {
			t.Fatalf("tables %v (%v)", files, err)
		}
		if err := verifyTables(dir); (err == nil) != (c != options.ZSTD) {
			t.Errorf("compression %d: %v", c, err)
		}
	}
}

// TestOpenDamaged opens a store with a table that is damaged, missing or not in the
// manifest, in this process: it must not end it.
func TestOpenDamaged(t *testing.T) {
	origin := t.TempDir()
	tables := tablesOf(t, origin)
	content := filepath.Join(origin, contentName)
	damages := []struct {
		name string
		run  func(t *testing.T, content, table string)
		want error
	}{
		{"nothing", func(*testing.T, string, string) {}, nil},
		{"a bit of a block", func(t *testing.T, _, table string) {
			flipBit(t, table, rand.New(rand.NewPCG(3, 3)))
		}, store.ErrCorrupt},
		{"missing", func(t *testing.T, _, table string) { remove(t, table) }, store.ErrCorrupt},
		{"empty", func(t *testing.T, _, table string) { overwrite(t, table, nil) }, store.ErrCorrupt},
		{"zeros", func(t *testing.T, _, table string) { overwrite(t, table, make([]byte, 1<<20)) }, store.ErrCorrupt},
		{"a manifest of something else", func(t *testing.T, content, _ string) {
			overwrite(t, filepath.Join(content, dgraph.ManifestFilename), []byte("something else"))
		}, store.ErrCorrupt},
		{"no manifest", func(t *testing.T, content, _ string) {
			remove(t, filepath.Join(content, dgraph.ManifestFilename))
		}, store.ErrCorrupt},
		{"a table that a crash left", func(t *testing.T, content, _ string) {
			overwrite(t, filepath.Join(content, "099999.sst"), []byte("half a table"))
		}, nil},
	}
	for _, damage := range damages {
		t.Run(damage.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(origin)); err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(content, tables[0].path)
			if err != nil {
				t.Fatal(err)
			}
			damage.run(t, filepath.Join(dir, contentName), filepath.Join(dir, contentName, name))
			for range 2 { // a refused Open leaves no lock
				s, err := Open(dir, Options{})
				if !errors.Is(err, damage.want) {
					t.Fatalf("got %v, want %v", err, damage.want)
				}
				if err == nil {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
