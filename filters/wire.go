package filters

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

const (
	magic   = "DF"
	version = 1

	headerSize   = 8 // magic, version, kind, n
	checksumSize = 4
	frameSize    = headerSize + checksumSize
)

// maxEncoding is the most bytes of any encoding, so that an int counts the bits of one,
// and of a code behind it: 2^28 bytes where an int has 32 bits, else no bound at all.
const maxEncoding = math.MaxInt/8 - 64

// Defaults of [Limits].
const (
	DefaultMaxKeys  = 16 << 20 // keys
	DefaultMaxBytes = 64 << 20 // bytes
)

// Limits bound what [Decode] accepts. A field that is zero means its default.
type Limits struct {
	// MaxKeys is the most keys that the encoding may claim; DefaultMaxKeys if
	// zero. More than 2^28 are never accepted.
	MaxKeys int
	// MaxBytes is the most bytes that the encoding may have, and the most that
	// the decoded filter may hold in memory, some hundred bytes not counted;
	// DefaultMaxBytes if zero. Where an int has 32 bits, 2^28 are never accepted.
	MaxBytes int
}

func (l Limits) orDefault() Limits {
	if l.MaxKeys == 0 {
		l.MaxKeys = DefaultMaxKeys
	}
	if l.MaxBytes == 0 {
		l.MaxBytes = DefaultMaxBytes
	}
	l.MaxKeys, l.MaxBytes = min(l.MaxKeys, maxKeys), min(l.MaxBytes, maxEncoding)
	return l
}

// Decode returns the filter that data is the encoding of: all of data, with
// nothing after it. It neither changes nor keeps data. Memory is allocated only
// once the length of data is known to fit the fields, and is then at most
// limits.MaxBytes and, whatever the limits, 64 times the length of data, both but
// for what the allocator rounds up, an eighth at most.
//
// It returns ErrTooLarge, ErrVersion, ErrUnknownKind, or ErrMalformed.
func Decode(data []byte, limits Limits) (Filter, error) {
	limits = limits.orDefault()
	if len(data) > limits.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(data), limits.MaxBytes)
	}
	s, kind, n, err := decodeHeader(data, limits.MaxKeys)
	if err != nil {
		return nil, err
	}
	sealed, err := unsealFrame(data)
	if err != nil {
		return nil, err
	}
	body := sealed[headerSize:]
	if n > 0 {
		return s.decode(n, body, limits.MaxBytes)
	}
	if len(body) > 0 {
		return nil, malformed("%d bytes in a filter of no keys", len(body))
	}
	return emptyFilter(kind), nil
}

func decodeHeader(data []byte, limit int) (s scheme, kind Kind, n int, err error) {
	if err := checkStart(data, magic, frameSize); err != nil {
		return s, 0, 0, err
	}
	kind = Kind(data[3])
	s, ok := schemeOf(kind)
	if !ok {
		return s, 0, 0, fmt.Errorf("%w: %d", ErrUnknownKind, data[3])
	}
	claimed := binary.LittleEndian.Uint32(data[4:])
	if int64(claimed) > int64(limit) {
		return s, 0, 0, fmt.Errorf("%w: %d keys, at most %d", ErrTooLarge, claimed, limit)
	}
	return s, kind, int(claimed), nil
}

// openFrame appends a header to dst, makes room for a body of bodySize bytes and
// returns the extended slice with the offset of the header.
func openFrame(dst []byte, kind Kind, n, bodySize int) (frame []byte, start int) {
	start = len(dst)
	dst = slices.Grow(dst, frameSize+bodySize)
	dst = append(dst, magic...)
	dst = append(dst, version, byte(kind))
	return binary.LittleEndian.AppendUint32(dst, uint32(n)), start
}

// sealFrame appends the checksum of everything from start on.
func sealFrame(frame []byte, start int) []byte {
	return binary.LittleEndian.AppendUint32(frame, checksum(frame[start:]))
}

// checkStart checks the magic and version of an encoding of at least least bytes.
func checkStart(data []byte, magic string, least int) error {
	if len(data) < least {
		return malformed("%d bytes, at least %d", len(data), least)
	}
	if string(data[:len(magic)]) != magic {
		return malformed("magic %q, want %q", data[:len(magic)], magic)
	}
	if got := data[len(magic)]; got != version {
		return fmt.Errorf("%w: %d", ErrVersion, got)
	}
	return nil
}

// unsealFrame checks the checksum of an encoding and returns what stands before it.
func unsealFrame(data []byte) ([]byte, error) {
	end := len(data) - checksumSize
	if got, want := binary.LittleEndian.Uint32(data[end:]), checksum(data[:end]); got != want {
		return nil, fmt.Errorf("%w: %08x in the encoding, %08x computed", ErrChecksum, got, want)
	}
	return data[:end], nil
}

// unseal checks magic, version and checksum of an encoding of at least least bytes,
// and returns what stands between version and checksum.
func unseal(data []byte, magic string, least int) ([]byte, error) {
	if err := checkStart(data, magic, least); err != nil {
		return nil, err
	}
	sealed, err := unsealFrame(data)
	if err != nil {
		return nil, err
	}
	return sealed[len(magic)+1:], nil
}

func checksum(data []byte) uint32 {
	return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
