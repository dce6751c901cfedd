package main

import (
	"math"
	"testing"
)

func TestSizeFlag(t *testing.T) {
	good := map[string]int64{
		"0": 0, "1": 1, "64MiB": 64 << 20, "1KiB": 1024, "3GiB": 3 << 30, "8388607TiB": 8388607 << 40, "9223372036854775807": math.MaxInt64,
	}
	for text, want := range good {
		var s sizeFlag
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("%s: %d, %v; want %d", text, s, err, want)
		}
		var again sizeFlag
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%s is written as %s, which is %d, %v", text, s.String(), again, err)
		}
	}
	for _, text := range []string{"", "-1", "MiB", "1MB", "1 MiB", "1.5GiB", "8388608TiB", "9223372036854775808", "1KiBMiB", "0x10"} {
		if err := new(sizeFlag).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
