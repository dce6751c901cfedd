package baseline

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// The examples of depth in the specification, and those of the tests that the
// implementations in TypeScript and Go share.
func TestMSTDepth(t *testing.T) {
	for key, want := range map[string]int{
		"2653ae71":                        0,
		"blue":                            1,
		"app.bsky.feed.post/454397e440ec": 4,
		"app.bsky.feed.post/9adeb165882c": 8,
	} {
		if got := mstDepth([]byte(key)); got != want {
			t.Errorf("depth of %q is %d, want %d", key, got, want)
		}
	}
}

func TestMSTKey(t *testing.T) {
	id := summary.ID{0xab, 0xcd, 0xef, 0x01, 0x23}
	for time, want := range map[int64]string{
		0:             "m/0abcdef01",
		1704067200000: "m/18cc251f400abcdef01",
		-1:            "m/ffffffffffffffffabcdef01",
	} {
		if got := mstKey(summary.Key{Time: time, ID: id}); string(got) != want {
			t.Errorf("key at %d is %s, want %s", time, got, want)
		}
	}
}

// The order of text is not that of times.
func TestMSTOrder(t *testing.T) {
	var keys []summary.Key
	for _, time := range []int64{-17, -1, 0, 2, 9, 16, 17, 255, 256} {
		keys = append(keys, summary.Key{Time: time, ID: summary.ID{byte(time)}}) // one is 0
	}
	if entries := mstEntries(keys); !slices.IsSortedFunc(entries, func(a, b mstEntry) int { return bytes.Compare(a.key, b.key) }) {
		t.Errorf("keys of a tree are out of order: %v", entries)
	}
	reconciled(t, MST{}, keys[:7], keys[1:])
}

// Roots of small repositories, from the interoperability tests that the implementations
// in TypeScript (github.com/bluesky-social/atproto) and Go (github.com/bluesky-social/indigo)
// share. All keys have one value. The names are those of the tests.
func TestMSTKnownRoots(t *testing.T) {
	const value = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"
	for _, c := range []struct{ name, keys, root string }{
		{"empty", "", "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"},
		{"trivial", "3fo", "bafyreibj4lsc3aqnrvphp5xmrnfoorvru4wynt6lwidqbm2623a6tatzdu"},
		{"single layer 2", "3fx", "bafyreih7wfei65pxzhauoibu3ls7jgmkju4bspy4t2ha2qdjnzqvoy33ai"},
		{"simple", "3fp 3fr 3fs 3ft 4fc", "bafyreicmahysq4n6wfuxo522m6dpiy7z7qzym3dzs756t5n7nfdgccwq7m"},
		{"trim top, before", "3fn 3fo 3fp 3fs 3ft 3fu", "bafyreifnqrwbk6ffmyaz5qtujqrzf5qmxf7cbxvgzktl4e3gabuxbtatv4"},
		{"trim top, after", "3fn 3fo 3fp 3ft 3fu", "bafyreie4kjuxbwkhzg2i5dljaswcroeih4dgiqq6pazcmunwt2byd725vi"},
		{"insertion, before", "3fo 3fp 3fr 3fs 3ft 3fz 4fc 4fd 4ff 4fg 4fh", "bafyreiettyludka6fpgp33stwxfuwhkzlur6chs4d2v4nkmq2j3ogpdjem"},
		{"insertion, after", "3fo 3fp 3fr 3fs 3ft 3fx 3fz 4fc 4fd 4ff 4fg 4fh", "bafyreid2x5eqs4w4qxvc5jiwda4cien3gw2q6cshofxwnvv7iucrmfohpm"},
		{"higher, before", "3ft 3fz", "bafyreidfcktqnfmykz2ps3dbul35pepleq7kvv526g47xahuz3rqtptmky"},
		{"higher, after", "3ft 3fx 3fz", "bafyreiavxaxdz7o7rbvr3zg2liox2yww46t7g6hkehx4i4h3lwudly7dhy"},
		{"higher, again", "3ft 3fx 3fz 4fd", "bafyreig4jv3vuajbsybhyvb7gggvpwh2zszwfyttjrj6qwvcsp24h6popu"},
	} {
		var entries []mstEntry
		for _, short := range strings.Fields(c.keys) {
			key := []byte("com.example.record/3jqfcqzm" + short + "2j")
			entries = append(entries, mstEntry{key, summary.ID(digestOf(t, value)), mstDepth(key)})
		}
		if got, want := newTree(entries).root, digestOf(t, c.root); got != want {
			t.Errorf("%s: root %x, want %x", c.name, got, want)
		}
	}
}

