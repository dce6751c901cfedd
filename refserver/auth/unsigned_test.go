package auth

import (
	"crypto/elliptic"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// variations return other messages of one that is signed, which anybody could make.
func variations(t testing.TB, curve Curve) map[string]func(whole, authorization map[string]any) {
	d := write(t, "{}", map[string]any{"protocol": protocolURL("P"), "protocolPath": "note"})
	all := map[string]func(whole, authorization map[string]any){
		"a member":               func(whole, _ map[string]any) { whole["other"] = 1 },
		"encodedData":            func(whole, _ map[string]any) { whole["encodedData"] = "e30" },
		"an attestation":         func(whole, _ map[string]any) { whole["attestation"] = d.sign(t, actor(t, "G"), nil) },
		"encryption":             func(whole, _ map[string]any) { whole["encryption"] = map[string]any{} },
		"no contextId":           func(whole, _ map[string]any) { delete(whole, "contextId") },
		"another contextId":      func(whole, _ map[string]any) { whole["contextId"] = "a" },
		"a member of it":         func(_, a map[string]any) { a["other"] = 1 },
		"the grantee as owner":   func(_, a map[string]any) { a["ownerSignature"] = d.sign(t, actor(t, "G"), nil) },
		"the grantee as owner 2": func(_, a map[string]any) { a["ownerSignature"] = d.sign(t, actor(t, "G"), map[string]any{"n": 2}) },
		"another as owner":       func(_, a map[string]any) { a["ownerSignature"] = d.sign(t, actor(t, "O"), nil) },
		"the author as owner":    func(_, a map[string]any) { a["ownerSignature"] = a["signature"] },
		"no owner":               func(_, a map[string]any) { delete(a, "ownerSignature") },
	}
	for _, name := range []string{"authorDelegatedGrant", "ownerDelegatedGrant"} {
		all[name] = func(_, a map[string]any) { a[name] = json.RawMessage(embedded(t, 1, "T").AppendJSON(nil)) }
	}
	for _, name := range []string{"signature", "ownerSignature"} {
		jws := func(change func(jws, one map[string]any)) func(_, a map[string]any) {
			return func(_, a map[string]any) {
				jws := a[name].(map[string]any)
				change(jws, jws["signatures"].([]any)[0].(map[string]any))
			}
		}
		all[name+": a member"] = jws(func(jws, _ map[string]any) { jws["header"] = map[string]any{} })
		all[name+": an unprotected header"] = jws(func(_, one map[string]any) { one["header"] = map[string]any{"a": 1} })
		all[name+": twice"] = jws(func(jws, one map[string]any) { jws["signatures"] = []any{one, one} })
		all[name+": padded"] = jws(func(_, one map[string]any) { one["signature"] = one["signature"].(string) + "==" })
		all[name+": its second form"] = jws(func(_, one map[string]any) { one["signature"] = secondForm(t, curve, one["signature"].(string)) })
	}
	return all
}

// secondForm returns (r, n-s) for (r, s), and for EdDSA (R, S+n), which is as good to who does not
// look at the range of S.
func secondForm(t testing.TB, curve Curve, signature string) string {
	t.Helper()
	raw, err := decode64(signature)
	if err != nil {
		t.Fatal(err)
	}
	s := raw[32:]
	switch curve {
	case P256:
		new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(s)).FillBytes(s)
	case Secp256k1:
		new(big.Int).Sub(secp256k1.Params().N, new(big.Int).SetBytes(s)).FillBytes(s)
	case Ed25519:
		n, ok := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
		if !ok {
			t.Fatal("not a number")
		}
		n.SetBit(n, 252, 1)
		slices.Reverse(s)
		n.Add(n, new(big.Int).SetBytes(s)).FillBytes(s)
		slices.Reverse(s)
	}
	return encode64(raw)
}

// TestOtherMessagesOfOne: of a message of the tenant's, with a signature of it as owner, a grantee that
// may only read makes and pushes no other ones, whatever it changes that no signature covers, but
// that without the owner's signature and, by P-256, one more for each signature.
func TestOtherMessagesOfOne(t *testing.T) {
	for _, curve := range curves() {
		tenant := testSigner(t, curve, "tenant of unsigned parts")
		d := write(t, "{}", map[string]any{"protocol": protocolURL("P"), "protocolPath": "note"})
		d["authorization"] = d.authorize(t, tenant, nil)
		d["authorization"].(map[string]any)["ownerSignature"] = d.sign(t, tenant, map[string]any{"n": 1})
		m := d.message(t)
		grants := tableGrants(t, "Messages.Read")
		grants[0].Grantor = tenant.DID()
		may, err := Decide(Request{Tenant: tenant.DID(), Signer: actor(t, "G").DID(), Direction: Push, Grants: grants, Now: tableNow})
		if err != nil {
			t.Fatal(err)
		}
		first := m.Attributes()
		taken := func(m *dwn.Message) error {
			if err := VerifyMessage(t.Context(), Offline{}, m); err != nil {
				return err
			}
			return MayPush(may, m, &first)
		}
		if err := taken(m); err != nil {
			t.Fatalf("%s: as it was: %v", curve, err)
		}
		want := map[string]bool{"no owner": true, "signature: its second form": curve == P256, "ownerSignature: its second form": curve == P256}
		for name, change := range variations(t, curve) {
			other, err := changed(t, m, change)
			if err == nil && other.CID() == m.CID() {
				continue // it is no other
			}
			if err == nil {
				err = taken(other)
			}
			if (err == nil) != want[name] {
				t.Errorf("%s, %s: got %v", curve, name, err)
			}
		}
	}
}

// changed returns m with a change to it, as a node would read it.
func changed(t testing.TB, m *dwn.Message, change func(whole, authorization map[string]any)) (*dwn.Message, error) {
	t.Helper()
	var whole map[string]any
	if err := json.Unmarshal(m.AppendJSON(nil), &whole); err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(whole)
	change(whole, whole["authorization"].(map[string]any))
	if fmt.Sprint(whole) == before {
		t.Fatal("nothing was changed")
	}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	other, err := dwn.ParseJSON(text)
	if err == nil {
		err = other.CheckStored()
	}
	return other, err
}
