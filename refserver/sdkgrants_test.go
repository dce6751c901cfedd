package refserver_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// sdkVectors are grants and revocations that the reference SDK made.
const sdkVectors = "../testdata/vectors/auth"

// sdkKeys returns who signed the vectors, by name.
func sdkKeys(t *testing.T) map[string]*auth.Signer {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sdkVectors, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys []struct {
		Name string
		JWK  json.RawMessage `json:"privateJwk"`
	}
	if err := json.Unmarshal(text, &keys); err != nil {
		t.Fatal(err)
	}
	signers := map[string]*auth.Signer{}
	for _, k := range keys {
		signers[k.Name] = signerOf(t, k.JWK)
	}
	return signers
}

// sdkGrants returns the records of those vectors that the SDK made for alice by its own
// functions, revocations last, as they came from it, and the record ID of each by its name.
func sdkGrants(t *testing.T) (records []refserver.Record, ids map[string]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sdkVectors, "grants.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	ids = map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v struct {
			refserver.Record
			Name, By string
			Made     bool
			Status   int
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if !v.Made || v.By != "alice" || v.Status != 202 {
			continue
		}
		_, e, err := refserver.ParseRecord(lines.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		records = append(records, v.Record)
		if e.Message.ParentID() == "" {
			ids[v.Name] = e.Message.RecordID()
		}
	}
	if err := lines.Err(); err != nil || len(ids) < 18 || len(records) < len(ids)+4 {
		t.Fatalf("%d records, %d grants, %v", len(records), len(ids), err)
	}
	return records, ids
}

// sdkBed is a node whose tenant, alice, sent it what the SDK made, and notes of her own.
type sdkBed struct {
	keys  map[string]*auth.Signer
	ids   map[string]string
	node  refserver.Node
	url   string
	notes []store.Entry
}

const sdkNotes = "https://example.org/protocols/notes"

// sdkNow is after the SDK's grants were made and before they expire, at the end of 2031.
func sdkNow() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func newSDKBed(t *testing.T) *sdkBed {
	t.Helper()
	b := &sdkBed{keys: sdkKeys(t), node: openNode(t)}
	b.url = listen(t, b.node, refserver.ServerOptions{Clock: sdkNow})
	var records []refserver.Record
	records, b.ids = sdkGrants(t)
	alice := b.keys["alice"]
	client := b.client(t, "alice")
	for _, protocol := range []string{sdkNotes, "https://example.org/other"} {
		for _, text := range []string{"one", "two", "three"} {
			b.notes = append(b.notes, written{protocol: protocol, path: "note", data: []byte(text + protocol), at: sdkNow()}.by(t, alice))
		}
	}
	for _, e := range b.notes {
		records = append(records, refserver.NewRecord(alice.DID(), e.Message, e.Data))
	}
	for _, r := range records {
		if w, err := client.PostMessage(t.Context(), r); err != nil || w.Outcome != "accepted" {
			t.Fatalf("%s: %+v, %v", r.CID, w, err)
		}
	}
	return b
}

// client returns a client of who names these grants.
func (b *sdkBed) client(t *testing.T, who string, ids ...string) *refserver.Client {
	t.Helper()
	c := clientOf(t, b.url, b.keys["alice"].DID(), b.keys[who], nil)
	c.SetClock(sdkNow)
	if err := c.UseGrants(ids...); err != nil {
		t.Fatal(err)
	}
	return c
}

// id returns the record ID of the grant that the vectors call by that name.
func (b *sdkBed) id(t *testing.T, name string) string {
	t.Helper()
	if b.ids[name] == "" {
		t.Fatalf("no grant %q", name)
	}
	return b.ids[name]
}

// TestGrantsOfTheSDK: what the reference SDK made is enough to sync by over HTTP: the tenant
// sends its grants and revocations to a server as the SDK left them, and the grantee pulls
// what Messages.Read covers and pushes what Records.Write does.
func TestGrantsOfTheSDK(t *testing.T) {
	b := newSDKBed(t)
	alice := b.keys["alice"].DID()
	everything, notes := b.id(t, "grant Messages Read"), b.id(t, "grant Messages Read "+sdkNotes)
	write := b.id(t, "grant that prohibits publication") // Records.Write of notes
	list, err := b.client(t, "alice").Grants(t.Context())
	if err != nil || len(list) != len(b.ids) {
		t.Fatalf("%d grants, %v, want %d", len(list), err, len(b.ids))
	}
	var revoked []string
	for _, g := range list {
		if g.Revoked {
			revoked = append(revoked, g.ID)
		}
	}
	if len(revoked) != 4 {
		t.Fatalf("%d are revoked, want 4", len(revoked))
	}

	here, all := openNode(t), len(keysOf(t, b.node, alice))
	r, err := b.client(t, "bob", everything).Sync(t.Context(), here, refserver.SyncOptions{})
	if got := len(keysOf(t, here, alice)); err != nil || !r.RootsEqual || r.Scope != nil || got != all {
		t.Errorf("everything: %+v, %v: %d messages, want %d", r, err, got, all)
	}

	here = openNode(t)
	r, err = b.client(t, "bob", notes).Sync(t.Context(), here, refserver.SyncOptions{})
	if got := len(keysOf(t, here, alice)); err != nil || !r.RootsEqual || string(r.Scope) != `{"protocol":"`+sdkNotes+`"}` || got != 3 {
		t.Fatalf("notes: %+v, %v: %d messages, want 3", r, err, got)
	}
	fill(t, here, alice, []store.Entry{written{protocol: sdkNotes, path: "note", data: []byte("by bob"), at: sdkNow()}.by(t, b.keys["bob"])})
	opt := refserver.SyncOptions{Scope: scopeOf(t, string(r.Scope))}
	if r, err = b.client(t, "bob", notes).Sync(t.Context(), here, opt); !errors.Is(err, engine.ErrIncomplete) || r.RefusedMessages != 1 || len(keysOf(t, b.node, alice)) != all {
		t.Errorf("a push without Records.Write: %+v, %v", r, err)
	}
	if r, err = b.client(t, "bob", notes, write).Sync(t.Context(), here, opt); err != nil || !r.RootsEqual || len(keysOf(t, b.node, alice)) != all+1 {
		t.Errorf("a push: %+v, %v", r, err)
	}

	for name, c := range map[string]*refserver.Client{
		"another's": b.client(t, "carol", everything), "only writes": b.client(t, "bob", write), "revoked": b.client(t, "bob", revoked...), "none": b.client(t, "bob"),
	} {
		_, err := c.Sync(t.Context(), openNode(t), refserver.SyncOptions{})
		if p, ok := errors.AsType[*refserver.Problem](err); !ok || p.Status != 403 || p.Code != "forbidden" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
