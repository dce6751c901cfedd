package datasets

import (
	"bufio"
	"strings"
)

// For the tests of damage: the set as it is embedded, and its reader.
func CorpusText() string { return corpusLines }

var (
	CorpusOf      = corpusOf
	CorpusMessage = corpusMessage
)

// Window is how far back a message may refer.
const Window = window

// NegativeLog2 returns -log2(word/2^64) in parts of 2^32.
func NegativeLog2(word uint64) uint64 { return newLogarithm().negative(word) }

// For the tests of what git says.
var CommitTime = commitTime

// NextCommit reads the first commit of what cat-file says.
func NextCommit(text string) ([]byte, error) {
	h := history{out: bufio.NewReader(strings.NewReader(text))}
	return h.next()
}

// Kept returns how much of what a command says on standard error is kept.
func Kept(said ...string) string {
	var o opening
	for _, part := range said {
		if n, err := o.Write([]byte(part)); n != len(part) || err != nil {
			return "not taken"
		}
	}
	return o.text()
}

// Clock returns the times of a workload's keys; its argument must ascend.
func Clock(w Workload) func(i int) int64 { return w.clock() }
