package store

import (
	"bytes"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
)

// Check returns nil if the message is one that nodes store, and the data, if any
// is given, is the inline data that it names: dwn.ErrNotStored, dwn.ErrShape or
// ErrDataMismatch otherwise. Signatures are not its concern.
func (e Entry) Check() error {
	if err := e.Message.CheckStored(); err != nil {
		return err
	}
	if e.Data == nil {
		return nil
	}
	want, ok := e.Message.Data()
	if !ok {
		return fmt.Errorf("%w: %d bytes for a message that names no data", ErrDataMismatch, len(e.Data))
	}
	if int64(len(e.Data)) != want.Size || want.Size > dwn.MaxInlineData {
		return fmt.Errorf("%w: have %d bytes for %s, which has %d (inline: at most %d)",
			ErrDataMismatch, len(e.Data), want.CID, want.Size, dwn.MaxInlineData)
	}
	have, _, err := datacid.Of(bytes.NewReader(e.Data))
	if err != nil {
		return err
	}
	if !have.Equals(want.CID) {
		return fmt.Errorf("%w: bytes of %s where the message names %s", ErrDataMismatch, have, want.CID)
	}
	return nil
}
