package datasets_test

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
)

func TestCorpus(t *testing.T) {
	lines := bufio.NewScanner(datasets.CorpusJSONLines())
	lines.Buffer(nil, 4<<20)
	messages, retained, withData := map[string]int{}, map[string]int{}, 0
	for m, err := range datasets.Corpus() {
		if err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() {
			t.Fatalf("the text ends before the messages: %v", lines.Err())
		}
		checkLine(t, lines.Bytes(), m)
		if err := m.Message.CheckStored(); err != nil {
			t.Errorf("%s: %v", m.Message.CID(), err)
		}
		messages[m.Tenant]++
		if m.Retained {
			retained[m.Tenant]++
		}
		if m.Data != nil {
			withData++
			checkData(t, m)
		}
	}
	if lines.Scan() {
		t.Error("the messages end before the text")
	}
	tenants := slices.Sorted(maps.Keys(messages))
	if got := datasets.CorpusTenants(); !slices.Equal(got, tenants) {
		t.Errorf("CorpusTenants: %q, but the messages are of %q", got, tenants)
	}
	if len(tenants) != 2 || messages[tenants[0]] != 1500 || messages[tenants[1]] != 1500 {
		t.Errorf("messages by tenant: %v, want 1500 of each of two", messages)
	}
	counts := slices.Sorted(maps.Values(retained))
	if !slices.Equal(counts, []int{1429, 1431}) {
		t.Errorf("retained by tenant: %v, want 1429 and 1431", counts)
	}
	if withData != 2764 {
		t.Errorf("%d messages have data, want 2764", withData)
	}
}

// checkLine holds a message to the line that it was read from.
func checkLine(t *testing.T, line []byte, m datasets.Message) {
	t.Helper()
	var want struct {
		CID, Tenant string
		Retained    bool
		Status      int
		DataBase64  *string
	}
	if err := json.Unmarshal(line, &want); err != nil {
		t.Fatal(err)
	}
	if got := m.Message.CID().String(); got != want.CID {
		t.Errorf("CID: %s, want %s", got, want.CID)
	}
	if m.Tenant != want.Tenant || m.Retained != want.Retained || want.Status != 202 {
		t.Errorf("%s: tenant %s, retained %t; want %s, %t", want.CID, m.Tenant, m.Retained, want.Tenant, want.Retained)
	}
	if (m.Data != nil) != (want.DataBase64 != nil) {
		t.Fatalf("%s: has data: %t, want %t", want.CID, m.Data != nil, want.DataBase64 != nil)
	}
	if m.Data != nil && base64.StdEncoding.EncodeToString(m.Data) != *want.DataBase64 {
		t.Errorf("%s: other data than in the file", want.CID)
	}
}

func TestCorpusStopsWhenTold(t *testing.T) {
	n := 0
	for _, err := range datasets.Corpus() {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("got %d messages, want 3", n)
	}
}

func TestCorpusKeys(t *testing.T) {
	tenants := datasets.CorpusTenants()
	signers := map[string]bool{}
	for m, err := range datasets.Corpus() {
		if err != nil {
			t.Fatal(err)
		}
		signers[m.Message.Signer()] = true
	}
	for signer := range signers {
		k := readKey(t, signer)
		if k.D == "" || !strings.HasPrefix(k.KID, signer+"#") {
			t.Errorf("key of %s: has a private part: %t, kid %s", signer, k.D != "", k.KID)
		}
		if k.CRV != "Ed25519" {
			continue
		}
		seed, err := base64.RawURLEncoding.DecodeString(k.D)
		if err != nil || len(seed) != ed25519.SeedSize {
			t.Fatalf("private part of %s: %d bytes, %v", signer, len(seed), err)
		}
		public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		if got := base64.RawURLEncoding.EncodeToString(public); got != k.X {
			t.Errorf("public part of %s: %s, want %s", signer, got, k.X)
		}
	}
	for _, tenant := range tenants {
		if !signers[tenant] {
			t.Errorf("tenant %s signs nothing", tenant)
		}
	}
	if jwk, ok := datasets.CorpusKey("did:key:zNobody"); ok || jwk != nil {
		t.Errorf("key of nobody: %s, %t", jwk, ok)
	}
}

type jwk struct{ KTY, CRV, X, D, ALG, KID string }

func readKey(t *testing.T, did string) jwk {
	t.Helper()
	text, ok := datasets.CorpusKey(did)
	if !ok {
		t.Fatalf("no key of %s", did)
	}
	var k jwk
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestDamagedCorpus(t *testing.T) {
	whole := datasets.CorpusText()
	for name, text := range map[string]string{
		"a pointer to the file instead of it": "version 1\noid sha256:00\n",
		"empty":                               "",
		"cut off":                             whole[:len(whole)/2],
		"a bit flipped":                       whole[:9000] + string(whole[9000]^4) + whole[9001:],
	} {
		t.Run(name, func(t *testing.T) {
			var last error
			for _, err := range datasets.CorpusOf(text) {
				if last != nil {
					t.Fatal("goes on after an error")
				}
				last = err
			}
			if !errors.Is(last, datasets.ErrCorpus) {
				t.Errorf("ends with %v, want ErrCorpus", last)
			}
		})
	}
}

func TestCorpusMessageOfOtherCID(t *testing.T) {
	if _, err := datasets.CorpusMessage([]byte(`{"cid":"bafyreib","message":{"descriptor":{
		"interface":"Records","method":"Delete","messageTimestamp":"2024-01-01T00:00:00.000000Z"}}}`)); err == nil {
		t.Error("a message with another CID than the one beside it was taken")
	}
}
