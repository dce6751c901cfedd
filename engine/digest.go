package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/summary"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// digest is a summary in memory: what travels in SUMMARY frames, and the head
// that announces it.
type digest struct {
	head wire.Summary
	data []byte
}

// drafter makes digests.
type drafter struct {
	random io.Reader // for salts
	hash   hashFunc
	bits   int // of the rate of filters, 0 for the kind's own
}

// summarise returns the digest of a set: all IDs, or a filter of some kind under a
// salt of its own.
func (d drafter) summarise(kind filters.Kind, keys []Key) (digest, error) {
	if kind == plainIDs {
		return newDigest(wire.Summary{Form: wire.FormIDs}, idList(keys)), nil
	}
	salt, err := newSalt(d.random)
	if err != nil {
		return digest{}, err
	}
	// IDs differ, and so do their salted keys but for what no filter minds.
	f, err := filters.Build(kind, saltedBy(d.hash, salt).of(keys), filters.Options{Bits: d.bits, Distinct: true})
	if err != nil {
		return digest{}, err
	}
	return newDigest(wire.Summary{Form: wire.FormFilter, Salt: salt}, f.AppendTo(nil)), nil
}

func newDigest(head wire.Summary, data []byte) digest {
	head.Size = uint64(len(data))
	return digest{head: head, data: data}
}

func idList(keys []Key) []byte {
	ids := make([]ID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	slices.SortFunc(ids, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	data := make([]byte, 0, len(ids)*len(ID{}))
	for _, id := range ids {
		data = append(data, id[:]...)
	}
	return data
}

// frames returns the SUMMARY frames of d.
func (d digest) frames() []wire.Frame {
	var frames []wire.Frame
	for chunk := range slices.Chunk(d.data, wire.MaxBody) {
		frames = append(frames, wire.Frame{Type: wire.TypeSummary, Body: chunk})
	}
	return frames
}

// readDigest takes the SUMMARY frames that head announces.
func readDigest(s *wire.Stream, head wire.Summary, limit int64) (digest, error) {
	if head.Size > uint64(limit) {
		return digest{}, fmt.Errorf("%w: a summary of %d bytes, at most %d", wire.ErrTooLarge, head.Size, limit)
	}
	var data []byte
	for uint64(len(data)) < head.Size {
		f, err := s.Take(wire.TypeSummary)
		if err != nil {
			return digest{}, err
		}
		if left := head.Size - uint64(len(data)); uint64(len(f.Body)) != min(left, wire.MaxBody) {
			return digest{}, fmt.Errorf("%w: a SUMMARY frame of %d bytes with %d to come", wire.ErrMalformed, len(f.Body), left)
		}
		data = append(data, f.Body...)
	}
	return digest{head: head, data: data}, nil
}

// undivided refuses a summary that is said to be a delta or a part, or to have a salt.
func undivided(head wire.Summary) error {
	if head.Base != 0 || head.Within != nil || head.Salt != (filters.Salt{}) {
		return fmt.Errorf("%w: a summary of the form %q is no delta, no part and has no salt", wire.ErrMalformed, head.Form)
	}
	return nil
}

// sieve returns what d says, unless it is a segmented filter.
func (d digest) sieve(limit int64, hash hashFunc) (sieve, error) {
	if d.head.Base != 0 || d.head.Within != nil && d.head.Form != wire.FormFilter && d.head.Form != wire.FormIDs {
		return sieve{}, fmt.Errorf("%w: a summary of the form %q is no delta and no part", wire.ErrMalformed, d.head.Form)
	}
	switch d.head.Form {
	case wire.FormIDs:
		return d.idSieve()
	case wire.FormFilter:
		return d.filter(limit, hash)
	default:
		return sieve{}, fmt.Errorf("%w: form %q", ErrUnsupported, d.head.Form)
	}
}

// idSieve returns a list of IDs, of everything or of what is in some buckets.
func (d digest) idSieve() (sieve, error) {
	ids, err := d.ids()
	s := sieve{kind: plainIDs, size: len(ids) / len(ID{}), asked: ids}
	w := d.head.Within
	if err != nil || w == nil {
		return s, err
	}
	switch {
	case len(w.Buckets) > wire.MaxIntervals:
		return s, fmt.Errorf("%w: buckets of %d bytes, at most %d", wire.ErrTooLarge, len(w.Buckets), wire.MaxIntervals)
	case w.Salt != filters.Salt{} || len(w.Intervals) > 0:
		return s, fmt.Errorf("%w: a list of IDs is of buckets, not of intervals", wire.ErrMalformed)
	}
	s.part = true
	if s.buckets, err = summary.DecodeBuckets(w.Buckets, summary.MaxRanges); err != nil {
		err = fmt.Errorf("%w: %w", wire.ErrMalformed, err)
	}
	return s, err
}

func (d digest) filter(limit int64, hash hashFunc) (sieve, error) {
	if d.head.Within != nil && len(d.head.Within.Buckets) > 0 {
		return sieve{}, fmt.Errorf("%w: a filter is of intervals, not of buckets", wire.ErrMalformed)
	}
	f, err := filters.Decode(d.data, filterLimits(limit))
	if errors.Is(err, filters.ErrUnknownKind) || errors.Is(err, filters.ErrVersion) {
		err = fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err != nil {
		return sieve{}, err
	}
	if f.Kind() == filters.Segmented {
		return sieve{}, fmt.Errorf("%w: a segmented filter in the form %q", wire.ErrMalformed, d.head.Form)
	}
	s := sieve{kind: f.Kind(), size: f.Len(), asked: filterAsked{f, saltedBy(hash, d.head.Salt)}}
	if d.head.Within != nil {
		s.within, err = parseDoubt(*d.head.Within, hash)
	}
	return s, err
}

// filterLimits lets a filter take twice the memory of the longest summary.
func filterLimits(limit int64) filters.Limits { return filters.Limits{MaxBytes: int(2 * limit)} }

func (d digest) ids() (idsAsked, error) {
	const size = len(ID{})
	if d.head.Salt != (filters.Salt{}) || len(d.data)%size != 0 {
		return nil, fmt.Errorf("%w: a list of IDs of %d bytes", wire.ErrMalformed, len(d.data))
	}
	for i := size; i < len(d.data); i += size {
		if bytes.Compare(d.data[i-size:i], d.data[i:i+size]) >= 0 {
			return nil, fmt.Errorf("%w: IDs are not strictly ascending", wire.ErrMalformed)
		}
	}
	return d.data, nil
}

// newSalt draws a salt. No salt is used twice: a false positive of one round is
// none in the next.
func newSalt(random io.Reader) (filters.Salt, error) {
	var salt filters.Salt
	if _, err := io.ReadFull(random, salt[:]); err != nil {
		return salt, errors.Join(errors.New("no randomness for a salt"), err)
	}
	return salt, nil
}
