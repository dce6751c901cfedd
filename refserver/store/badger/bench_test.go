package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// BenchmarkPut stores the corpus for one tenant after another.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s, all := openTest(b, b.TempDir(), Options{}), samples(b)
			n := 0
			for b.Loop() {
				rounds := len(all) / size
				at := n % rounds * size
				if _, err := s.Tenant(fmt.Sprint("did:example:", n/rounds)).Put(b.Context(), all[at:at+size]); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(n*size)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// fill writes the keys and log of a tenant with n messages whose attributes are
// those of the corpus, without their bytes.
func fill(b *testing.B, s *Store, n int) store.Tenant {
	b.Helper()
	return fillWith(b, s, n, samples(b))
}

func fillWith(b *testing.B, s *Store, n int, all []store.Entry) *tenant {
	b.Helper()
	have := s.Tenant("did").(*tenant)
	rng := rand.New(rand.NewPCG(uint64(n), 0))
	batch := s.db.NewWriteBatch()
	set := func(key, value []byte) {
		if err := batch.Set(key, value); err != nil {
			b.Fatal(err)
		}
	}
	for i := range n {
		m := all[i%len(all)].Message
		key := dwn.Key{Time: m.Key().Time + rng.Int64N(int64(time.Hour))}
		binary.BigEndian.PutUint64(key.ID[:], rng.Uint64())
		row := logRow{event: store.EventAccepted, state: store.StateMember, key: key, own: m.Attributes()}
		set(have.keys.key(key), nil)
		set(have.keys.log(uint64(i+1)), row.append(nil))
	}
	set(have.keys.tenant(), tenantRow{last: uint64(n), count: uint64(n), did: "did"}.append(nil))
	if err := batch.Flush(); err != nil {
		b.Fatal(err)
	}
	return have
}

func BenchmarkKeys(b *testing.B) {
	scope, err := dwn.ParseScope([]byte(`{"protocol":"https://example.org/protocols/notes","protocolPath":"note"}`))
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{10_000, 1_000_000} {
		s := openTest(b, b.TempDir(), Options{})
		have := fill(b, s, n)
		for name, scope := range map[string]dwn.Scope{"all": {}, "protocol": scope} {
			b.Run(fmt.Sprintf("n=%d/scope=%s", n, name), func(b *testing.B) {
				found := 0
				for b.Loop() {
					keys, _, err := have.Keys(b.Context(), scope)
					if err != nil {
						b.Fatal(err)
					}
					found = len(keys)
				}
				b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "keys/s")
				b.ReportMetric(float64(found), "found")
			})
		}
	}
}

// BenchmarkKeysIn asks for 64 neighbours of the corpus.
func BenchmarkKeysIn(b *testing.B) {
	s, all := openTest(b, b.TempDir(), Options{}), samples(b)
	have := s.Tenant("did")
	for batch := range slices.Chunk(all, store.MaxBatch) {
		if _, err := have.Put(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	keys, _, err := have.Keys(b.Context(), dwn.Scope{})
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{"all": "{}", "protocol": `{"protocol":"https://example.org/protocols/notes"}`} {
		scope, err := dwn.ParseScope([]byte(text))
		if err != nil {
			b.Fatal(err)
		}
		b.Run("scope="+name, func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				i := n % (len(keys) / 64) * 64
				if _, _, err := have.KeysIn(b.Context(), scope, keys[i], keys[i+63]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFold saves and reads a fold as of a million messages.
func BenchmarkFold(b *testing.B) {
	s := openTest(b, b.TempDir(), Options{})
	data := make([]byte, 16<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	b.Run("keep", func(b *testing.B) {
		for b.Loop() {
			if err := s.Tenant("did").KeepFold(b.Context(), "f", 1, data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, _, ok, err := s.Tenant("did").Fold(b.Context(), "f"); err != nil || !ok {
				b.Fatal(ok, err)
			}
		}
	})
}

// BenchmarkOpen opens a store whose tables are in the page cache and closes it.
func BenchmarkOpen(b *testing.B) {
	const n = 100_000
	dir := b.TempDir()
	s := openTest(b, dir, Options{})
	fill(b, s, n)
	space, batch := newKeyspace("did"), s.db.NewWriteBatch()
	random := rand.NewChaCha8([32]byte{1})
	for i := range n {
		body := make([]byte, 900)
		_, _ = random.Read(body[:500]) // the rest compresses, as a message's names do
		if err := batch.Set(space.message(dwn.ID{byte(i >> 16), byte(i >> 8), byte(i)}, 0), body); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(batch.Flush(), s.Close()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkGet reads the corpus in the order of its keys, which is not that of
// the rows.
func BenchmarkGet(b *testing.B) {
	s, all := openTest(b, b.TempDir(), Options{}), samples(b)
	have := s.Tenant("did")
	for at := 0; at < len(all); at += store.MaxBatch {
		if _, err := have.Put(b.Context(), all[at:min(at+store.MaxBatch, len(all))]); err != nil {
			b.Fatal(err)
		}
	}
	keys, _, err := have.Keys(b.Context(), dwn.Scope{})
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]dwn.ID, len(keys))
	for i := range keys {
		ids[i] = keys[i].ID
	}
	for b.Loop() {
		for _, err := range have.Get(b.Context(), ids) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*len(ids))/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkSyncOff is the same as BenchmarkPut for a store that loses what it
// acknowledged: what durability costs.
func BenchmarkSyncOff(b *testing.B) {
	const size = 256
	all := samples(b)
	s := openTest(b, b.TempDir(), Options{})
	if err := s.db.Close(); err != nil {
		b.Fatal(err)
	}
	var err error
	if s.db, err = dgraph.Open(settings(b.TempDir(), nil).WithSyncWrites(false)); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		rounds := len(all) / size
		at := n % rounds * size
		if _, err := s.Tenant(fmt.Sprint("did:example:", n/rounds)).Put(b.Context(), all[at:at+size]); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n*size)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkIndexGrants makes the rows of a log without permissions, each of which would
// cost reading its message besides.
func BenchmarkIndexGrants(b *testing.B) {
	all := slices.DeleteFunc(samples(b), func(e store.Entry) bool { return dwn.IsPermissions(e.Message.Attributes().Protocol) })
	for _, n := range []int{10_000, 1_000_000} {
		have := fillWith(b, openTest(b, b.TempDir(), Options{}), n, all)
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if err := forget(b.Context(), have, 0); err != nil {
					b.Fatal(err)
				}
				if err := have.indexGrants(b.Context(), scanSize); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
