package refserver_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// corpusServer answers as the server that the vectors of tokens are for: its time is
// theirs, and it started 70 seconds before.
func corpusServer(t *testing.T, resolver auth.Resolver) *refserver.Server {
	t.Helper()
	now := time.Date(2025, 12, 31, 23, 58, 50, 0, time.UTC)
	gate, err := auth.NewGate(auth.GateOptions{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	n := openNode(t)
	n.Resolver = resolver
	s, err := refserver.NewServer(n, refserver.ServerOptions{Origins: []string{"https://node.example"}, Gate: gate, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(70 * time.Second)
	return s
}

// give hands a token to the server as one of its kind travels, without a connection, so
// that no client refuses it first.
func give(t *testing.T, s *refserver.Server, kind, token string) (int, refserver.Problem) {
	t.Helper()
	r := mustRequest(t, "POST", "https://node.example/v1/messages?limit=1", nil)
	r.Header["Authorization"] = []string{"DWN " + token}
	if kind == "init" {
		data := wire.Frame{Type: wire.TypeAuth, Body: []byte(token)}.Append(nil)
		r = mustRequest(t, "POST", "https://node.example/v1/sync", data)
		r.Header.Set("Content-Type", refserver.MediaType)
	}
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, r)
	return problem(t, answer.Result())
}

// answers returns what the README of the vectors says that errors become: status and code, by
// the name of the sentinel.
func answers(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../testdata/vectors/auth/README.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(Err[A-Za-z]+)` \\| ([0-9]+) \\| `([a-z-]+)` \\|$").FindAllStringSubmatch(string(text), -1) {
		table[row[1]] = row[2] + " " + row[3]
	}
	return table
}

// TestAnswersToErrors: the table for other implementations is what this one answers.
func TestAnswersToErrors(t *testing.T) {
	table := answers(t)
	sentinels := map[string]error{
		"ErrToken": auth.ErrToken, "ErrSignature": auth.ErrSignature, "ErrExpired": auth.ErrExpired, "ErrAudience": auth.ErrAudience,
		"ErrNonce": auth.ErrNonce, "ErrReplay": auth.ErrReplay, "ErrDID": auth.ErrDID, "ErrUnsupportedMethod": auth.ErrUnsupportedMethod,
		"ErrUnresolved": auth.ErrUnresolved, "ErrKey": auth.ErrKey, "ErrForbidden": auth.ErrForbidden, "ErrNotAdmitted": auth.ErrNotAdmitted,
	}
	if len(table) != len(sentinels) {
		t.Errorf("the table has %d errors, want %d", len(table), len(sentinels))
	}
	for name, err := range sentinels {
		if got := answerTo(err); got != table[name] {
			t.Errorf("%s: %s, the table has %q", name, got, table[name])
		}
		if inside := answerTo(fmt.Errorf("%w: %w", auth.ErrMessage, err)); inside != "422 message-signature" {
			t.Errorf("%s inside a message: %s", name, inside)
		}
	}
}

// answerTo returns the status and code that an error is told by.
func answerTo(err error) string {
	p := refserver.ProblemOf(err)
	return fmt.Sprintf("%d %s", p.Status, p.Code)
}

// TestMalformedTokensRefused: every malformed token of the corpus is answered with the
// status and code of its error.
func TestMalformedTokensRefused(t *testing.T) {
	text, err := os.ReadFile("../testdata/vectors/auth/malformed.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Name, Kind, Error, Token string }
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) < 300 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	s, table := corpusServer(t, nil), answers(t)
	for _, v := range vectors {
		status, p := give(t, s, v.Kind, v.Token)
		if got := fmt.Sprintf("%d %s", status, p.Code); got != table[v.Error] {
			t.Errorf("%s %s: %s, %+v, want %s", v.Kind, v.Name, got, p, table[v.Error])
		}
		if len(v.Token) > 100 && strings.Contains(p.Detail, v.Token[:40]) {
			t.Errorf("%s %s: bytes of the token in the answer: %s", v.Kind, v.Name, p.Detail)
		}
	}
}

// TestWebIsNoScanner: whoever names a did:web learns nothing of the network of the server:
// an open port of its own machine, a closed one and a name that is none are told alike;
// and with did:web off no name is looked at.
func TestWebIsNoScanner(t *testing.T) {
	asked := 0
	open := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer open.Close()
	port := open.URL[strings.LastIndexByte(open.URL, ':')+1:]
	hosts := []string{"localhost%3A" + port, "localhost%3A1", "a.localhost%3A" + port}
	for _, on := range []bool{false, true} {
		resolver, code := auth.Resolver(nil), "did-method"
		if on {
			resolver, code = auth.Methods{"key": auth.Offline{}, "web": auth.NewWeb(auth.WebOptions{})}, "did-unresolved"
		}
		s := corpusServer(t, resolver)
		var answers []string
		for _, host := range hosts {
			docs := documents{}
			signer := docs.own(t, "did:web:"+host)
			claims, err := auth.NewClaims("https://node.example", signer.DID(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), bytes.NewReader(make([]byte, 16)))
			if err != nil {
				t.Fatal(err)
			}
			token, err := signer.SignInit(auth.InitClaims{Claims: claims, Direction: auth.Pull})
			if err != nil {
				t.Fatal(err)
			}
			status, p := give(t, s, "init", token)
			if status != 401 || p.Code != code {
				t.Errorf("%s, did:web %t: %d %+v, want 401 %s", host, on, status, p, code)
			}
			_, detail, _ := strings.Cut(p.Detail, "…")
			answers = append(answers, detail)
		}
		if len(slices.Compact(answers)) != 1 {
			t.Errorf("did:web %t: the answers differ: %q", on, answers)
		}
	}
	if asked != 0 {
		t.Errorf("the open port was asked %d times", asked)
	}
}
