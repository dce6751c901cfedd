package wire_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"testing"
	"testing/iotest"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

// someFrames yields three frames, then err if it is not nil.
func someFrames(err error) iter.Seq2[wire.Frame, error] {
	return func(yield func(wire.Frame, error) bool) {
		for _, body := range []int{0, 70_000, 3} {
			if !yield(wire.Frame{Type: wire.TypeItems, Body: make([]byte, body)}, nil) {
				return
			}
		}
		if err != nil {
			yield(wire.Frame{}, err)
		}
	}
}

// TestEncode: Encode and Reader make the same bytes, those of the frames, and tell the
// error of a sequence.
func TestEncode(t *testing.T) {
	var want []byte
	for f := range someFrames(nil) {
		want = f.Append(want)
	}
	broken := errors.New("broken")
	for _, end := range []error{nil, broken} {
		var got bytes.Buffer
		if err := wire.Encode(&got, someFrames(end)); !errors.Is(err, end) || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d bytes, %v; want %d, %v", got.Len(), err, len(want), end)
		}
		r := wire.NewReader(someFrames(end))
		read, err := io.ReadAll(iotest.OneByteReader(r))
		if !errors.Is(err, end) || !bytes.Equal(read, want) {
			t.Errorf("read %d bytes, %v; want %d, %v", len(read), err, len(want), end)
		}
		r.Close()
	}
	if err := wire.Encode(failing{}, someFrames(broken)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v, want the error of the writer", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestReaderClosed: after Close nothing is read, and the sequence has ended.
func TestReaderClosed(t *testing.T) {
	ended := false
	r := wire.NewReader(func(yield func(wire.Frame, error) bool) {
		defer func() { ended = true }()
		someFrames(nil)(yield)
	})
	if n, err := r.Read(make([]byte, 2)); n != 2 || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	for range 2 {
		if err := r.Close(); err != nil || !ended {
			t.Errorf("Close: %v, the sequence has ended: %t", err, ended)
		}
	}
	if n, err := r.Read(make([]byte, 2)); n != 0 || !errors.Is(err, wire.ErrReaderClosed) {
		t.Errorf("%d bytes, %v", n, err)
	}
}
