package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dwn-sync/dwnsync/refserver"
)

// commandsOfScripts are what scripts know besides testscript's own commands.
func commandsOfScripts() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"exits": exits, "result": result, "resultto": resultTo, "checkroot": checkRoot, "filemode": fileMode,
		"lines": lines, "strip": strip, "damage": damage, "longline": longLine, "cut": cut,
		"startserve": startServe, "stopserve": stopServe, "post": post, "await": await, "awaitlog": awaitLog,
		"driftfold": driftFold, "hasfold": hasFold, "secretof": secretOf, "tenantof": tenantOf,
		"damagerow": damageRow, "damagetable": damageTable, "webhost": webHost,
	}
}

// exits: exits CODE PROGRAM ARGS... is exec that wants one exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var failed *exec.ExitError
		if !errors.As(err, &failed) {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// resultTo: resultto VAR NAME sets a variable to a text of the JSON object on the last command's
// stdout.
func resultTo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: resultto VAR NAME")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	text, ok := object[args[1]].(string)
	if !ok {
		ts.Fatalf("%s is %v", args[1], object[args[1]])
	}
	ts.Setenv(args[0], text)
}

// result: result NAME[=VALUE]... wants one JSON object and nothing else on the last
// command's stdout, with these members. ! result NAME=VALUE... wants other values.
func result(ts *testscript.TestScript, neg bool, args []string) {
	var object map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &object))
	for _, arg := range args {
		name, value, fixed := strings.Cut(arg, "=")
		if got, ok := object[name]; !ok || fixed && (string(got) == value) == neg {
			ts.Fatalf("%s is %s", name, got)
		}
	}
}

// checkRoot: checkroot IDS ROOT computes from what `ids` printed what `root` has to
// print, knowing nothing but the text form of CIDs.
func checkRoot(ts *testscript.TestScript, neg bool, args []string) {
	var ids []string
	for _, text := range strings.Fields(ts.ReadFile(args[0])) {
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(text[1:]))
		ts.Check(err)
		digest, ok := bytes.CutPrefix(raw, []byte{1, 0x71, 0x12, 32}) // CIDv1, dag-cbor, sha2-256 of 32 bytes
		if !ok || text[0] != 'b' {
			ts.Fatalf("%s is not the CID of a message", text)
		}
		ids = append(ids, string(digest))
	}
	slices.Sort(ids)
	want := fmt.Sprintf("%d %x\n", len(ids), sha256.Sum256([]byte(strings.Join(ids, ""))))
	if got := ts.ReadFile(args[1]); neg || got != want {
		ts.Fatalf("got root %swant %s", got, want)
	}
}

// fileMode: filemode MODE FILE wants the file's permissions, in octal.
func fileMode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	want, err := strconv.ParseUint(args[0], 8, 32)
	ts.Check(err)
	if got := info.Mode().Perm(); neg || got != fs.FileMode(want) {
		ts.Fatalf("%s has mode %o, want %o", args[1], got, want)
	}
}

// lines: lines FROM TO IN OUT copies these lines, counted from 1, both included.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	all := strings.SplitAfter(ts.ReadFile(args[2]), "\n")
	from, err := strconv.Atoi(args[0])
	ts.Check(err)
	to, err := strconv.Atoi(args[1])
	ts.Check(err)
	write(ts, args[3], strings.Join(all[from-1:to], ""))
}

// strip: strip MEMBER IN OUT removes a member from every record.
func strip(ts *testscript.TestScript, _ bool, args []string) {
	var out []byte
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		var object map[string]json.RawMessage
		ts.Check(json.Unmarshal([]byte(line), &object))
		delete(object, args[0])
		text, err := json.Marshal(object)
		ts.Check(err)
		out = append(append(out, text...), '\n')
	}
	write(ts, args[2], string(out))
}

// damage: damage WHAT N IN OUT changes one byte of line N: in the message's
// timestamp ("message"), its "signature", its "data" or the "cid" beside it.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	before, ok := map[string]string{
		"message": `"messageTimestamp":"20`, "signature": `"signature":"`, "data": `"dataBase64":"`, "cid": `"cid":"bafyrei`,
	}[args[0]]
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	all := strings.SplitAfter(ts.ReadFile(args[2]), "\n")
	at := strings.Index(all[n-1], before) + len(before)
	if !ok || at < len(before) {
		ts.Fatalf("line %d has no %s", n, args[0])
	}
	line := []byte(all[n-1])
	other := byte('a')
	switch {
	case args[0] == "message":
		other = '1' + (line[at]-'0')%9 // another digit that makes a valid year
	case line[at] == other:
		other = 'b'
	}
	line[at] = other
	all[n-1] = string(line)
	write(ts, args[3], strings.Join(all, ""))
}

// longLine: longline IN OUT puts a line that is longer than any may be before the
// second line of IN. OUT is compressed, which makes it short.
func longLine(ts *testscript.TestScript, _ bool, args []string) {
	first, rest, _ := strings.Cut(ts.ReadFile(args[0]), "\n")
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	ts.Check(err)
	_, err = io.WriteString(w, first+"\n"+strings.Repeat("a", maxLine)+"\n"+rest)
	ts.Check(errors.Join(err, w.Close()))
	write(ts, args[1], zipped.String())
}

// cut: cut IN OUT copies the first half of a file.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	write(ts, args[1], text[:len(text)/2])
}

func write(ts *testscript.TestScript, name, text string) {
	ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
}

func records(ts *testscript.TestScript, name string) []refserver.Record {
	var all []refserver.Record
	for line := range strings.Lines(ts.ReadFile(name)) {
		r, _, err := refserver.ParseRecord([]byte(line))
		ts.Check(err)
		all = append(all, r)
	}
	return all
}
