package badger

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// reencode reads a row of one kind and writes it again; nil if it was refused.
var reencode = []func([]byte) []byte{
	func(b []byte) []byte { return again(b, parseTenantRow, tenantRow.append) },
	func(b []byte) []byte { return again(b, parseMessageRow, messageRow.append) },
	func(b []byte) []byte { return again(b, parseRecordRow, recordRow.append) },
	func(b []byte) []byte { return again(b, parseDataRow, dataRow.append) },
	func(b []byte) []byte { return again(b, parseFoldRow, foldRow.append) },
	func(b []byte) []byte {
		return again(b, parseWanted, func(w store.Wanted, dst []byte) []byte { return appendWanted(dst, w) })
	},
	func(b []byte) []byte {
		return again(b, parseSecret, func(s store.Secret, dst []byte) []byte { return appendSecret(dst, s) })
	},
	func(b []byte) []byte {
		return again(b, parseIndexed, func(to uint64, dst []byte) []byte { return appendIndexed(dst, to) })
	},
	func(b []byte) []byte {
		return again(b, func(b []byte) (logRow, error) { return parseLogRow(b, nil) }, logRow.append)
	},
}

func again[T any](row []byte, parse func([]byte) (T, error), write func(T, []byte) []byte) []byte {
	value, err := parse(row)
	if err != nil {
		return nil
	}
	return write(value, nil)
}

// FuzzRows checks that every row that is read at all is the one that would be
// written, so that nothing in it goes unread.
func FuzzRows(f *testing.F) {
	m := samples(f)[5].Message
	named, _ := m.Data()
	seeds := [][]byte{
		tenantRow{last: 300, count: 299, did: "did:key:x"}.append(nil),
		tenantRow{last: 300, count: 299, bytes: 1 << 40, did: "did:key:x"}.append(nil),
		messageRow{position: 7, length: 3, first: []byte("abc")}.append(nil),
		recordRow{position: 1 << 40, initial: m.ID(), deletes: 2}.append(nil),
		dataRow{size: 2, inline: []byte("ab")}.append(nil),
		dataRow{size: 1 << 20, upload: uploadID{1}}.append(nil),
		foldRow{position: 1 << 33, size: 16 << 20, upload: uploadID{2}, sum: digest{3}}.append(nil),
		appendWanted(nil, store.Wanted{CID: named.CID, Size: math.MaxInt64}),
		appendSecret(nil, store.Secret{Generation: 5}),
		appendIndexed(nil, 1<<21),
		logRow{event: store.EventAccepted, state: store.StateMember, key: m.Key(), initial: 9, own: m.Attributes()}.append(nil),
		logRow{event: store.EventAccepted, state: store.StateMember, key: m.Key(), rescopes: true, inMessage: true}.append(nil),
	}
	for kind := range reencode {
		for _, seed := range seeds {
			f.Add(byte(kind), seed)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, row []byte) {
		if int(kind) >= len(reencode) {
			return
		}
		if got := reencode[kind](row); got != nil && !bytes.Equal(got, row) {
			t.Errorf("kind %d: %x is written as %x", kind, row, got)
		}
	})
}

// TestLogRow checks that attributes come back whole, and that each change of a
// row's length is noticed.
func TestLogRow(t *testing.T) {
	shared := make(interner)
	for _, entry := range samples(t) {
		want := logRow{event: store.EventAccepted, state: store.StateMember, key: entry.Message.Key(), own: entry.Message.Attributes()}
		row := want.append(nil)
		if got, err := parseLogRow(row, shared); err != nil || got != want {
			t.Fatalf("got %+v (%v), want %+v", got, err, want)
		}
		if _, err := parseLogRow(row[:len(row)-1], shared); err == nil {
			t.Fatal("a shorter row is read")
		}
		if _, err := parseLogRow(append(row, 0), shared); err == nil {
			t.Fatal("a longer row is read")
		}
	}
}

// TestKeyOrder checks that the bytes of keys sort as keys do.
func TestKeyOrder(t *testing.T) {
	space := newKeyspace("did")
	var keys []dwn.Key
	for _, time := range []int64{math.MinInt64, -256, -1, 0, 1, 255, 256, math.MaxInt64} {
		for _, b := range []byte{0, 1, 255} {
			keys = append(keys, dwn.Key{Time: time, ID: dwn.ID{b}})
		}
	}
	for i, key := range keys {
		row := space.key(key)
		if got, ok := space.parseKey(row); !ok || got != key {
			t.Errorf("%v is read as %v", key, got)
		}
		if i > 0 && bytes.Compare(space.key(keys[i-1]), row) >= 0 {
			t.Errorf("%v does not sort after %v", key, keys[i-1])
		}
		if _, ok := space.parseKey(row[:len(row)-1]); ok {
			t.Error("a shorter key is read")
		}
	}
}

// TestKeysOfTenants checks that no two kinds or tenants share the start of a key.
func TestKeysOfTenants(t *testing.T) {
	var prefixes [][]byte
	for _, did := range []string{"", "a", "ab"} {
		for _, kind := range []byte{kindMessage, kindKey, kindLog, kindRecord, kindDelete, kindNames, kindWanted, kindData, kindChunk, kindSecret, kindFold, kindGrant, kindRevoked, kindIndexed, kindLent} {
			prefixes = append(prefixes, newKeyspace(did).prefix(kind))
		}
		prefixes = append(prefixes, newKeyspace(did).tenant())
	}
	prefixes = append(prefixes, layoutKey(), uploadKey(uploadID{}))
	slices.SortFunc(prefixes, bytes.Compare)
	for i := 1; i < len(prefixes); i++ {
		if bytes.HasPrefix(prefixes[i], prefixes[i-1]) {
			t.Errorf("%x begins with %x", prefixes[i], prefixes[i-1])
		}
	}
}
