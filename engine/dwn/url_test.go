package dwn

import (
	"errors"
	"os"
	"testing"
)

// urlVector is a line of urls.jsonl: what the reference makes of a URL.
type urlVector struct {
	URL     string
	Normal  string
	Refused bool // the reference refuses it
	Strict  bool // the reference takes it, we refuse it
}

func TestNormalizeURLAsReference(t *testing.T) {
	path := vectors + "urls.jsonl"
	if big := os.Getenv("DWN_URLS"); big != "" {
		path = big
	}
	seen := 0
	for v := range readLines[urlVector](t, path) {
		seen++
		got, err := NormalizeURL(v.URL)
		switch {
		case v.Refused || v.Strict:
			if !errors.Is(err, ErrScope) {
				t.Errorf("%q: got %q, %v, want ErrScope", v.URL, got, err)
			}
		case err != nil || got != v.Normal:
			t.Errorf("%q: got %q, %v, want %q", v.URL, got, err, v.Normal)
		}
	}
	if seen < 500 {
		t.Errorf("only %d URLs", seen)
	}
}
