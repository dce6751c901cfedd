package auth

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// recordIDs returns n record IDs, ascending.
func recordIDs(n int) (ids []string) {
	for i := range n {
		ids = append(ids, dwn.CIDOf(dwn.ID{byte(i + 1)}).String())
	}
	slices.Sort(ids)
	return ids
}

// wrongIDs are texts that are no record ID, by what is wrong with them.
func wrongIDs(t testing.TB) map[string]string {
	t.Helper()
	message := dwn.CIDOf(dwn.ID{1})
	good := message.String()
	other := func(text string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	hashed := func(codec uint64, digest []byte, code uint64) string {
		hash, err := multihash.Encode(digest, code)
		if err != nil {
			t.Fatal(err)
		}
		return cid.NewCidV1(codec, hash).String()
	}
	digest := make([]byte, 32)
	return map[string]string{
		"empty": "", "short": good[:58], "long": good + "a", "no CID": strings.Repeat("a", 59), "DID": "did:key:z6Mkabc",
		"in upper case": strings.ToUpper(good), "in upper case after b": "b" + strings.ToUpper(good[1:]), "in base58": other(message.StringOfBase('z')),
		"in base16": other(message.StringOfBase('f')), "in base64": other(message.StringOfBase('u')), "padded": good[:58] + "=", "with a space": good[:58] + " ",
		"with a line break": good[:58] + `\n`, "with stray bits": good[:58] + string("abcdefgh"[1+strings.IndexByte("abcdefgh", good[58])%4]), "of data": hashed(cid.Raw, digest, multihash.SHA2_256),
		"of dag-pb": hashed(cid.DagProtobuf, digest, multihash.SHA2_256), "of dag-json": hashed(cid.DagJSON, digest, multihash.SHA2_256),
		"of another hash": hashed(cid.DagCBOR, digest, multihash.BLAKE3), "of SHA-512": hashed(cid.DagCBOR, make([]byte, 64), multihash.SHA2_512),
		"of the identity": hashed(cid.DagCBOR, digest, multihash.IDENTITY), "of version 0": cid.NewCidV0(message.Hash()).String(),
		"with a path": good[:57] + "/a", "with a zero byte": good[:58] + `\u0000`,
	}
}

// grants are claims of that name that no token may have.
func (f *faults) grants() {
	ids := recordIDs(9)
	list := func(ids ...string) string { return `["` + strings.Join(ids, `","`) + `"]` }
	wrong := map[string]string{
		"null": "null", "text": `"` + ids[0] + `"`, "number": "1", "true": "true", "object": `{"0":"` + ids[0] + `"}`, "empty": "[]", "9 of them": list(ids...),
		"unsorted": list(ids[1], ids[0]), "unsorted at the end": list(ids[0], ids[1], ids[3], ids[2]), "twice": list(ids[0], ids[0]), "twice apart": list(ids[0], ids[1], ids[0]),
		"with a number": `["` + ids[0] + `",1]`, "with null": `["` + ids[0] + `",null]`, "with an array": `["` + ids[0] + `",["` + ids[1] + `"]]`, "with an object": `[{"id":"` + ids[0] + `"}]`,
		"with an empty one": list("", ids[0]), "10000 of them": "[" + strings.Repeat("1,", 4999) + "1]",
	}
	for name, id := range wrongIDs(f.t) {
		wrong["ID "+name] = list(id)
	}
	for name, text := range wrong {
		f.both("ErrToken", "grants "+name, `{`, `{"grants":`+text+`,`)
	}
	f.both("ErrToken", "grants there twice", `{`, `{"grants":`+list(ids[0])+`,"grants":`+list(ids[0])+`,`)
	f.both("ErrToken", "grants in another case", `{`, `{"Grants":`+list(ids[0])+`,`)
	f.both("ErrToken", "grant", `{`, `{"grant":`+list(ids[0])+`,`)
}

// curveSignatures are wrong signatures of the two curves over which r and s are numbers.
func (f *faults) curveSignatures() {
	for curve, order := range map[Curve]string{
		P256:      "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
		Secp256k1: "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
	} {
		s := testSigner(f.t, curve, "faults")
		n, err := hex.DecodeString(order)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, kind := range []string{"init", "request"} {
			token, err := s.SignInit(testInit(f.t, s))
			if kind == "request" {
				token, err = s.SignRequest(testRequest(f.t, s))
			}
			if err != nil {
				f.t.Fatal(err)
			}
			f.numbers(kind, curve, token, n)
		}
	}
}

func (f *faults) numbers(kind string, curve Curve, token string, order []byte) {
	dot := strings.LastIndexByte(token, '.')
	for name, change := range map[string]func(r, s []byte){
		"bit of r": func(r, _ []byte) { r[31] ^= 1 }, "bit of s": func(_, s []byte) { s[31] ^= 1 },
		"r is 0": func(r, _ []byte) { clear(r) }, "s is 0": func(_, s []byte) { clear(s) },
		"r is 1": func(r, _ []byte) { clear(r); r[31] = 1 }, "r is the order": func(r, _ []byte) { copy(r, order) },
		"s is the order": func(_, s []byte) { copy(s, order) }, "all ones": func(r, s []byte) { ones(r); ones(s) },
		"r and s exchanged": func(r, s []byte) {
			for i := range r {
				r[i], s[i] = s[i], r[i]
			}
		},
		"s over the order": func(_, s []byte) {
			new(big.Int).Or(new(big.Int).SetBytes(order), big.NewInt(0xff)).FillBytes(s)
		},
	} {
		sig, err := decode64(token[dot+1:])
		if err != nil {
			f.t.Fatal(err)
		}
		change(sig[:32], sig[32:])
		f.add(kind, "ErrSignature", fmt.Sprintf("signature: %s, %s", curve, name), token[:dot+1]+encode64(sig))
	}
	der := append([]byte{0x30, 0x44, 2, 32}, make([]byte, 66)...)
	f.add(kind, "ErrToken", fmt.Sprintf("signature: %s, in DER", curve), token[:dot+1]+encode64(der))
	for _, other := range curves() {
		if other != curve {
			f.add(kind, "ErrSignature", fmt.Sprintf("signature: %s by a key of %s", curve, other), token[:dot+1]+strings.Split(compact(f.t, testSigner(f.t, other, "faults"), "{}", "{}"), ".")[2])
		}
	}
}

func ones(b []byte) {
	for i := range b {
		b[i] = 0xff
	}
}

// torsionKeys are tokens under every key of small order.
func (f *faults) torsionKeys() {
	for name, point := range torsion {
		f.add("init", "ErrKey", "key: torsion, "+name, f.smallOrder(point))
	}
}

// Claims that name 1 to 8 grants are good, so those above have no fault but their own.
func TestGrantsBeginGood(t *testing.T) {
	f := &faults{t: t, s: testSigner(t, Ed25519, "faults")}
	for _, n := range []int{1, MaxGrants} {
		for _, kind := range []string{"init", "request"} {
			h, p := f.good(kind)
			p = f.replace(p, `{`, `{"grants":["`+strings.Join(recordIDs(n), `","`)+`"],`)
			if err := verifyKind(t, testVerifier(t), kind, compact(t, f.s, h, p)); err != nil {
				t.Errorf("%d grants in %s: %v", n, kind, err)
			}
		}
	}
}
