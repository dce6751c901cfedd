package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// driftFold: driftfold DIR DID saves with a folder the summaries of other messages: all
// of the tenant's but one in the middle, for which there is another. They are well
// formed, under the tenant's secret, and of a log that ends with the same message.
func driftFold(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	real := openStore(ts, args[0])
	rows := real.Tenant(args[1])
	var entries []store.Entry
	for e, err := range rows.Log(ctx, 1) {
		ts.Check(err)
		for entry, err := range rows.Get(ctx, []dwn.ID{e.Key.ID}) {
			ts.Check(err)
			entries = append(entries, store.Entry{Message: entry.Message})
		}
	}
	secret, err := rows.KeepSecret(ctx, nil, store.Secret{Generation: 1, Key: [32]byte{7}})
	ts.Check(err)
	other := slices.Clone(entries)
	other[len(other)/2] = otherEntry(ts)
	at, name, data := savedOf(ts, args[1], secret, other)
	ts.Check(rows.KeepFold(ctx, name, at, data))
	ts.Check(real.Close())
}

// otherEntry returns a message that scripts have only in large.jsonl.
func otherEntry(ts *testscript.TestScript) store.Entry {
	for _, r := range records(ts, "large.jsonl") {
		m, err := dwn.ParseJSON(r.Message)
		ts.Check(err)
		return store.Entry{Message: m}
	}
	ts.Fatalf("large.jsonl is empty")
	return store.Entry{}
}

// savedOf returns what a Keeper saves of a tenant that has these messages.
func savedOf(ts *testscript.TestScript, did string, secret store.Secret, entries []store.Entry) (at uint64, name string, data []byte) {
	ctx := context.Background()
	s := openStore(ts, "drifted")
	rows := s.Tenant(did)
	_, err := rows.KeepSecret(ctx, nil, secret)
	ts.Check(err)
	for batch := range slices.Chunk(entries, store.MaxBatch) {
		_, err := rows.Put(ctx, batch)
		ts.Check(err)
	}
	k := summaries.Open(s, summaries.Options{SaveEvery: 1})
	ts.Check(k.Prepare(ctx, did, secret))
	ts.Check(k.Close())
	for _, name := range foldNames {
		at, data, ok, err := rows.Fold(ctx, name)
		ts.Check(err)
		if ok {
			ts.Check(s.Close())
			return at, name, data
		}
	}
	ts.Fatalf("nothing was saved")
	return 0, "", nil
}

// foldNames are those under which summaries are saved.
var foldNames = []string{"summaries 0", "summaries 1"}

// hasFold: hasfold DIR DID wants saved summaries of a tenant; ! hasfold none.
func hasFold(ts *testscript.TestScript, neg bool, args []string) {
	s := openStore(ts, args[0])
	found := false
	for _, name := range foldNames {
		_, _, ok, err := s.Tenant(args[1]).Fold(context.Background(), name)
		ts.Check(err)
		found = found || ok
	}
	ts.Check(s.Close())
	if found == neg {
		ts.Fatalf("summaries are saved: %t", found)
	}
}

// secretOf: secretof DIR DID FILE writes generation and ID of a tenant's secret to a file.
func secretOf(ts *testscript.TestScript, _ bool, args []string) {
	s := openStore(ts, args[0])
	secret, ok, err := s.Tenant(args[1]).Secret(context.Background(), nil)
	ts.Check(errors.Join(err, s.Close()))
	if !ok {
		ts.Fatalf("%s has no secret", args[0])
	}
	write(ts, args[2], strconv.FormatUint(secret.Generation, 10)+" "+string(strconv.AppendQuote(nil, string(secret.ID[:]))))
}

