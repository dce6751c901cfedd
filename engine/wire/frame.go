// Package wire turns bytes into frames and frames into bytes. SPEC.md describes
// the same forms in the same order for readers of other languages.
//
// A request and a reply are each a CBOR sequence (RFC 8742). Every element is a
// frame, the DAG-CBOR array [type, body] with the body as a byte string of at
// most MaxBody bytes. Bodies of control frames are DAG-CBOR maps; the bodies of
// SUMMARY and ITEMS frames are chunks of longer byte streams.
package wire

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Version is the version of the wire format that this package speaks.
const Version = 1

// MaxBody is the largest number of bytes in the body of one frame.
const MaxBody = 1 << 20

var (
	// ErrMalformed reports bytes that are no frame, or a body that is not the one
	// canonical encoding of its fields.
	ErrMalformed = errors.New("malformed frame")
	// ErrTooLarge reports a length above a limit. Nothing of that length was allocated.
	ErrTooLarge = errors.New("frame too large")
	// ErrSequence reports a well-formed frame where it may not stand.
	ErrSequence = errors.New("frame out of order")
)

// Type says what a frame is. The numbers are part of the wire format.
type Type uint8

// The frames of a request stand in the order AUTH INIT SECRET? SUMMARY* ITEMS*,
// those of a reply in the order ACK SECRET? SUMMARY* ITEMS* (DONE | MORE).
// ERROR may take the place of any frame of a reply and ends it.
const (
	TypeAuth    Type = 1 // a compact JWS; not the engine's concern
	TypeInit    Type = 2 // see Init
	TypeSecret  Type = 3 // see Secret
	TypeSummary Type = 4 // the next chunk of a summary
	TypeItems   Type = 5 // the next chunk of the compressed item stream
	TypeAck     Type = 6 // see Ack
	TypeDone    Type = 7 // see End: every item that was found has been sent
	TypeMore    Type = 8 // see End: the reply's budget ended first
	TypeError   Type = 9 // see Error
)

var typeNames = [...]string{"", "AUTH", "INIT", "SECRET", "SUMMARY", "ITEMS", "ACK", "DONE", "MORE", "ERROR"}

// String returns the frame's name as SPEC.md writes it.
func (t Type) String() string {
	if t.known() {
		return typeNames[t]
	}
	return fmt.Sprintf("frame type %d", uint8(t))
}

func (t Type) known() bool { return t >= TypeAuth && t <= TypeError }

// Frame is one typed unit on the wire. Whoever is handed a frame owns its body.
type Frame struct {
	Type Type
	Body []byte
}

const (
	headArray2 = 0x82 // CBOR: an array of two elements
	majorBytes = 0x40 // CBOR: a byte string, the length in the low five bits
)

// Append appends the bytes of f to dst. It panics if the body is longer than
// MaxBody or the type unknown: both are mistakes of the caller.
func (f Frame) Append(dst []byte) []byte {
	if len(f.Body) > MaxBody || !f.Type.known() {
		panic(fmt.Sprintf("wire: %v with %d bytes", f.Type, len(f.Body)))
	}
	return AppendBytes(append(dst, headArray2, byte(f.Type)), f.Body)
}

// Size returns the number of bytes that Append appends.
func (f Frame) Size() int {
	return 2 + bytesHeadSize(len(f.Body)) + len(f.Body)
}

// AppendBytes appends b as a CBOR byte string with the shortest head, for b shorter
// than 2^32 bytes.
func AppendBytes(dst, b []byte) []byte {
	return append(appendBytesHead(dst, len(b)), b...)
}

// appendBytesHead appends the shortest CBOR head of a byte string of n bytes, n < 2^32.
func appendBytesHead(dst []byte, n int) []byte {
	switch bytesHeadSize(n) {
	case 1:
		return append(dst, majorBytes|byte(n))
	case 2:
		return append(dst, majorBytes|24, byte(n))
	case 3:
		return binary.BigEndian.AppendUint16(append(dst, majorBytes|25), uint16(n))
	default:
		return binary.BigEndian.AppendUint32(append(dst, majorBytes|26), uint32(n))
	}
}

func bytesHeadSize(n int) int {
	switch {
	case n < 24:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	default:
		return 5
	}
}

// readBytesHead reads the head of a CBOR byte string of at most limit bytes and
// returns its length. A head that is not the shortest is ErrMalformed.
func readBytesHead(r io.ByteReader, limit int) (int, error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	info := int(first &^ 0xe0)
	if first&0xe0 != majorBytes || info > 26 {
		return 0, fmt.Errorf("%w: byte 0x%02x where a byte string begins", ErrMalformed, first)
	}
	n := info
	if info >= 24 {
		n = 0
		for range 1 << (info - 24) {
			b, err := r.ReadByte()
			if err != nil {
				return 0, unexpected(err)
			}
			n = n<<8 | int(b)
		}
		if bytesHeadSize(n) != 1+1<<(info-24) {
			return 0, fmt.Errorf("%w: length %d is not in its shortest form", ErrMalformed, n)
		}
	}
	if n > limit {
		return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, limit)
	}
	return n, nil
}

// readBytes reads n bytes. It allocates as they arrive, not as they are claimed.
func readBytes(r io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	buf := make([]byte, 0, min(n, step))
	for len(buf) < n {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(n, 2*cap(buf))), buf...)
		}
		m, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+m]
		if err != nil {
			return nil, unexpected(err)
		}
	}
	return buf, nil
}

// unexpected turns the end of the bytes inside a unit into io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Read reads one frame. At the end of the sequence it returns io.EOF itself;
// where the bytes end inside a frame, an error that wraps io.ErrUnexpectedEOF.
func Read(r *bufio.Reader) (Frame, error) {
	first, err := r.ReadByte()
	if err != nil {
		return Frame{}, err
	}
	second, err := r.ReadByte()
	if err != nil {
		return Frame{}, fmt.Errorf("%w: cut after its first byte: %w", ErrMalformed, unexpected(err))
	}
	f := Frame{Type: Type(second)}
	if first != headArray2 || !f.Type.known() {
		return Frame{}, fmt.Errorf("%w: it begins 0x%02x%02x", ErrMalformed, first, second)
	}
	n, err := readBytesHead(r, MaxBody)
	if err == nil {
		f.Body, err = readBytes(r, n)
	}
	if err != nil {
		return Frame{}, fmt.Errorf("%v: %w", f.Type, unexpected(err))
	}
	return f, nil
}

// Decode returns the frames of r in order. It stops at the end of r or after an
// error. Frames may be kept.
func Decode(r io.Reader) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		buffered := bufio.NewReader(r)
		for {
			f, err := Read(buffered)
			if err == io.EOF || !yield(f, err) || err != nil {
				return
			}
		}
	}
}

// Hash returns the SHA-256 of the bytes of frames, one after the other.
func Hash(frames []Frame) [32]byte {
	h := sha256.New()
	var buf []byte
	for _, f := range frames {
		buf = f.Append(buf[:0])
		h.Write(buf)
	}
	return [32]byte(h.Sum(nil))
}
