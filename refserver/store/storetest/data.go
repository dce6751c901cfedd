package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/ipfs/go-cid"
)

// randomData returns bytes that do not repeat.
func randomData(seed uint64, size int) []byte {
	data := make([]byte, size)
	rng := rand.New(rand.NewPCG(seed, uint64(size)))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

// naming stores a message that names data and returns the data's CID.
func naming(t *testing.T, have store.Tenant, m *model, n int, data []byte) cid.Cid {
	t.Helper()
	message := draft{n: n, method: "Write", author: "a", data: data}.message(t)
	m.putAll(t, have, store.Entry{Message: message})
	named, _ := message.Data()
	return named.CID
}

// testLargeData stores data of sizes around every boundary there is.
func testLargeData(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	const chunk = 256 << 10
	sizes := []int{dwn.MaxInlineData + 1, chunk - 1, chunk, chunk + 1, 4*chunk - 1, 4 * chunk, 4*chunk + 1, 5*chunk + 7, 12 * chunk}
	content := make(map[cid.Cid][]byte)
	for n, size := range sizes {
		data := randomData(1, size)
		content[naming(t, have, m, n, data)] = data
	}
	b.reopen()
	have = b.Tenant(alice)
	wanted := wantedOf(t, have)
	if len(wanted) != len(sizes) {
		t.Fatalf("%d wanted, want %d", len(wanted), len(sizes))
	}
	for c, size := range wanted {
		if size != int64(len(content[c])) {
			t.Fatalf("%d bytes of %s are wanted, want %d", size, c, len(content[c]))
		}
		m.check(t, have)
		if err := have.PutData(t.Context(), c, iotest.HalfReader(bytes.NewReader(content[c]))); err != nil {
			t.Fatal(err)
		}
		m.data[c] = content[c]
		if err := have.PutData(t.Context(), c, unreadable{t}); err != nil {
			t.Fatalf("data that is held already: %v", err)
		}
	}
	if left := wantedOf(t, have); len(left) != 0 {
		t.Fatalf("still wanted: %v", left)
	}
	b.reopen()
	m.check(t, b.Tenant(alice))
}

// unreadable is a Reader that nobody may read.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("read from")
	return 0, io.EOF
}

