package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// granters are the tenants that made the grants which all tenants may hold: for the others
// neither revocations nor deletes of them count.
var granters = []string{alice, "did:example:alic"}

// adversarialDIDs returns 100 different names: chains of which each begins like the next, bytes that end
// a text elsewhere, parts of keys, and names that look alike.
func adversarialDIDs() []string {
	dids := append(slices.Clone(granters), similarDIDs...)
	for n := range 40 {
		dids = append(dids, "did:web:a"+strings.Repeat("b", n))
	}
	for _, b := range []byte{0, 1, ' ', '#', '%', '*', '.', '/', ':', '?', '\\', '|', 0x7f, 0x80, 0xff} {
		dids = append(dids, "did:key:z"+string(b), "did:key:z"+string([]byte{b, b}), string(b)+"did:key:z")
	}
	return dids[:100]
}

// canaries are what every tenant may hold: messages with inline data, with large data and
// with none, grants, and what deletes or revokes them. All tenants write the same messages, so what
// keeps them apart is nothing that the messages say.
type canaries struct {
	entries []store.Entry
	large   map[cid.Cid][]byte
	largest []cid.Cid // of large
	ids     []dwn.ID
	data    []cid.Cid
	records []string
}

func newCanaries(tb testing.TB) canaries {
	c := canaries{large: make(map[cid.Cid][]byte)}
	for n := range 24 {
		c.entries = append(c.entries, note(tb, n))
	}
	for n := range 4 {
		did := granters[n%len(granters)]
		g := grant(tb, n, did)
		record := g.Message.RecordID()
		c.entries = append(c.entries, g, store.Entry{Message: revocation(n, did, record).message(tb)},
			store.Entry{Message: draft{n: 90 + n, method: "Delete", author: authorNamed(did), record: record}.message(tb)})
		data := randomData(uint64(n), dwn.MaxInlineData+1+n)
		m := draft{n: 50 + n, method: "Write", author: "carol", data: data}.message(tb)
		named, _ := m.Data()
		c.large[named.CID] = data
		c.largest = append(c.largest, named.CID)
		c.entries = append(c.entries, store.Entry{Message: m})
	}
	for _, e := range c.entries {
		c.ids = append(c.ids, e.Message.ID())
		c.records = append(c.records, e.Message.RecordID())
		if named, ok := e.Message.Data(); ok {
			c.data = append(c.data, named.CID)
		}
	}
	return c
}

// observer makes calls of one tenant, told by its own random numbers alone, and keeps a digest
// of what it was answered.
type observer struct {
	canaries
	did  string
	rng  *rand.Rand
	have store.Tenant
	m    *model
	sum  hash.Hash
}

func newObserver(c canaries, s store.Store, n int, did string) *observer {
	return &observer{
		canaries: c, did: did, rng: rand.New(rand.NewPCG(uint64(n), 21)), have: s.Tenant(did), m: newModel(did), sum: sha256.New(),
	}
}

// see adds an answer to the digest.
func (o *observer) see(what string, answer ...any) {
	fmt.Fprintln(o.sum, what, answer)
}

func oneOf[T any](rng *rand.Rand, all []T) T { return all[rng.IntN(len(all))] }

// writesPerCall is how few calls write: a write is synced to disk.
const writesPerCall = 1.0 / 16

// step makes a call. An error says what was answered that the tenant's own calls do not explain.
func (o *observer) step(ctx context.Context) error {
	if o.rng.Float64() < writesPerCall {
		return o.write(ctx)
	}
	switch o.rng.IntN(8) {
	case 0, 1, 2:
		return o.get(ctx)
	case 3:
		return o.openData(ctx)
	case 4:
		return o.keys(ctx)
	case 5:
		return o.log(ctx)
	case 6:
		return o.grant(ctx)
	default:
		return o.rest(ctx)
	}
}

func (o *observer) write(ctx context.Context) error {
	switch o.rng.IntN(6) {
	case 0:
		c := oneOf(o.rng, o.largest)
		err := o.have.PutData(ctx, c, bytes.NewReader(o.large[c]))
		named := slices.ContainsFunc(o.entries, func(e store.Entry) bool {
			d, ok := e.Message.Data()
			return ok && d.CID == c && o.m.messages[e.Message.ID()] != nil
		})
		o.see("PutData", err)
		switch {
		case !named && errors.Is(err, store.ErrNotFound):
		case named && err == nil:
			o.m.data[c] = o.large[c]
		default:
			return fmt.Errorf("data is put, named %v: %w", named, err)
		}
		return nil
	case 1:
		kept, err := o.have.KeepSecret(ctx, nil, store.Secret{Generation: o.rng.Uint64N(1000), Key: [32]byte(sha256.New().Sum(nil))})
		o.see("KeepSecret", kept.Generation, err)
		return err
	case 2:
		err := o.have.KeepFold(ctx, "fold", 1, []byte(o.did))
		o.see("KeepFold", err)
		return err
	}
	var batch []store.Entry
	for range 1 + o.rng.IntN(4) {
		batch = append(batch, oneOf(o.rng, o.entries))
	}
	outcomes, err := o.have.Put(ctx, batch)
	o.see("Put", outcomes, err)
	for i, e := range batch {
		if want := o.m.put(e); err == nil && outcomes[i] != want {
			return fmt.Errorf("message %s is %v, want %v", e.Message.CID(), outcomes[i], want)
		}
	}
	return err
}

func (o *observer) get(ctx context.Context) error {
	id := oneOf(o.rng, o.ids)
	for e, err := range o.have.Get(ctx, []dwn.ID{id}) {
		held := o.m.messages[id] != nil
		o.see("Get", e.Data, e.DataHeld, err)
		if held != (err == nil) || !held && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("a message is got, held %v: %w", held, err)
		}
		if held && e.Message.ID() != id {
			return fmt.Errorf("asked for %s and got %s", dwn.CIDOf(id), e.Message.CID())
		}
	}
	return nil
}

