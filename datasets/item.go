package datasets

import (
	"errors"
	"fmt"
)

// Item is one item of real data: what the engine moves.
type Item struct {
	// Key is its time, and SHA-256 of Body unless the loader says otherwise.
	Key Key
	// Body is the item as its source has it. The receiver owns it.
	Body []byte
}

var (
	// ErrLine: a line that is no item: not a JSON object, without a time or ID
	// where the options look for them, or too long.
	ErrLine = errors.New("line is no item")
	// ErrGit: git is not installed, or failed at what it was asked for. The text has
	// what git said.
	ErrGit = errors.New("git failed")
)

// LineError says at which line reading ended.
type LineError struct {
	// Line is counted from 1, blank lines too.
	Line int
	// Err wraps ErrLine where the line is at fault; else it is the reader's.
	Err error
}

// Error names the line and what was wrong with it.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns Err.
func (e *LineError) Unwrap() error { return e.Err }
