package badger

import (
	"fmt"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// room returns an ErrFull if fewer than least bytes are free on the disk. It
// costs one system call.
func (s *Store) room(least int64) error {
	if least <= 0 {
		return nil
	}
	free, err := s.opt.FreeSpace(s.dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", s.dir, err)
	}
	if free < uint64(least) {
		return fmt.Errorf("%w: %d MiB free for %s, writing needs %d MiB; make room, nothing is lost",
			store.ErrFull, free>>20, s.dir, least>>20)
	}
	return nil
}