func (o *observer) openData(ctx context.Context) error {
	c := oneOf(o.rng, o.data)
	r, size, err := o.have.OpenData(ctx, c)
	want, held := o.m.data[c]
	o.see("OpenData", size, err)
	if held != (err == nil) || !held && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("data is opened, held %v: %w", held, err)
	}
	if !held {
		return nil
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes of data, want %d: %w", len(got), len(want), err)
	}
	return r.Close()
}

func (o *observer) keys(ctx context.Context) error {
	keys, last, err := o.have.Keys(ctx, dwn.Scope{})
	o.see("Keys", keys, last, err)
	if want := o.m.keys(dwn.Scope{}); err != nil || !slices.Equal(keys, want) {
		return fmt.Errorf("%d keys, want %d: %w", len(keys), len(want), err)
	}
	return nil
}

func (o *observer) log(ctx context.Context) error {
	n := 0
	for e, err := range o.have.Log(ctx, 0) {
		if o.see("Log", e, err); err != nil {
			return err
		}
		if n++; o.m.messages[e.Key.ID] == nil {
			return fmt.Errorf("%s is in the log", dwn.CIDOf(e.Key.ID))
		}
	}
	if n < len(o.m.messages) {
		return fmt.Errorf("%d entries of the log, want %d", n, len(o.m.messages))
	}
	return nil
}

func (o *observer) grant(ctx context.Context) error {
	record := oneOf(o.rng, o.records)
	g, revoked, err := o.have.Grant(ctx, record)
	o.see("Grant", g.Data, revoked, err)
	if want := o.m.grants()[record] != nil; want != (err == nil) || !want && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("grant, want %v: %w", want, err)
	}
	_, err = o.have.PutUnder(ctx, nil, []string{record})
	o.see("PutUnder", err)
	if err != nil && !errors.Is(err, store.ErrRevoked) {
		return err
	}
	return nil
}

// rest asks what is left to ask.
func (o *observer) rest(ctx context.Context) error {
	usage, err := o.have.Usage(ctx)
	if err != nil || usage != o.m.usage() {
		return fmt.Errorf("usage %+v, want %+v: %w", usage, o.m.usage(), err)
	}
	secret, ok, err := o.have.Secret(ctx, nil)
	if err != nil {
		return err
	}
	_, fold, kept, err := o.have.Fold(ctx, "fold")
	if err != nil || kept && string(fold) != o.did {
		return fmt.Errorf("fold %.80q of %.80q: %w", fold, o.did, err)
	}
	initial, found, err := o.have.Initial(ctx, oneOf(o.rng, o.records))
	if err != nil {
		return err
	}
	named, err1 := sortedIDs(o.have.NamedBy(ctx, oneOf(o.rng, o.data)))
	for _, id := range named {
		if o.m.messages[id] == nil {
			return fmt.Errorf("data is named by %s", dwn.CIDOf(id))
		}
	}
	wanted := 0
	for w, err := range o.have.WantedData(ctx) {
		if _, held := o.m.data[w.CID]; err != nil || held {
			return fmt.Errorf("data %s is wanted, held %v: %w", w.CID, held, err)
		}
		wanted++
	}
	o.see("rest", usage, secret.Generation, ok, kept, initial, found, named, wanted)
	return err1
}

func sortedIDs(ids iter.Seq2[dwn.ID, error]) (all []dwn.ID, err error) {
	for id, err := range ids {
		if err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	slices.SortFunc(all, func(a, b dwn.ID) int { return bytes.Compare(a[:], b[:]) })
	return all, nil
}

// trials is how many trials a test makes, in the long form with DWNSYNC_LONG=1.
func trials(short, long int) int {
	if os.Getenv("DWNSYNC_LONG") == "1" {
		return long
	}
	return short
}

// testTenantsApart lets 100 tenants with names that are alike make calls in any order, in one
// store, about messages that all of them write. Each is answered as its own calls before say,
// and some of them, byte for byte, as when they are alone.
func testTenantsApart(t *testing.T, b *bed) {
	c, dids := newCanaries(t), adversarialDIDs()
	if len(slices.Compact(slices.Sorted(slices.Values(dids)))) != 100 {
		t.Fatal("not 100 different names")
	}
	var all []*observer
	for n, did := range dids {
		all = append(all, newObserver(c, b.Store, n, did))
	}
	order := rand.New(rand.NewPCG(1, 22))
	steps := make([]int, len(all))
	for range trials(8_000, 1_000_000) {
		n := order.IntN(len(all))
		if order.IntN(8) == 0 {
			n = order.IntN(len(granters)) // what these write matters most
		}
		steps[n]++
		if err := all[n].step(t.Context()); err != nil {
			t.Fatalf("%.80q: %v", dids[n], err)
		}
	}
	for n := 0; n < len(all); n += 9 { // a store for each is what takes time
		alone := newObserver(c, newBed(t, b.open).Store, n, dids[n])
		for range steps[n] {
			if err := alone.step(t.Context()); err != nil {
				t.Fatalf("%.80q alone: %v", dids[n], err)
			}
		}
		if !bytes.Equal(alone.sum.Sum(nil), all[n].sum.Sum(nil)) {
			t.Errorf("%.80q is answered otherwise among others", dids[n])
		}
	}
	held := 0
	for _, o := range all {
		o.m.check(t, o.have)
		held += len(o.m.messages)
	}
	if held < 100 {
		t.Errorf("%d messages: this shows little", held)
	}
}
