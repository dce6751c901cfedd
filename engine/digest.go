package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// digest is a summary in memory: what travels in SUMMARY frames, and the head
// that announces it.
type digest struct {
	head wire.Summary
	data []byte
}

// summarise builds the digest of a set by one method, a filter under a salt that it
// draws from random.
func summarise(m method, keys []Key, random io.Reader, hash hashFunc) (digest, error) {
	if m.exact() {
		data := idList(keys)
		return digest{head: wire.Summary{Form: wire.FormIDs, Size: uint64(len(data))}, data: data}, nil
	}
	salt, err := newSalt(random)
	if err != nil {
		return digest{}, err
	}
	hashed := make([]uint64, len(keys))
	for i, k := range keys {
		hashed[i] = hash(salt, k.ID)
	}
	f, err := filters.Build(m.kind, hashed, filters.Options{})
	if err != nil {
		return digest{}, err
	}
	data := f.AppendTo(nil)
	return digest{head: wire.Summary{Form: wire.FormFilter, Salt: salt, Size: uint64(len(data))}, data: data}, nil
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

// predicate tells whether an item may be in the set that a digest was made of.
// It never says no to one that is.
type predicate func(ID) bool

// readDigest takes the SUMMARY frames that head announces and returns what they
// say, with the method that made them.
func readDigest(s *wire.Stream, head wire.Summary, limit int64, hash hashFunc) (predicate, method, error) {
	if head.Size > uint64(limit) {
		return nil, method{}, fmt.Errorf("%w: a summary of %d bytes, at most %d", wire.ErrTooLarge, head.Size, limit)
	}
	var data []byte
	for uint64(len(data)) < head.Size {
		f, err := s.Take(wire.TypeSummary)
		if err != nil {
			return nil, method{}, err
		}
		if left := head.Size - uint64(len(data)); uint64(len(f.Body)) != min(left, wire.MaxBody) {
			return nil, method{}, fmt.Errorf("%w: a SUMMARY frame of %d bytes with %d to come", wire.ErrMalformed, len(f.Body), left)
		}
		data = append(data, f.Body...)
	}
	return parseDigest(head, data, limit, hash)
}

func parseDigest(head wire.Summary, data []byte, limit int64, hash hashFunc) (predicate, method, error) {
	switch head.Form {
	case wire.FormIDs:
		has, err := parseIDs(head, data)
		return has, method{strategy: StrategyList}, err
	case wire.FormFilter:
		f, err := filters.Decode(data, filters.Limits{MaxBytes: int(2 * limit)})
		if err != nil {
			return nil, method{}, err
		}
		salt := filters.Salt(head.Salt)
		has := func(id ID) bool { return f.Contains(hash(salt, id)) }
		return has, method{kind: f.Kind()}, nil
	default:
		return nil, method{}, fmt.Errorf("%w: summary form %q", wire.ErrMalformed, head.Form)
	}
}

func parseIDs(head wire.Summary, data []byte) (predicate, error) {
	const size = len(ID{})
	if head.Salt != (filters.Salt{}) || len(data)%size != 0 {
		return nil, fmt.Errorf("%w: a list of IDs of %d bytes", wire.ErrMalformed, len(data))
	}
	for i := size; i < len(data); i += size {
		if bytes.Compare(data[i-size:i], data[i:i+size]) >= 0 {
			return nil, fmt.Errorf("%w: IDs are not strictly ascending", wire.ErrMalformed)
		}
	}
	has := func(id ID) bool {
		lo, hi := 0, len(data)/size
		for lo < hi {
			mid := int(uint(lo+hi) >> 1)
			switch c := bytes.Compare(data[mid*size:(mid+1)*size], id[:]); {
			case c == 0:
				return true
			case c < 0:
				lo = mid + 1
			default:
				hi = mid
			}
		}
		return false
	}
	return has, nil
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
