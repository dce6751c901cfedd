package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// readAhead is how many kB the kernel reads ahead of what is asked for on the disk under
// a folder, which makes small reads large ones; "unknown" where it does not say.
func readAhead(dir string) string {
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		return "unknown"
	}
	number := fmt.Sprintf("%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev))
	if text, err := os.ReadFile(filepath.Join("/sys/class/bdi", number, "read_ahead_kb")); err == nil {
		return strings.TrimSpace(string(text))
	}
	return "unknown"
}
