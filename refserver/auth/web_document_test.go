package auth

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mr-tron/base58"
)

const docDID = "did:web:example.com:user"

func multibaseOf(s *Signer) string { return strings.TrimPrefix(keyDID(s.public), "did:key:") }

// goodDocuments are documents with the IDs of their keys, those that may authenticate
// with a star behind.
func goodDocuments(t testing.TB) map[string]struct {
	text string
	want []string
} {
	ed, p256, k1 := testSigner(t, Ed25519, "doc"), testSigner(t, P256, "doc"), testSigner(t, Secp256k1, "doc")
	method := func(id, typ, key string) string {
		return `{"id":"` + id + `","type":"` + typ + `","controller":"` + docDID + `",` + key + `}`
	}
	jwk := func(s *Signer) string { return `"publicKeyJwk":` + jwkOf(s) }
	multi := func(s *Signer) string { return `"publicKeyMultibase":"` + multibaseOf(s) + `"` }
	doc := func(rest string) string { return `{"id":"` + docDID + `",` + rest + `}` }
	k := method("#k", "JsonWebKey2020", jwk(ed))
	many := make([]string, maxMethods)
	for i := range many {
		many[i] = method(fmt.Sprint("#", i), "X25519KeyAgreementKey2020", multi(ed))
	}
	many[maxMethods-1] = k
	withK := func(bad ...string) string {
		return doc(`"verificationMethod":[` + strings.Join(append(bad, k), ",") + `],"authentication":["#k","#bad"]`)
	}
	jwkWith := func(rest string) string { return strings.TrimSuffix(jwkOf(ed), "}") + "," + rest + "}" }
	type good = struct {
		text string
		want []string
	}
	only := []string{"#k*"}
	small, err := hex.DecodeString(torsion["order 8"])
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]good{
		"as written by others": {documentText(docDID, []string{methodText(docDID, "a", ed), methodText(docDID, "b", p256), methodText(docDID, "c", k1)}, "a", "c"), []string{"#a*", "#b", "#c*"}},
		"relative reference":   {doc(`"verificationMethod":[` + k + `],"authentication":["#k"]`), only},
		"relative method":      {doc(`"verificationMethod":[` + k + `],"authentication":["` + docDID + `#k"]`), only},
		"embedded":             {doc(`"authentication":[` + k + `]`), only},
		"embedded besides":     {doc(`"verificationMethod":[` + method("#m", "JsonWebKey", jwk(p256)) + `],"authentication":[` + k + `]`), []string{"#k*", "#m"}},
		"no authentication":    {doc(`"verificationMethod":[` + k + `]`), []string{"#k"}},
		"empty authentication": {doc(`"verificationMethod":[` + k + `],"authentication":[]`), []string{"#k"}},
		"authentication twice": {doc(`"verificationMethod":[` + k + `],"authentication":["#k","#k"]`), only},
		"of somebody else":     {doc(`"verificationMethod":[` + k + `],"authentication":["did:web:other.example#k"]`), []string{"#k"}},
		"other relationships":  {doc(`"verificationMethod":[` + k + `],"assertionMethod":["#k"],"keyAgreement":[` + method("#x", "JsonWebKey", jwk(p256)) + `]`), []string{"#k"}},
		"Multikey":             {doc(`"verificationMethod":[` + method("#1", "Multikey", multi(ed)) + `,` + method("#2", "Multikey", multi(p256)) + `,` + method("#3", "Multikey", multi(k1)) + `]`), []string{"#1", "#2", "#3"}},
		"Ed25519 of 2020":      {doc(`"verificationMethod":[` + method("#1", "Ed25519VerificationKey2020", multi(ed)) + `]`), []string{"#1"}},
		"as many as allowed":   {doc(`"verificationMethod":[` + strings.Join(many, ",") + `]`), []string{"#k"}},
		"unknown members":      {doc(`"verificationMethod":[` + k + `],"service":[{"id":"#s","type":"T","serviceEndpoint":"https://example.org"}],"service2":{"a":1,"a":2}`), []string{"#k"}},
		"expires later":        {doc(`"verificationMethod":[` + method("#k", "JsonWebKey", `"expires":"2026-01-01T00:00:01Z",`+jwk(ed)) + `]`), []string{"#k"}},
	}
	for name, bad := range map[string]string{
		"unknown type":         method("#bad", "EcdsaSecp256k1RecoveryMethod2020", `"blockchainAccountId":"a"`),
		"X25519":               method("#bad", "JsonWebKey2020", `"publicKeyJwk":{"kty":"OKP","crv":"X25519","x":"`+encode64(small)+`"}`),
		"RSA":                  method("#bad", "JsonWebKey2020", `"publicKeyJwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}`),
		"small order, JWK":     method("#bad", "JsonWebKey2020", `"publicKeyJwk":{"kty":"OKP","crv":"Ed25519","x":"`+encode64(small)+`"}`),
		"small order, Multi":   method("#bad", "Multikey", `"publicKeyMultibase":"z`+base58.Encode(append([]byte(codecEd25519), small...))+`"`),
		"private JWK":          method("#bad", "JsonWebKey2020", `"publicKeyJwk":`+jwkWith(`"d":"AQAB"`)),
		"privateKeyJwk":        method("#bad", "JsonWebKey2020", `"privateKeyJwk":{},`+jwk(ed)),
		"secretKeyMultibase":   method("#bad", "Multikey", `"secretKeyMultibase":"z",`+multi(ed)),
		"JWK twice":            method("#bad", "JsonWebKey2020", `"publicKeyJwk":`+jwkWith(`"kty":"OKP"`)),
		"JWK a text":           method("#bad", "JsonWebKey2020", `"publicKeyJwk":"`+multibaseOf(ed)+`"`),
		"JWK missing":          method("#bad", "JsonWebKey2020", multi(ed)),
		"JWK too long":         method("#bad", "JsonWebKey2020", `"publicKeyJwk":`+jwkWith(`"x5u":"`+strings.Repeat("a", maxJWK)+`"`)),
		"JWK for encryption":   method("#bad", "JsonWebKey2020", `"publicKeyJwk":`+jwkWith(`"use":"enc"`)),
		"Multikey missing":     method("#bad", "Multikey", jwk(ed)),
		"Multikey in base64":   method("#bad", "Multikey", `"publicKeyMultibase":"u`+encode64([]byte(codecEd25519+ed.public.point))+`"`),
		"Multikey long":        method("#bad", "Multikey", `"publicKeyMultibase":"z`+strings.Repeat("2", 10_000)+`"`),
		"2020 with P-256":      method("#bad", "Ed25519VerificationKey2020", multi(p256)),
		"revoked":              method("#bad", "JsonWebKey2020", `"revoked":"2030-01-01T00:00:00Z",`+jwk(ed)),
		"expired":              method("#bad", "JsonWebKey2020", `"expires":"2026-01-01T00:00:00Z",`+jwk(ed)),
		"expires some day":     method("#bad", "JsonWebKey2020", `"expires":"tomorrow",`+jwk(ed)),
		"expires a number":     method("#bad", "JsonWebKey2020", `"expires":4000000000,`+jwk(ed)),
		"of another DID":       method("did:web:example.com#bad", "JsonWebKey2020", jwk(ed)),
		"of a longer DID":      method(docDID+"2#bad", "JsonWebKey2020", jwk(ed)),
		"id without fragment":  method(docDID, "JsonWebKey2020", jwk(ed)),
		"id an empty fragment": method("#", "JsonWebKey2020", jwk(ed)),
		"id two fragments":     method("#bad#a", "JsonWebKey2020", jwk(ed)),
		"id with a space":      method("#bad a", "JsonWebKey2020", jwk(ed)),
		"id not ASCII":         method("#bäd", "JsonWebKey2020", jwk(ed)),
		"id a plain name":      method("bad", "JsonWebKey2020", jwk(ed)),
		"id with a path":       method(docDID+"/a#bad", "JsonWebKey2020", jwk(ed)),
		"id too long":          method("#"+strings.Repeat("b", maxKeyID), "JsonWebKey2020", jwk(ed)),
		"other controller":     strings.Replace(method("#bad", "JsonWebKey2020", jwk(ed)), `"controller":"`+docDID, `"controller":"did:web:other.example`, 1),
	} {
		docs["besides: "+name] = good{withK(bad), only}
		docs["alone: "+name] = good{doc(`"verificationMethod":[` + bad + `],"authentication":["#bad"]`), nil}
	}
	return docs
}

