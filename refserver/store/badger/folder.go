package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

const (
	markName    = "DWNSYNC"  // its presence says that a folder is ours
	contentName = "messages" // what Badger keeps
	markText    = "This folder is a store of dwnsync: messages of Decentralized Web Nodes.\n" +
		"Do not change what is in it while a dwnsync process has it open.\n"
)

// prepareFolder makes sure that dir is a folder that is ours, or empty, and that
// it can be written to. It changes nothing in a folder that is not ours.
func prepareFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return folderError(dir, err)
	}
	ours, err := isOurs(dir)
	if err != nil {
		return err
	}
	if !ours {
		if err := writeMark(dir); err != nil {
			return folderError(dir, err)
		}
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return folderError(dir, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// isOurs reports whether dir has our mark. Without it, dir must be empty but for
// hidden files and what file systems put into a new volume.
func isOurs(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, folderError(dir, err)
	}
	var foreign []string
	for _, entry := range entries {
		name := entry.Name()
		if name == markName {
			return true, nil
		}
		if !strings.HasPrefix(name, ".") && name != "lost+found" {
			foreign = append(foreign, name)
		}
	}
	if len(foreign) > 0 {
		return false, fmt.Errorf("%w: %s has other files in it (%q); name an empty folder, or one that does not exist",
			store.ErrForeign, dir, foreign[:min(3, len(foreign))])
	}
	return false, nil
}

// writeMark marks dir as ours, durably: whatever is written later is found again.
func writeMark(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, markName), []byte(markText), 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, contentName), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return errors.Join(syncFolder(dir), syncFolder(filepath.Dir(filepath.Clean(dir))))
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func folderError(dir string, err error) error {
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %s: %w", store.ErrUnwritable, dir, err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: %s: %w", store.ErrFull, dir, err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s is not a folder: %w", store.ErrForeign, dir, err)
	default:
		return fmt.Errorf("open store in %s: %w", dir, err)
	}
}