// tenantOf: tenantof KEY NAME sets NAME to the DID of a key file.
func tenantOf(ts *testscript.TestScript, _ bool, args []string) {
	signer, err := auth.ParseSigner([]byte(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Setenv(args[1], signer.DID())
}

func openStore(ts *testscript.TestScript, dir string) store.Store {
	s, err := badger.Open(ts.MkAbs(dir), badger.Options{MinFree: -1})
	ts.Check(err)
	return s
}

// damageRow: damagerow KIND N DIR DID changes a byte of the Nth row, from 1, of one kind
// of a tenant, behind the store's back: "message", "log", "data", "chunk" or
// "tenant", in the DID. "-key" and "-log" take the row out, as do "-grant" and "-revoked", "+key" adds one
// beside it, "time" moves a key in time, "grant" makes a grant of a record, and "revoked" a
// revoked one of a grant.
func damageRow(ts *testscript.TestScript, _ bool, args []string) {
	kinds := map[string]byte{"message": 'm', "-key": 'k', "+key": 'k', "time": 'k', "-log": 'l', "log": 'l', "chunk": 'c', "data": 'x', "-grant": 'g', "-revoked": 'v', "grant": 'r', "revoked": 'g'}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	db, err := dgraph.Open(dgraph.DefaultOptions(filepath.Join(ts.MkAbs(args[2]), "messages")).WithLogger(nil))
	ts.Check(err)
	tenant := sha256.Sum256([]byte(args[3]))
	prefix := append(append([]byte{0x10}, tenant[:]...), kinds[args[0]])
	if args[0] == "tenant" {
		prefix = append([]byte{0x01}, tenant[:]...)
	}
	err = db.Update(func(txn *dgraph.Txn) error {
		key, value := nthRow(ts, txn, prefix, n)
		switch args[0] {
		case "-key", "-log", "-grant", "-revoked":
			return txn.Delete(key)
		case "+key":
			key[len(key)-1] ^= 1
			return txn.Set(key, value)
		case "grant":
			key[len(prefix)-1] = 'g'
			return txn.Set(key, nil)
		case "revoked":
			key[len(prefix)-1] = 'v'
			return txn.Set(key, nil)
		case "time":
			ts.Check(txn.Delete(slices.Clone(key)))
			key[len(key)-33] ^= 1
			return txn.Set(key, value)
		}
		value[len(value)/2] ^= 1
		return txn.Set(key, value)
	})
	ts.Check(errors.Join(err, db.Close()))
}

func nthRow(ts *testscript.TestScript, txn *dgraph.Txn, prefix []byte, n int) (key, value []byte) {
	it := txn.NewIterator(dgraph.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Seek(prefix); it.Valid(); it.Next() {
		if n--; n == 0 {
			value, err := it.Item().ValueCopy(nil)
			ts.Check(err)
			return it.Item().KeyCopy(nil), value
		}
	}
	ts.Fatalf("there is no such row")
	return nil, nil
}

// damageTable: damagetable DIR changes one bit of a table.
func damageTable(ts *testscript.TestScript, _ bool, args []string) {
	tables, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "messages", "*.sst"))
	ts.Check(err)
	if len(tables) == 0 {
		ts.Fatalf("no table in %s", args[0])
	}
	data, err := os.ReadFile(tables[0])
	ts.Check(err)
	data[len(data)/3] ^= 1
	ts.Check(os.WriteFile(tables[0], data, 0o600))
}

// TestCompare: what only the keys or only the log has is told, and all of both is read.
func TestCompare(t *testing.T) {
	key := func(time int64) dwn.Key { return dwn.Key{Time: time, ID: dwn.ID{byte(time)}} }
	a, b, c := key(1), key(2), key(3)
	for name, test := range map[string]struct {
		keys, logged, all []dwn.Key
		damaged           int
	}{
		"nothing":         {nil, nil, []dwn.Key{}, 0},
		"same":            {[]dwn.Key{a, b}, []dwn.Key{a, b}, []dwn.Key{a, b}, 0},
		"keys alone":      {[]dwn.Key{a, b}, nil, []dwn.Key{a, b}, 2},
		"log alone":       {nil, []dwn.Key{a, b}, []dwn.Key{a, b}, 2},
		"both lack one":   {[]dwn.Key{a, c}, []dwn.Key{b, c}, []dwn.Key{a, b, c}, 2},
		"twice in a row":  {[]dwn.Key{a, b}, []dwn.Key{a, a, b}, []dwn.Key{a, b}, 1},
		"twice at last":   {[]dwn.Key{a, b}, []dwn.Key{a, b, b}, []dwn.Key{a, b}, 1},
		"twice, no key":   {[]dwn.Key{b}, []dwn.Key{a, a, b}, []dwn.Key{a, b}, 2},
		"last of the log": {[]dwn.Key{a}, []dwn.Key{a, c}, []dwn.Key{a, c}, 1},
	} {
		check := &tenantCheck{}
		all := check.compare(test.keys, test.logged)
		if !slices.Equal(all, test.all) || len(check.found.Damaged) != test.damaged {
			t.Errorf("%s: %d keys, %v", name, len(all), check.found.Damaged)
		}
	}
}