// digestOf returns the digest in a CID in base32.
func digestOf(t *testing.T, cid string) link {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(cid[1:]))
	if err != nil || len(raw) != cidSize || !strings.HasSuffix(linkHead, string(raw[:4])) {
		t.Fatalf("%s: %v, %x", cid, err, raw)
	}
	return link(raw[4:])
}

func TestMSTAllSmall(t *testing.T) {
	allSmall(t, MST{}, fiveKeys())
}

// Items of one time whose IDs begin alike have one key, and a depth in common.
func TestMSTAllSmallAlike(t *testing.T) {
	keys := fiveKeys()
	for i := range keys {
		keys[i].Time = 7
		copy(keys[i].ID[:4], "same")
	}
	slices.SortFunc(keys, summary.Key.Compare)
	allSmall(t, MST{}, keys)
}

func TestMSTRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		here, there := randomSides(r, r.IntN(400), r.Float64())
		out := reconciled(t, MST{}, here, there)
		if out.Up%cidSize != 0 || out.Down < cidSize {
			t.Fatalf("%d bytes up, %d down", out.Up, out.Down)
		}
	}
	here, there := randomSides(r, 20_000, 0.1)
	if out := reconciled(t, MST{}, here, there); out.Here <= 0 || out.There <= 0 {
		t.Errorf("%d and %d ns of CPU time", out.Here, out.There)
	}
}

// Nodes of the tree of a set: one for each run of entries, between deeper ones, that
// lie at or below a depth. That says nothing of how a tree is built.
func TestMSTNodes(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 50 {
		keys, _ := randomSides(r, 1+r.IntN(3_000), 0)
		entries := mstEntries(keys)
		top := 0
		for _, e := range entries {
			top = max(top, e.depth)
		}
		want := 0
		for depth := range top + 1 {
			for i, e := range entries {
				if e.depth <= depth && (i == 0 || entries[i-1].depth > depth) {
					want++
				}
			}
		}
		if got := len(newTree(entries).blocks); got != want {
			t.Fatalf("%d keys make %d nodes, want %d", len(keys), got, want)
		}
	}
}

// Every node comes back from its block, and no block cut off, with a bit turned or with
// bytes behind it reads as anything but itself.
func TestMSTNodeWire(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	keys, _ := randomSides(r, 300, 0)
	for name, block := range newTree(mstEntries(keys)).blocks {
		node, err := parseNode(block)
		if err != nil || !bytes.Equal(node.append(nil), block) {
			t.Fatalf("node %x: %v, or does not come back: %x", name, err, block)
		}
		for n := range block {
			if _, err := parseNode(block[:n]); !errors.Is(err, errBlock) {
				t.Fatalf("%d bytes of %x: %v, want %v", n, block, err, errBlock)
			}
		}
		turned := bytes.Clone(block)
		turned[r.IntN(len(turned))] ^= 1 << r.IntN(8)
		if node, err := parseNode(turned); err == nil && !bytes.Equal(node.append(nil), turned) {
			t.Fatalf("%x was read as %x", turned, node.append(nil))
		}
		if _, err := parseNode(append(turned[:0:0], append(block, 0)...)); !errors.Is(err, errBlock) {
			t.Fatalf("a byte behind %x: %v, want %v", block, err, errBlock)
		}
	}
}

