package auth

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

var (
	update = flag.Bool("update", false, "write the files of testdata/vectors/auth that these tests make anew")
	extra  = flag.String("messages", "", "a further file of messages, JSON lines, that must all verify")
)

const vectorDir = "../../testdata/vectors/auth"

// testNow is the time of all token vectors.
var testNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const testOrigin = "https://node.example"

// testNonce is the newest nonce of testVerifier.
const testNonce = "bm9uY2Ugb2YgdGVzdHMuLg"

type keyVector struct {
	Name       string          `json:"name"`
	DID        string          `json:"did"`
	Kid        string          `json:"kid"`
	PrivateJWK json.RawMessage `json:"privateJwk"`
}

func readKeys(t testing.TB) []keyVector {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(vectorDir, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys []keyVector
	if err := json.Unmarshal(raw, &keys); err != nil {
		t.Fatal(err)
	}
	return keys
}

type messageVector struct {
	Name    string          `json:"name"`
	CID     string          `json:"cid"`
	Signed  *bool           `json:"signed"`
	Message json.RawMessage `json:"message"`
}

func readMessages(t testing.TB, path string) []messageVector {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []messageVector
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var v messageVector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func parseMessage(t testing.TB, text []byte) *dwn.Message {
	t.Helper()
	m, err := dwn.ParseJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// testSigner returns a signer whose secret is the SHA-256 of its name.
func testSigner(t testing.TB, curve Curve, name string) *Signer {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	s, err := GenerateSigner(curve, bytes.NewReader(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func curves() []Curve { return []Curve{Ed25519, P256, Secp256k1} }

func testVerifier(t testing.TB) *Verifier {
	t.Helper()
	v, err := NewVerifier(VerifierOptions{
		Audience: []string{testOrigin},
		Clock:    func() time.Time { return testNow },
		Replay:   NewReplayCache(16),
		Started:  testNow.Add(-70 * time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	v.opt.Replay.current.nonce = testNonce
	return v
}

// zeros is a source of randomness for tests that want the same every time.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func testInit(t testing.TB, s *Signer) InitClaims {
	t.Helper()
	c, err := NewClaims(testOrigin, s.DID(), testNow, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	return InitClaims{Claims: c, Direction: Both, Frames: DigestOf([]byte("frames"))}
}

const testURL = testOrigin + "/v1/messages?limit=1"

func testRequest(t testing.TB, s *Signer) RequestClaims {
	t.Helper()
	return RequestClaims{Claims: testInit(t, s).Claims, Method: "POST", URL: testURL, Body: DigestOf(nil)}
}

// compact signs any header and payload, however wrong.
func compact(t testing.TB, s *Signer, header, payload string) string {
	t.Helper()
	input := encode64([]byte(header)) + "." + encode64([]byte(payload))
	sig, err := joseSigner{s}.SignPayload([]byte(input), "")
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode64(sig)
}
