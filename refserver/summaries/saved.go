package summaries

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// What is saved: a version, the key accepted at the position that it covers (time
// big-endian, ID), then the form of a summary.Set. The key tells a log that was
// rolled back and written on from the one that was folded.
const (
	savedVersion = 1
	savedHead    = 1 + 8 + len(dwn.ID{})
)

var errSaved = errors.New("saved summaries are of no use")

// foldName names what is saved under a secret. Two successive generations have
// slots of their own, so that a rotation keeps what both have.
func foldName(generation uint64) string { return fmt.Sprintf("summaries %d", generation%maxEpochs) }

// noteName names a fold of the same position with the secret's ID alone: it tells how
// far the log is saved without reading what may be hundreds of megabytes.
func noteName(generation uint64) string { return foldName(generation) + " position" }

// savedNames are the names of everything that is saved of a tenant. A note is removed
// before what it is about: it may say less than is saved, never more.
func savedNames() (names []string) {
	for generation := range uint64(maxEpochs) {
		names = append(names, noteName(generation), foldName(generation))
	}
	return names
}

// load returns the saved summaries, and nil if there are none or they cannot be used
// for a log that ends at last.
func (v *kept) load(ctx context.Context, last uint64) (*summary.Set, error) {
	if !v.scope.All() {
		return nil, nil
	}
	at, data, ok, err := v.rows.Fold(ctx, foldName(v.secret.Generation))
	if err == nil && !ok {
		return nil, nil
	}
	var set *summary.Set
	if err == nil {
		set, err = v.parse(ctx, data, at, last)
	}
	if errors.Is(err, errSaved) || errors.Is(err, store.ErrFoldDamaged) || errors.Is(err, summary.ErrEncoding) {
		if v.ofOtherSecret(ctx, err) {
			v.keeper.opt.Logger.Info("saved summaries are of an earlier secret of the tenant, and made again under this one")
		} else {
			v.keeper.opt.Logger.Warn("saved summaries are thrown away and made again", "error", err)
		}
		return nil, nil
	}
	return set, err
}

// ofOtherSecret reports that what is saved, which the secret did not open, was saved under one
// of another name. That is what a slot holds after a rotation, so nothing is damaged.
func (v *kept) ofOtherSecret(ctx context.Context, err error) bool {
	if !errors.Is(err, summary.ErrEncoding) {
		return false
	}
	_, id, ok, err := v.rows.Fold(ctx, noteName(v.secret.Generation))
	return err == nil && ok && !bytes.Equal(id, v.secret.ID[:])
}

func (v *kept) parse(ctx context.Context, data []byte, at, last uint64) (*summary.Set, error) {
	switch {
	case len(data) < savedHead || data[0] != savedVersion:
		return nil, fmt.Errorf("%w: other form, %d bytes", errSaved, len(data))
	case at == 0 || at > last:
		return nil, fmt.Errorf("%w: they cover the log to %d, it ends at %d", errSaved, at, last)
	}
	key, err := keyAt(ctx, v.rows, at)
	if err != nil {
		return nil, err
	}
	if key != (dwn.Key{Time: int64(binary.BigEndian.Uint64(data[1:])), ID: dwn.ID(data[9:savedHead])}) {
		return nil, fmt.Errorf("%w: position %d of the log has another message", errSaved, at)
	}
	set, err := summary.DecodeSet(v.key, data[savedHead:])
	if err != nil {
		return nil, err
	}
	if set.Position() != at || !v.fits(set) {
		return nil, fmt.Errorf("%w: of position %d, saved as %d, or of other options", errSaved, set.Position(), at)
	}
	return set, nil
}

// fits reports that a saved set has the options that a new one would get.
func (v *kept) fits(set *summary.Set) bool {
	want := v.keeper.opt.Set
	want.Params = set.Params()
	if p := v.keeper.opt.Set.Params; p != (summary.Params{}) {
		want.Params = p
	}
	return set.Fits(want)
}

// save writes the summaries as of one moment, between begin and end, if they are under the
// secret that the tenant holds: those under one that was offered and is not kept, or not
// yet, would take the place of those in use. The empty log is not worth it.
func (v *kept) save(ctx context.Context, frozen *summary.Frozen) error {
	position, generation := frozen.Position(), v.secret.Generation
	if position == 0 {
		return nil
	}
	held, ok, err := v.rows.Secret(ctx, nil)
	if err != nil || !ok || held != v.secret {
		return err
	}
	key, err := keyAt(ctx, v.rows, position)
	if err != nil {
		return err
	}
	data := binary.BigEndian.AppendUint64([]byte{savedVersion}, uint64(key.Time))
	data = frozen.AppendBinary(append(data, key.ID[:]...))
	if err := v.rows.KeepFold(ctx, foldName(generation), position, data); err != nil {
		return err
	}
	v.loaded(position)
	return v.rows.KeepFold(ctx, noteName(generation), position, v.secret.ID[:])
}

// notedPosition returns the position of what is saved under a secret, 0 if nothing is.
func notedPosition(ctx context.Context, rows store.Tenant, secret store.Secret) (uint64, error) {
	position, id, ok, err := rows.Fold(ctx, noteName(secret.Generation))
	if errors.Is(err, store.ErrFoldDamaged) || err == nil && (!ok || !bytes.Equal(id, secret.ID[:])) {
		return 0, nil
	}
	return position, err
}
