package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"
)

const (
	// MaxItem is the largest number of bytes in the payload of one item.
	MaxItem = MaxBody + 64<<10
	// MaxRequestItems is the largest number of items in one request, so that the
	// refusal of each fits into one ACK.
	MaxRequestItems = 1 << 14
)

// ItemSize is what an item counts against a budget: its payload, and a flat charge
// so that many empty items are not for free.
func ItemSize(payload []byte) int64 { return int64(len(payload)) + itemCharge }

const (
	itemCharge = 32
	flushEvery = 64 << 10 // uncompressed bytes after which the stream is flushed into a frame
	window     = 4 << 20  // zstd window in bytes, for both sides
)

// EncodeItems returns the ITEMS frames that carry payloads: one zstd stream over
// a CBOR sequence of byte strings, flushed at least every 64 KiB, so that each
// frame yields what it carries without waiting for the next. Without payloads
// there are no frames. It stops at the first error of payloads.
func EncodeItems(payloads iter.Seq2[[]byte, error]) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		var w itemWriter
		for payload, err := range payloads {
			if err == nil {
				err = w.add(payload)
			}
			if err != nil {
				yield(Frame{}, err)
				return
			}
			if w.pending >= flushEvery && !w.emit(w.zstd.Flush, yield) {
				return
			}
		}
		if w.zstd != nil {
			w.emit(w.zstd.Close, yield)
		}
	}
}

type itemWriter struct {
	zstd    *zstd.Encoder
	out     bytes.Buffer
	head    []byte
	pending int
}

// start makes the encoder, which costs a megabyte and a half, when there is an item
// for it. The next level of compression takes six times that, for 2 % fewer bytes of
// DWN messages.
func (w *itemWriter) start() (err error) {
	if w.zstd == nil {
		w.zstd, err = zstd.NewWriter(&w.out, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(window),
			zstd.WithEncoderLevel(zstd.SpeedDefault))
	}
	return err
}

// add writes one payload. A long one is flushed piece by piece into the buffer.
func (w *itemWriter) add(payload []byte) error {
	if len(payload) > MaxItem {
		return fmt.Errorf("%w: an item of %d bytes, at most %d", ErrTooLarge, len(payload), MaxItem)
	}
	if err := w.start(); err != nil {
		return err
	}
	w.head = appendBytesHead(w.head[:0], len(payload))
	if _, err := w.zstd.Write(w.head); err != nil {
		return err
	}
	w.pending += len(w.head)
	for len(payload) > 0 {
		n := min(len(payload), flushEvery)
		if _, err := w.zstd.Write(payload[:n]); err != nil {
			return err
		}
		payload = payload[n:]
		w.pending += n
		if len(payload) > 0 {
			if err := w.zstd.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// emit ends the current piece with finish and yields its bytes as frames.
func (w *itemWriter) emit(finish func() error, yield func(Frame, error) bool) bool {
	if err := finish(); err != nil {
		yield(Frame{}, err)
		return false
	}
	w.pending = 0
	for w.out.Len() > 0 {
		if !yield(Frame{Type: TypeItems, Body: bytes.Clone(w.out.Next(MaxBody))}, nil) {
			return false
		}
	}
	return true
}

// DecodeItems returns the payloads in the ITEMS frames that come next in s, and
// leaves s at the first other frame. Payloads may be kept. More than budget
// of ItemSize in all, or one payload above MaxItem, is ErrTooLarge; whatever a
// stream claims, memory stays below about twice the window and one item. So is
// more than budget, an eighth of it and one item of compressed bytes, whatever they
// are: a stream can go on for ever without giving an item.
func DecodeItems(s *Stream, budget int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if !s.At(TypeItems) {
			return
		}
		source := &itemSource{stream: s, left: budget + budget/8 + MaxItem}
		z, err := zstd.NewReader(source, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window),
			zstd.WithDecoderMaxMemory(4*window), zstd.WithDecoderLowmem(true))
		if err != nil {
			yield(nil, err)
			return
		}
		defer z.Close()
		r := bufio.NewReader(z)
		for {
			payload, err := readItem(r, &budget)
			if err == io.EOF {
				err = source.drained()
				if err == nil {
					return
				}
			}
			if err != nil {
				yield(nil, source.explain(err))
				return
			}
			if !yield(payload, nil) {
				return
			}
		}
	}
}

// readItem returns io.EOF itself only between two items.
func readItem(r *bufio.Reader, budget *int64) ([]byte, error) {
	n, err := readBytesHead(r, MaxItem)
	if err != nil {
		return nil, err
	}
	if *budget -= int64(n) + itemCharge; *budget < 0 {
		return nil, fmt.Errorf("%w: the items exceed their budget", ErrTooLarge)
	}
	return readBytes(r, n)
}

// itemSource is the compressed stream: the bodies of consecutive ITEMS frames.
type itemSource struct {
	stream *Stream
	left   int64 // compressed bytes that may still come
	rest   []byte
	err    error
}

// Read copies from one frame at a time, so that items are decoded as they arrive.
func (s *itemSource) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if !s.stream.At(TypeItems) {
			if _, err := s.stream.Peek(); err != nil && err != io.EOF {
				s.err = err
				return 0, err
			}
			return 0, io.EOF
		}
		f, err := s.stream.Take(TypeItems)
		if err != nil {
			return 0, err
		}
		if s.rest = f.Body; len(s.rest) == 0 {
			s.err = fmt.Errorf("%w: an empty ITEMS frame", ErrMalformed)
			return 0, s.err
		}
		if s.left -= int64(len(s.rest)); s.left < 0 {
			s.err = fmt.Errorf("%w: compressed items exceed their budget", ErrTooLarge)
			return 0, s.err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// drained returns nil where the compressed stream ended with its last frame.
func (s *itemSource) drained() error {
	if s.err != nil {
		return s.err
	}
	if len(s.rest) > 0 || s.stream.At(TypeItems) {
		return fmt.Errorf("%w: ITEMS: bytes after the end of the stream", ErrMalformed)
	}
	return nil
}

// explain gives an error of the transport as it is, and one of the compressed
// bytes as ErrMalformed.
func (s *itemSource) explain(err error) error {
	switch {
	case s.err != nil:
		return s.err
	case errors.Is(err, ErrTooLarge) || errors.Is(err, ErrMalformed):
		return fmt.Errorf("ITEMS: %w", err)
	default:
		return fmt.Errorf("%w: ITEMS: %w", ErrMalformed, err)
	}
}