// DAG-CBOR has one encoding of each node.
func TestMSTNodeRefuses(t *testing.T) {
	key := bytes.Repeat([]byte("k"), 30)
	node := mstNode{entries: []nodeEntry{{key: key[:20]}, {key: key}, {key: append(key, make([]byte, 300)...)}}}
	block := node.append(nil)
	if _, err := parseNode(block); err != nil {
		t.Fatal(err)
	}
	cid := linkHead + string(make([]byte, 32))
	for name, change := range map[string][2]string{
		"long count":      {"ae\x83", "ae\x98\x03"},
		"count above":     {"ae\x83", "ae\x84"},
		"count below":     {"ae\x83", "ae\x82"},
		"count of 2^32":   {"ae\x83", "ae\x9b\x00\x00\x00\x01\x00\x00\x00\x00"},
		"count of 2^32-1": {"ae\x83", "ae\x9a\xff\xff\xff\xff"},
		"no array":        {"ae\x83", "ae\xa3"},
		"long key":        {"ak\x54", "ak\x58\x14"},
		"length of -1":    {"ak\x54", "ak\x5b\xff\xff\xff\xff\xff\xff\xff\xff"},
		"longer length":   {"ak\x59\x01\x2c", "ak\x5a\x00\x00\x01\x2c"},
		"short prefix":    {"ak\x4akkkkkkkkkkap\x14", "ak\x4bkkkkkkkkkkkap\x13"},
		"prefix beyond":   {"ap\x18\x1e", "ap\x18\x1f"},
		"long prefix":     {"ap\x14", "ap\x18\x14"},
		"no value":        {"av" + cid, "av\xf6"},
		"other codec":     {"av" + cid, "av" + strings.Replace(cid, "\x71", "\x55", 1)},
	} {
		changed := strings.Replace(string(block), change[0], change[1], 1)
		if changed == string(block) {
			t.Fatalf("%s: the block holds no %q", name, change[0])
		}
		if _, err := parseNode([]byte(changed)); !errors.Is(err, errBlock) {
			t.Errorf("%s: %v, want %v", name, err, errBlock)
		}
	}
}

func TestMSTRefuses(t *testing.T) {
	whole := MST{}.Prepare(fiveKeys()).(*mstTree)
	if _, err := whole.Reconcile(RIBLT{}.Prepare(nil)); !errors.Is(err, errForeignSide) {
		t.Errorf("side of another system: %v, want %v", err, errForeignSide)
	}
	lacking := &mstTree{root: whole.root}
	if _, err := newTree(nil).Reconcile(lacking); !errors.Is(err, errNoBlock) {
		t.Errorf("a tree without its nodes: %v, want %v", err, errNoBlock)
	}
	noNode, other := []byte("{}"), (&mstNode{}).append(nil)
	for root, block := range map[link][]byte{whole.root: other, sha256.Sum256(noNode): noNode} {
		broken := &mstTree{root: root, blocks: map[link][]byte{root: block}}
		if _, err := newTree(nil).Reconcile(broken); !errors.Is(err, errBlock) {
			t.Errorf("%x for the node %x: %v, want %v", block, root, err, errBlock)
		}
	}
}

// FuzzMSTNode holds that what parseNode takes is what append writes.
func FuzzMSTNode(f *testing.F) {
	for _, block := range newTree(mstEntries(fiveKeys())).blocks {
		f.Add(block)
	}
	node := mstNode{entries: []nodeEntry{{key: bytes.Repeat([]byte("k"), 300), value: summary.ID{1}}}}
	f.Add(node.append(nil))
	f.Fuzz(func(t *testing.T, block []byte) {
		node, err := parseNode(block)
		if err != nil {
			if !errors.Is(err, errBlock) {
				t.Error(err)
			}
			return
		}
		if again := node.append(nil); !bytes.Equal(again, block) {
			t.Errorf("%x was read as %x", block, again)
		}
	})
}

func ExampleMST() {
	one, two := summary.Key{Time: 1, ID: summary.ID{1}}, summary.Key{Time: 2, ID: summary.ID{2}}
	out, err := MST{}.Prepare([]summary.Key{one}).Reconcile(MST{}.Prepare([]summary.Key{one, two}))
	fmt.Println(len(out.Have), len(out.Need), out.Rounds, err)
	// Output: 0 1 2 <nil>
}