// badDocuments are malformed ones: nothing in them counts.
func badDocuments(t testing.TB) map[string]string {
	k := methodText(docDID, "k", testSigner(t, Ed25519, "doc"))
	good := documentText(docDID, []string{k}, "k")
	without := func(name string) string {
		return documentText(docDID, []string{strings.Replace(k, `"`+name+`"`, `"not-`+name+`"`, 1)}, "k")
	}
	change := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in the document", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	id := `"id":"` + docDID + `",`
	unknown := `{"id":"#u","type":"T","controller":"c"}`
	return map[string]string{
		"empty": "", "not JSON": "{", "array": "[]", "null": "null", "text": `"a"`, "no members": "{}", "trailing": good + "{}", "not UTF-8": good[:len(good)-1] + ",\"a\":\"\xff\"}",
		"byte order mark": "\ufeff" + good, "comment": good + "//", "too long": good + strings.Repeat(" ", MaxDocument+1-len(good)),
		"no id":              change(id, ""),
		"id a number":        change(id, `"id":1,`),
		"id of the host":     change(id, `"id":"did:web:example.com",`),
		"id in upper case":   change(id, `"id":"did:web:Example.com:user",`),
		"id with fragment":   change(id, `"id":"`+docDID+`#",`),
		"id twice":           change(id, id+id),
		"id twice, escaped":  change(id, id+`"\u0069d":"`+docDID+`",`),
		"id by another case": change(id, `"ID":"`+docDID+`",`),
		"methods twice":      change(`"verificationMethod":[`, `"verificationMethod":[],"verificationMethod":[`),
		"methods an object":  change(`"verificationMethod":[`+k+`]`, `"verificationMethod":`+k),
		"methods null":       change(`"verificationMethod":[`+k+`]`, `"verificationMethod":null`),
		"method null":        change(k, "null,"+k),
		"method a text":      change(k, `"#k",`+k),
		"method an array":    change(k, "[],"+k),
		"method a number":    change(k, "1,"+k),
		"method id twice":    change(k, strings.Replace(k, `{`, `{"id":"`+docDID+`#k",`, 1)),
		"method without id":  without("id"), "method without type": without("type"), "method without controller": without("controller"),
		"same ID":                 change(k, k+","+k),
		"same ID, relative":       change(k, k+","+strings.Replace(k, docDID+"#k", "#k", 1)),
		"same ID, unusable":       change(k, unknown+","+unknown+","+k),
		"same ID, embedded":       change(`"authentication":[`, `"authentication":[`+k+`,`),
		"authentication a text":   change(`"authentication":["`+docDID+`#k"]`, `"authentication":"#k"`),
		"authentication null":     change(`"authentication":["`, `"authentication":[null,"`),
		"authentication a number": change(`"authentication":["`, `"authentication":[1,"`),
		"authentication twice":    change(`"authentication":`, `"authentication":[],"authentication":`),
		"too many methods":        change(k, strings.Repeat(unknown+",", maxMethods)+k),
		"too many authentication": change(`"authentication":[`, `"authentication":[`+strings.Repeat(`"#k",`, maxMethods)),
		"deeply nested":           `{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `,` + good[1:],
	}
}

// keysOf lists the keys of a document as goodDocuments does.
func keysOf(doc Document) (list []string) {
	for _, keyID := range slices.Sorted(maps.Keys(doc.Keys)) {
		name := strings.TrimPrefix(keyID, doc.DID)
		if doc.Authentication[keyID] {
			name += "*"
		}
		list = append(list, name)
	}
	return list
}

func TestParseDocument(t *testing.T) {
	for name, c := range goodDocuments(t) {
		doc, err := parseDocument(docDID, []byte(c.text), testNow)
		if c.want == nil {
			if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "no key") {
				t.Errorf("%s: got %v, want %v: no key", name, err, ErrKey)
			}
			continue
		}
		if err != nil || doc.DID != docDID || !slices.Equal(keysOf(doc), c.want) || len(doc.Authentication) > len(doc.Keys) {
			t.Errorf("%s: got %v, %v, want %v", name, keysOf(doc), err, c.want)
		}
	}
}

func TestParseDocumentRefuses(t *testing.T) {
	for name, text := range badDocuments(t) {
		if doc, err := parseDocument(docDID, []byte(text), testNow); !errors.Is(err, ErrKey) || strings.Contains(err.Error(), "no key") || strings.Contains(err.Error(), docDID) {
			t.Errorf("%s: got %v, %v, want %v for its form", name, keysOf(doc), err, ErrKey)
		}
	}
}

func TestParseDocumentKeys(t *testing.T) {
	for _, curve := range curves() {
		s := testSigner(t, curve, "doc")
		for typ, key := range map[string]string{"JsonWebKey": `"publicKeyJwk":` + jwkOf(s), "Multikey": `"publicKeyMultibase":"` + multibaseOf(s) + `"`} {
			text := `{"id":"` + docDID + `","verificationMethod":[{"id":"#k","type":"` + typ + `","controller":"` + docDID + `",` + key + `}]}`
			doc, err := parseDocument(docDID, []byte(text), testNow)
			if err != nil || !doc.Keys[docDID+"#k"].Equal(s.public) {
				t.Errorf("%s %s: %v, want the key", typ, curve, err)
			}
		}
	}
}

func FuzzWebURL(f *testing.F) {
	for _, did := range badWebDIDs() {
		f.Add(did)
	}
	for _, did := range []string{"did:web:w3c-ccg.github.io:user:alice", "did:web:example.com%3A3000", "did:web:xn--a.example:a%20b:%C3%A9%3A"} {
		f.Add(did)
	}
	f.Fuzz(func(t *testing.T, did string) {
		address, err := webURL(did)
		if err != nil {
			if !errors.Is(err, ErrDID) && !errors.Is(err, ErrUnsupportedMethod) || address != nil {
				t.Fatalf("got %v, %v", address, err)
			}
			return
		}
		checkWebURL(t, did, address.String())
	})
}

func FuzzDocument(f *testing.F) {
	for _, c := range goodDocuments(f) {
		f.Add([]byte(c.text))
	}
	for _, text := range badDocuments(f) {
		if len(text) < 8192 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		began := time.Now()
		doc, err := parseDocument(docDID, text, testNow)
		if d := time.Since(began); d > time.Second {
			t.Fatalf("took %v", d)
		}
		if err != nil {
			if !errors.Is(err, ErrKey) || doc.Keys != nil {
				t.Fatalf("got %v, %v", doc, err)
			}
			return
		}
		checkDocument(t, doc, text)
	})
}
