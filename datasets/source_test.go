package datasets_test

import (
	"regexp"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
)

// A label of a benchmark has no "/", "=" or blank, and stands for one thing. What it
// is called is in results that are compared later.
func TestSources(t *testing.T) {
	want := []string{"corpus", "git", "jsonlines"}
	got := datasets.Sources()
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i, s := range got {
		if string(s) != want[i] || !regexp.MustCompile(`^[a-z0-9]+$`).MatchString(string(s)) {
			t.Errorf("source %d is %q, want %q", i, s, want[i])
		}
	}
}
