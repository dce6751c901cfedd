package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExampleLength: what an example asks a user to write is at most 30 lines, all of its
// file but imports, comments and blank lines.
func TestExampleLength(t *testing.T) {
	const most, examples = 30, 5
	files, err := filepath.Glob("example_*test.go")
	if err != nil || len(files) != examples {
		t.Fatalf("%d examples, want %d, %v", len(files), examples, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, code, ok := strings.Cut(string(text), "\n)\n") // the end of the imports
		if !ok {
			t.Fatalf("%s: no imports", file)
		}
		lines := 0
		for line := range strings.Lines(code) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines++
			}
		}
		if t.Logf("%s: %d lines", file, lines); lines > most {
			t.Errorf("%s: %d lines, at most %d", file, lines, most)
		}
	}
}