// testWrongData offers what is not the data and checks that nothing comes of it.
func testWrongData(t *testing.T, b *bed) {
	for i, size := range []int{0, 5, dwn.MaxInlineData, dwn.MaxInlineData + 1, 3 << 20} {
		did := fmt.Sprintf("did:example:%d", i)
		have, m := b.Tenant(did), newModel(did)
		data := randomData(2, size)
		c := naming(t, have, m, 1, data)
		wanted := len(wantedOf(t, have))
		refuse := func(what string, r io.Reader, want error) {
			t.Helper()
			if err := have.PutData(t.Context(), c, r); !errors.Is(err, want) {
				t.Fatalf("%s of %d bytes: got %v, want %v", what, size, err, want)
			}
			m.check(t, have)
			if _, _, err := have.OpenData(t.Context(), c); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("%s of %d bytes: OpenData: %v", what, size, err)
			}
			if n := len(wantedOf(t, have)); n != wanted {
				t.Fatalf("%s of %d bytes: %d wanted, want %d", what, size, n, wanted)
			}
		}
		refuse("one byte more", bytes.NewReader(append(bytes.Clone(data), 1)), store.ErrDataMismatch)
		refuse("endless data", endless{}, store.ErrDataMismatch)
		broken := errors.New("connection lost")
		refuse("a broken stream", io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)), broken)
		if size > 0 {
			refuse("one byte less", bytes.NewReader(data[1:]), store.ErrDataMismatch)
			changed := bytes.Clone(data)
			changed[size-1] ^= 1
			refuse("a changed byte", bytes.NewReader(changed), store.ErrDataMismatch)
		}
		if err := b.Tenant("did:example:other").PutData(t.Context(), c, bytes.NewReader(data)); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("another tenant: %v", err)
		}
		if err := have.PutData(t.Context(), c, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		m.data[c] = data
		m.check(t, have)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// testSmallData completes a message with data that would have fit into its entry.
func testSmallData(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	for n, size := range []int{0, 1, dwn.MaxInlineData} {
		data := randomData(3, size)
		c := naming(t, have, m, n, data)
		if wanted := wantedOf(t, have); len(wanted) != 0 {
			t.Fatalf("wanted: %v", wanted)
		}
		if err := have.PutData(t.Context(), c, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		m.data[c] = data
		m.check(t, have)
		again := store.Entry{Message: draft{n: n, method: "Write", author: "a", data: data}.message(t), Data: data}
		m.putAll(t, have, again)
		m.check(t, have)
	}
}

// testLyingSizes stores messages that state wrong sizes for data.
func testLyingSizes(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	small, large := randomData(4, 100), randomData(5, 100_000)
	claims := []struct {
		data []byte
		size int64
	}{{small, 99}, {small, 1 << 40}, {small, 9007199254740991}, {large, 5}, {large, 99_999}, {large, 200_000}}
	var cids []cid.Cid
	for n, claim := range claims {
		message := draft{n: n, method: "Write", author: "a", data: claim.data, size: &claim.size}.message(t)
		m.putAll(t, have, store.Entry{Message: message})
		named, _ := message.Data()
		cids = append(cids, named.CID)
		if err := have.PutData(t.Context(), named.CID, bytes.NewReader(claim.data)); !errors.Is(err, store.ErrDataMismatch) {
			t.Fatalf("size %d for %d bytes: %v", claim.size, len(claim.data), err)
		}
	}
	if wanted := wantedOf(t, have); len(wanted) != 2 || wanted[cids[0]] != 9007199254740991 || wanted[cids[3]] != 200_000 {
		t.Fatalf("wanted: %v", wanted)
	}
	for i, data := range [][]byte{small, large} {
		c := naming(t, have, m, 100+i, data)
		if err := have.PutData(t.Context(), c, bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		m.data[c] = data
	}
	m.check(t, have)
	if wanted := wantedOf(t, have); len(wanted) != 0 {
		t.Fatalf("still wanted: %v", wanted)
	}
	// A lie that comes when the truth is known asks for nothing.
	lie := int64(300_000)
	m.putAll(t, have, store.Entry{Message: draft{n: 200, method: "Write", author: "a", data: large, size: &lie}.message(t)})
	m.check(t, have)
	if wanted := wantedOf(t, have); len(wanted) != 0 {
		t.Fatalf("wanted after a late lie: %v", wanted)
	}
}

func testManyWanted(t *testing.T, b *bed) {
	have := b.Tenant(alice)
	size := int64(dwn.MaxInlineData + 1)
	for from := 0; from < 600; from += 200 {
		var batch []store.Entry
		for n := from; n < from+200; n++ {
			batch = append(batch, store.Entry{Message: draft{n: n, method: "Write", author: "a", data: fmt.Append(nil, n), size: &size}.message(t)})
		}
		if _, err := have.Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if wanted := wantedOf(t, have); len(wanted) != 600 {
		t.Fatalf("%d wanted, want 600", len(wanted))
	}
}

// testConcurrentUploads sends one piece of data several times at once, some of
// them broken.
func testConcurrentUploads(t *testing.T, b *bed) {
	have, m := b.Tenant(alice), newModel(alice)
	data := randomData(6, 5<<20)
	c := naming(t, have, m, 1, data)
	wrong := bytes.Clone(data)
	wrong[len(wrong)-1]++
	var wait sync.WaitGroup
	for i := range 6 {
		wait.Go(func() {
			if i%3 > 0 {
				if err := have.PutData(t.Context(), c, bytes.NewReader(data)); err != nil {
					t.Error(err)
				}
			} else if err := have.PutData(t.Context(), c, bytes.NewReader(wrong)); err != nil && !errors.Is(err, store.ErrDataMismatch) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	m.data[c] = data
	m.check(t, have)
	b.reopen()
	m.check(t, b.Tenant(alice))
}
