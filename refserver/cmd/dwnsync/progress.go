package main

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows a count on stderr while something long runs, if a person is there
// to see it.
type progress struct{ bar *progressbar.ProgressBar }

func newProgress(s std, what string) progress {
	file, ok := s.err.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return progress{}
	}
	return progress{progressbar.NewOptions(-1, progressbar.OptionSetWriter(file), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("messages"))}
}

// set shows that n messages are done.
func (p progress) set(n int) {
	if p.bar != nil {
		_ = p.bar.Set(n) // a progress bar that fails is no failure
	}
}

// done takes the count away.
func (p progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
