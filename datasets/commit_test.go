package datasets_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
)

func TestCommitTime(t *testing.T) {
	for name, c := range map[string]struct {
		commit string
		want   int64
	}{
		"plain":           {"tree 1\nauthor a <a> 5 +0000\ncommitter c <c> 7 +0000\n\ntext\n", 7e6},
		"no text":         {"tree 1\nauthor a <a> 5 +0000\ncommitter c <c> 7 +0000\n", 7e6},
		"no zone":         {"tree 1\ncommitter c <c> 7\n\n", 7e6},
		"zone counts not": {"tree 1\ncommitter c <c> 7 -1200\n\n", 7e6},
		"1970":            {"tree 1\ncommitter c <c> 0 +0000\n\n", 0},
		"2100":            {"tree 1\ncommitter c <c> 4102444800 +0000\n\n", 4102444800e6},
		"odd name":        {"tree 1\ncommitter > 3 <c <c> 8 +0000\n\n", 8e6},
		"only in text":    {"tree 1\nauthor a <a> 5 +0000\n\ncommitter c <c> 7 +0000\n", 0},
		"in a signature":  {"tree 1\ncommitter c <c> 7 +0000\ngpgsig x\n committer c <c> 9 +0000\n\n", 7e6},
		"before 1970":     {"tree 1\ncommitter c <c> -7 +0000\n\n", 0},
		"no number":       {"tree 1\ncommitter c <c> soon +0000\n\n", 0},
		"no time":         {"tree 1\ncommitter c <c>\n\n", 0},
		"beyond 64 bits":  {"tree 1\ncommitter c <c> 18446744073709551615 +0000\n\n", 0},
		"just in range":   {"tree 1\ncommitter c <c> 9223372036854 +0000\n\n", 9223372036854 * second},
		"just beyond":     {"tree 1\ncommitter c <c> 9223372036855 +0000\n\n", 0},
		"empty":           {"", 0},
	} {
		if got := datasets.CommitTime([]byte(c.commit)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestNextCommit(t *testing.T) {
	large := strings.Repeat("x", 300_000)
	for name, c := range map[string]struct {
		said, want string
		err        error
		text       string
	}{
		"whole":       {said: "ab commit 4\nbody\ncd", want: "body"},
		"empty":       {said: "ab commit 0\n\n", want: ""},
		"large":       {said: "ab commit 300000\n" + large + "\n", want: large},
		"end":         {said: "", err: io.EOF},
		"cut name":    {said: "ab comm", err: io.ErrUnexpectedEOF},
		"cut object":  {said: "ab commit 4\nbo", err: io.ErrUnexpectedEOF},
		"cut at size": {said: "ab commit 4\n", err: io.ErrUnexpectedEOF},
		"cut at end":  {said: "ab commit 4\nbody", err: io.ErrUnexpectedEOF},
		"missing":     {said: "ab missing\n", text: `"ab missing\n"`},
		"no commit":   {said: "ab tree 4\nbody\n", text: "ab tree 4"},
		"too large":   {said: "ab commit 67108865\nbody\n", text: "67108865 bytes, want at most 67108864"},
		"huge":        {said: "ab commit 99999999999999999999\n", text: "want at most"},
		"negative":    {said: "ab commit -1\n", text: "want at most"},
		"only a size": {said: "ab commit 67108864\nbody\n", err: io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := datasets.NextCommit(c.said)
			if c.err == nil && c.text == "" {
				if err != nil || string(got) != c.want {
					t.Errorf("%.20q, %v, want %.20q", got, err, c.want)
				}
				return
			}
			if err == nil || c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%.20q, %v, want %v %s", got, err, c.err, c.text)
			}
		})
	}
}

// A size that is only claimed takes no memory.
func TestNextCommitBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := datasets.NextCommit("ab commit 67108864\nbody\n")
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; err != io.ErrUnexpectedEOF || taken > 1<<20 {
		t.Errorf("%v, after %d bytes were allocated", err, taken)
	}
}

// However much a command says on standard error, its first 1000 bytes are kept.
func TestKept(t *testing.T) {
	if got, want := datasets.Kept("one ", "two\n"), "one two"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	part := strings.Repeat("x", 700)
	if got := datasets.Kept(part, part, part); got != strings.Repeat("x", 1000) {
		t.Errorf("%d bytes, want 1000", len(got))
	}
}
