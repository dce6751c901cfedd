//go:build !linux

package cold

import (
	"io/fs"
	"os"
)

func dropFile(*os.File) error { return ErrUnsupported }

func fileBytes(info fs.FileInfo) int64 { return info.Size() }

// ReadBytes returns ErrUnsupported on this system.
func ReadBytes() (int64, error) { return 0, ErrUnsupported }

// Free returns ErrUnsupported on this system.
func Free(string) (int64, error) { return 0, ErrUnsupported }

func readPastCache(string, int) error { return ErrUnsupported }
