package baseline

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// originalFile is what the C++ implementation did with mixedPairs.
const originalFile = "testdata/negentropy.json"

// originalEnv names the program of testdata/negentropy_original.cpp, built as its
// first lines say. With it TestNegentropyIsTheOriginal writes originalFile anew.
const originalEnv = "DWNSYNC_NEGENTROPY"

// recording is originalFile.
type recording struct {
	Commit, Method string
	Runs           []transcript
}

// transcript is one reconciliation. Messages is the SHA-256 of all its messages in their
// order, each behind its length in four bytes.
type transcript struct {
	Case                         string
	Up, Down, Rounds, Have, Need int
	Messages                     string
}

// transcribe reconciles by hand, as Reconcile does, and returns what went over the wire.
func transcribe(t *testing.T, name string, here, there []summary.Key) transcript {
	t.Helper()
	a, b := Negentropy{}.Prepare(here).(*rangeSide), Negentropy{}.Prepare(there).(*rangeSide)
	var found Outcome
	sum, tr := sha256.New(), transcript{Case: name}
	for query := a.initiate(); len(query) > emptyMessage; {
		reply, err := b.answer(query)
		if err != nil {
			t.Fatal(name, err)
		}
		hashMessage(sum, query)
		hashMessage(sum, reply)
		tr.Up, tr.Down, tr.Rounds = tr.Up+len(query), tr.Down+len(reply), tr.Rounds+1
		if query, err = a.advance(reply, &found); err != nil || tr.Rounds > maxRounds {
			t.Fatal(name, tr.Rounds, err)
		}
	}
	tr.Have, tr.Need = len(found.Have), len(found.Need)
	tr.Messages = hex.EncodeToString(sum.Sum(nil))
	return tr
}

func hashMessage(sum hash.Hash, msg []byte) {
	sum.Write(binary.BigEndian.AppendUint32(nil, uint32(len(msg))))
	sum.Write(msg)
}

// TestNegentropyIsTheOriginal: the messages are those of the C++ implementation, byte
// for byte.
func TestNegentropyIsTheOriginal(t *testing.T) {
	if program := os.Getenv(originalEnv); program != "" {
		record(t, program)
	}
	data, err := os.ReadFile(originalFile)
	if err != nil {
		t.Fatal(err)
	}
	var want recording
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	pairs := mixedPairs()
	if len(want.Runs) != len(pairs) {
		t.Fatalf("%d runs recorded, %d pairs of sets", len(want.Runs), len(pairs))
	}
	for i, p := range pairs {
		here, there := p.sides()
		if got := transcribe(t, p.String(), here, there); got != want.Runs[i] {
			t.Errorf("got  %+v\nwant %+v", got, want.Runs[i])
		}
	}
}

// record runs the original over all pairs and writes originalFile.
func record(t *testing.T, program string) {
	t.Helper()
	var stdin, stdout bytes.Buffer
	pairs := mixedPairs()
	for _, p := range pairs {
		here, there := p.sides()
		writeSides(&stdin, here, there)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Stdin, cmd.Stdout = &stdin, &stdout
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	if len(lines) != len(pairs) {
		t.Fatalf("%d lines for %d pairs of sets", len(lines), len(pairs))
	}
	out := bytes.NewBufferString("{\n\"Commit\": \"6edb041\",\n\"Method\": \"C++ implementation of hoytech/negentropy, storage::Vector, frameSizeLimit 0, by negentropy_original.cpp\",\n\"Runs\": [")
	for i, line := range lines {
		run := transcript{Case: pairs[i].String()}
		if _, err := fmt.Sscan(line, &run.Up, &run.Down, &run.Rounds, &run.Have, &run.Need, &run.Messages); err != nil {
			t.Fatal(err)
		}
		entry, err := json.Marshal(run)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(out, "%s\n%s", strings.Repeat(",", min(i, 1)), entry)
	}
	out.WriteString("\n]\n}\n")
	if err := os.WriteFile(originalFile, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeSides writes two sets as the program reads them.
func writeSides(w *bytes.Buffer, here, there []summary.Key) {
	w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(here))))
	w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(there))))
	for _, side := range [][]summary.Key{here, there} {
		for _, k := range side {
			w.Write(binary.BigEndian.AppendUint64(nil, uint64(k.Time)))
			w.Write(k.ID[:])
		}
	}
}
