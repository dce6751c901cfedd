package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// bound is when the scripts are stopped, whatever they wait for.
const bound = 5 * time.Minute

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dwnsync": main})
}

// TestScripts runs testdata/script: the command as users type it. Every script
// begins with the files and variables that setup makes.
func TestScripts(t *testing.T) {
	f, err := makeFixture()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), Deadline: time.Now().Add(bound),
		Setup: f.setup, Cmds: commandsOfScripts(), RequireExplicitExec: true, RequireUniqueNames: true,
	})
}

// fixture is what every script finds in its folder and environment:
//   - notes.jsonl, 60 generated messages of $TENANT, whose key is key.json
//   - large.jsonl, three records of $TENANT with 30000, 30001 and 262145 bytes of data
//   - corpus.jsonl and corpus.jsonl.gz, 60 messages of $ALICE and $BOB, keys alice.json and bob.json
//   - vectors.jsonl.gz, the golden vectors of messages
//   - stranger.json, the key of $STRANGER, who has no messages
type fixture struct {
	files map[string][]byte
	vars  map[string]string
}

const corpusLines = 60

func makeFixture() (*fixture, error) {
	did, key := datasets.GeneratedKey(1)
	stranger, strangerKey := datasets.GeneratedKey(2)
	tenants := datasets.CorpusTenants()
	alice, _ := datasets.CorpusKey(tenants[0])
	bob, _ := datasets.CorpusKey(tenants[1])
	f := &fixture{
		files: map[string][]byte{"key.json": key, "stranger.json": strangerKey, "alice.json": alice, "bob.json": bob},
		vars:  map[string]string{"TENANT": did, "STRANGER": stranger, "ALICE": tenants[0], "BOB": tenants[1]},
	}
	var err error
	if f.files["notes.jsonl"], err = generatedLines(); err != nil {
		return nil, err
	}
	if f.files["corpus.jsonl"], err = corpusText(); err != nil {
		return nil, err
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(f.files["corpus.jsonl"]); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	f.files["corpus.jsonl.gz"] = zipped.Bytes()
	signer, err := auth.ParseSigner(key)
	if err != nil {
		return nil, err
	}
	if f.files["large.jsonl"], err = largeRecords(signer, 30_000, 30_001, 262_145); err != nil {
		return nil, err
	}
	f.files["vectors.jsonl.gz"], err = os.ReadFile(filepath.Join("..", "..", "..", "testdata", "vectors", "dwn", "vectors.jsonl.gz"))
	return f, err
}

func generatedLines() ([]byte, error) {
	var lines []byte
	for m, err := range datasets.Generate(datasets.GenerateOptions{Seed: 1, N: 60}) {
		if err != nil {
			return nil, err
		}
		if lines, err = appendLine(lines, refserver.NewRecord(m.Tenant, m.Message, m.Data)); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

func corpusText() ([]byte, error) {
	r := datasets.CorpusJSONLines()
	defer r.Close()
	var lines []byte
	in := bufio.NewReader(r)
	for range corpusLines {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		lines = append(lines, line...)
	}
	return lines, nil
}

func (f *fixture) setup(env *testscript.Env) error {
	for name, text := range f.files {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), text, 0o600); err != nil {
			return err
		}
	}
	for name, value := range f.vars {
		env.Setenv(name, value)
	}
	env.Setenv("GORACE", "atexit_sleep_ms=0") // a second at the end of every command otherwise
	env.Values[serversKey{}] = new(sync.Map)
	return nil
}
