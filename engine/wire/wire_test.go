package wire_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

var update = flag.Bool("update", false, "rewrite the golden vectors")

const vectorFile = "../../testdata/vectors/wire/frames.json"

// bodies are one example of every control frame, with all optional fields and with none.
func bodies() []any {
	name := wire.SecretName{Generation: 3, ID: [16]byte{1, 2, 3}}
	root := &wire.Root{Count: 1431, Fingerprint: [32]byte{0: 9, 31: 7}}
	filter := &wire.Summary{Form: wire.FormFilter, Salt: [16]byte{4, 5, 6}, Size: 1633}
	segments := &wire.Summary{Form: wire.FormSegments, Salt: [16]byte{4, 5, 6}, Size: 812, Base: 0x0123456789abcdef}
	part := &wire.Summary{Form: wire.FormFilter, Salt: [16]byte{7}, Size: 300, Within: &wire.Within{Salt: [16]byte{4, 5, 6}, Intervals: []byte("DI")}}
	some := &wire.Summary{Form: wire.FormIDs, Size: 64, Within: &wire.Within{Intervals: []byte{}, Buckets: []byte{1, 4, 0x80}}}
	return []any{
		&wire.Init{Version: 1, Direction: wire.Both, Secret: &name, Root: root, Summary: filter, Budget: 64 << 20},
		&wire.Init{Version: 1, Direction: wire.Pull, Budget: 0},
		&wire.Secret{SecretName: name, Key: [32]byte{8}},
		&wire.Ack{
			Version: 1, Secret: name, Root: *root, Through: root, Summary: filter, Received: 3,
			Refused: []wire.Refusal{{Index: 0, Reason: "signature does not fit"}, {Index: 2, Reason: "é"}},
		},
		&wire.Ack{Version: 1, Secret: name, WantSecret: true},
		&wire.Init{Version: 1, Direction: wire.Pull, Secret: &name, Root: root, Summary: segments, Budget: 64 << 20},
		&wire.Init{Version: 1, Direction: wire.Pull, Secret: &name, Root: root, Summary: part, Budget: 64 << 20},
		&wire.Ack{Version: 1, Secret: name, Root: *root, Through: root, Summary: part, Kept: 0xfedcba9876543210},
		&wire.Ack{Version: 1, Secret: name, Root: *root, Kept: 5, WantSegments: true},
		&wire.Init{Version: 1, Direction: wire.Pull, Secret: &name, Root: root, Summary: &wire.Summary{Form: wire.FormSketch, Salt: [16]byte{8}, Size: 1900}, Budget: 1},
		&wire.Init{Version: 1, Direction: wire.Both, Secret: &name, Root: root, Summary: &wire.Summary{Form: wire.FormRanges, Size: 2760}, Budget: 1},
		&wire.Init{Version: 1, Direction: wire.Both, Secret: &name, Root: root, Summary: some, Budget: 1},
		&wire.Init{Version: 1, Direction: wire.Both, Secret: &name, Root: root, Cursor: []byte("sealed"), Budget: 1},
		&wire.Init{Version: 1, Direction: wire.Both, Secret: &name, Root: root, Cursor: []byte("sealed"), Summary: filter, Budget: 1},
		&wire.Ack{Version: 1, Secret: name, Root: *root, Through: root, Summary: &wire.Summary{Form: wire.FormShorts, Size: 12}, Cursor: []byte("sealed")},
		&wire.Ack{Version: 1, Secret: name, Root: *root, Summary: &wire.Summary{Form: wire.FormRanges, Size: 660}},
		&wire.Ack{Version: 1, Secret: name, Root: *root, Plan: &wire.Plan{Estimate: 990, Cells: 1409}},
		&wire.Ack{Version: 1, Secret: name, Root: *root, Plan: &wire.Plan{Estimate: 400_000, Cells: 3000, Level: 1, Wide: true, Bits: 3, Dense: []byte{1, 4, 0x80}}},
		&wire.End{Items: 715},
		&wire.Error{Code: "storage", Text: "the disk is full"},
	}
}

func typeOf(body any) wire.Type {
	switch body.(type) {
	case *wire.Init:
		return wire.TypeInit
	case *wire.Secret:
		return wire.TypeSecret
	case *wire.Ack:
		return wire.TypeAck
	case *wire.End:
		return wire.TypeDone
	default:
		return wire.TypeError
	}
}

func fresh(body any) any {
	switch body.(type) {
	case *wire.Init:
		return new(wire.Init)
	case *wire.Secret:
		return new(wire.Secret)
	case *wire.Ack:
		return new(wire.Ack)
	case *wire.End:
		return new(wire.End)
	default:
		return new(wire.Error)
	}
}

type vector struct {
	Frame  string `json:"frame"`
	Fields any    `json:"fields"`
	Hex    string `json:"hex"`
}

// fieldsOf reads a body without regard to its type: byte strings become hex.
func fieldsOf(t *testing.T, body []byte) any {
	t.Helper()
	mode, err := cbor.DecOptions{DefaultMapType: reflect.TypeFor[map[string]any]()}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	var fields any
	if err := mode.Unmarshal(body, &fields); err != nil {
		t.Fatal(err)
	}
	return hexed(fields)
}

func hexed(v any) any {
	switch v := v.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case map[string]any:
		for k := range v {
			v[k] = hexed(v[k])
		}
	case []any:
		for i := range v {
			v[i] = hexed(v[i])
		}
	}
	return v
}

// TestVectors holds the bytes of every control frame to the golden file that
// other languages read. Byte strings stand in its fields as hex.
func TestVectors(t *testing.T) {
	var got []vector
	for _, body := range bodies() {
		f, err := wire.EncodeBody(typeOf(body), body)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, vector{f.Type.String(), fieldsOf(t, f.Body), hex.EncodeToString(f.Append(nil))})
		back := fresh(body)
		if err := wire.DecodeBody(f, back); err != nil {
			t.Errorf("%v: %v", f.Type, err)
		}
		a, _ := json.Marshal(body)
		b, _ := json.Marshal(back)
		if !bytes.Equal(a, b) {
			t.Errorf("%v: got %s, want %s", f.Type, b, a)
		}
	}
	text, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.MkdirAll(filepath.Dir(vectorFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, want) {
		t.Errorf("frames differ from %s; if that is intended, run with -update and bump wire.Version", vectorFile)
	}
}

// TestDecodeBodyStrict: every changed byte of a body gives an error or other
// fields, and every truncation an error.
func TestDecodeBodyStrict(t *testing.T) {
	for _, body := range bodies() {
		f, err := wire.EncodeBody(typeOf(body), body)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(body)
		for i := range f.Body {
			cut := wire.Frame{Type: f.Type, Body: f.Body[:i]}
			if err := wire.DecodeBody(cut, fresh(body)); !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("%v cut to %d bytes: %v", f.Type, i, err)
			}
			changed := wire.Frame{Type: f.Type, Body: bytes.Clone(f.Body)}
			changed.Body[i] ^= 1 << (i % 8)
			back := fresh(body)
			err := wire.DecodeBody(changed, back)
			if got, _ := json.Marshal(back); err == nil && bytes.Equal(got, want) {
				t.Fatalf("%v: byte %d changed, fields did not", f.Type, i)
			}
		}
		long := wire.Frame{Type: f.Type, Body: append(bytes.Clone(f.Body), 0)}
		if err := wire.DecodeBody(long, fresh(body)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%v with a trailing byte: %v", f.Type, err)
		}
	}
}

// TestNull: null stands for nothing in a body.
func TestNull(t *testing.T) {
	init := wire.Init{Version: 1, Direction: wire.Pull, Summary: &wire.Summary{Form: wire.FormFilter, Within: &wire.Within{}}}
	f, err := wire.EncodeBody(wire.TypeInit, init)
	if err != nil {
		t.Fatal(err)
	}
	empty, null := []byte("iintervals\x40"), []byte("iintervals\xf6")
	if !bytes.Contains(f.Body, empty) {
		t.Fatalf("no empty byte string in %x", f.Body)
	}
	if err := wire.DecodeBody(f, new(wire.Init)); err != nil {
		t.Error(err)
	}
	f.Body = bytes.Replace(f.Body, empty, null, 1)
	if err := wire.DecodeBody(f, new(wire.Init)); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("null intervals: %v", err)
	}
}

func TestFrameSizes(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536, wire.MaxBody} {
		f := wire.Frame{Type: wire.TypeItems, Body: make([]byte, n)}
		data := f.Append(nil)
		if len(data) != f.Size() {
			t.Errorf("%d: %d bytes, Size says %d", n, len(data), f.Size())
		}
		back, err := wire.Read(bufio.NewReader(iotest.OneByteReader(bytes.NewReader(data))))
		if err != nil || back.Type != f.Type || !bytes.Equal(back.Body, f.Body) {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestReadMalformed(t *testing.T) {
	for name, c := range map[string]struct {
		hex  string
		want error
	}{
		"empty":             {"", io.EOF},
		"not an array":      {"a1", wire.ErrMalformed},
		"array of three":    {"830140", wire.ErrMalformed},
		"type 0":            {"820040", wire.ErrMalformed},
		"type 10":           {"820a40", wire.ErrMalformed},
		"type as two bytes": {"82180240", wire.ErrMalformed},
		"text body":         {"820260", wire.ErrMalformed},
		"long head 24":      {"82025817" + strings.Repeat("00", 23), wire.ErrMalformed},
		"long head 16 bit":  {"82025900ff", wire.ErrMalformed},
		"long head 32 bit":  {"82025a0000ffff", wire.ErrMalformed},
		"64 bit head":       {"82025b0000000000000001", wire.ErrMalformed},
		"indefinite":        {"82025f4100ff", wire.ErrMalformed},
		"claims 1 MiB + 1":  {"82025a00100001", wire.ErrTooLarge},
		"claims 4 GiB":      {"82025affffffff", wire.ErrTooLarge},
		"cut in the head":   {"820259", io.ErrUnexpectedEOF},
		"cut in the body":   {"820243ffff", io.ErrUnexpectedEOF},
		"cut after a byte":  {"82", io.ErrUnexpectedEOF},
	} {
		data, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire.Read(bufio.NewReader(bytes.NewReader(data))); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// TestReadClaimed: a length that is claimed but not there costs no memory.
func TestReadClaimed(t *testing.T) {
	data, _ := hex.DecodeString("82055a00100000ffff")
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := wire.Read(bufio.NewReader(bytes.NewReader(data))); err == nil {
				b.Fatal("accepted")
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 128<<10 {
		t.Errorf("%d bytes allocated for 2 that are there", allocated)
	}
}

func seq(payloads ...[]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, p := range payloads {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func collect(t testing.TB, frames iter.Seq2[wire.Frame, error]) []wire.Frame {
	t.Helper()
	var all []wire.Frame
	for f, err := range frames {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

func decodeItems(frames []wire.Frame, budget int64) ([][]byte, error) {
	s := wire.NewStream(wire.Join(frames, func(func(wire.Frame, error) bool) {}))
	defer s.Close()
	var got [][]byte
	for p, err := range wire.DecodeItems(s, budget) {
		if err != nil {
			return got, err
		}
		got = append(got, p)
	}
	return got, s.End()
}

func TestItems(t *testing.T) {
	random := bytes.Repeat([]byte("0123456789abcdef"), wire.MaxItem/16)
	for name, payloads := range map[string][][]byte{
		"none":     nil,
		"empty":    {{}},
		"one":      {[]byte("one")},
		"long":     {random[:wire.MaxItem], []byte("after"), random[:65536], random[:65535]},
		"thousand": slices.Repeat([][]byte{random[:700]}, 1000),
	} {
		frames := collect(t, wire.EncodeItems(seq(payloads...)))
		got, err := decodeItems(frames, 1<<30)
		if err != nil || !slices.EqualFunc(got, payloads, bytes.Equal) {
			t.Errorf("%s: %d of %d payloads: %v", name, len(got), len(payloads), err)
		}
	}
	for f, err := range wire.EncodeItems(seq(make([]byte, wire.MaxItem+1))) {
		if !errors.Is(err, wire.ErrTooLarge) {
			t.Errorf("an oversized payload gave %v, %v", f, err)
		}
	}
}

// TestItemsFlush: what was put in can be read before the stream ends.
func TestItemsFlush(t *testing.T) {
	frames := collect(t, wire.EncodeItems(seq(slices.Repeat([][]byte{make([]byte, 1000)}, 500)...)))
	if len(frames) < 7 {
		t.Fatalf("%d frames for 500 kB", len(frames))
	}
	got, err := decodeItems(frames[:2], 1<<30)
	if err == nil || len(got) < 130 {
		t.Errorf("two frames gave %d payloads, %v", len(got), err)
	}
}

func TestItemsMalformed(t *testing.T) {
	good := collect(t, wire.EncodeItems(seq([]byte("one"), []byte("two"))))[0].Body
	compress := func(raw []byte) []byte {
		z, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return z.EncodeAll(raw, nil)
	}
	wide, err := zstd.NewWriter(nil, zstd.WithWindowSize(64<<20))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"not zstd":          {[]byte("hello, world"), wire.ErrMalformed},
		"empty":             {nil, wire.ErrMalformed},
		"cut":               {good[:len(good)-3], wire.ErrMalformed},
		"flipped":           {append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1), wire.ErrMalformed},
		"trailing":          {append(bytes.Clone(good), 1, 2, 3), wire.ErrMalformed},
		"text item":         {compress([]byte("\x63one")), wire.ErrMalformed},
		"cut item":          {compress([]byte("\x43on")), wire.ErrMalformed},
		"claims an exabyte": {compress([]byte("\x5b\x10\x00\x00\x00\x00\x00\x00\x00")), wire.ErrMalformed},
		"item too long":     {compress([]byte("\x5a\x7f\x00\x00\x00")), wire.ErrTooLarge},
		"bomb":              {compress(bytes.Repeat([]byte{0x40}, 4<<20)), nil},
		"over budget":       {compress(append([]byte{0x59, 0x20, 0x00}, make([]byte, 0x2000)...)), wire.ErrTooLarge},
		"huge window":       {wide.EncodeAll(make([]byte, 100<<20), nil), wire.ErrMalformed},
	} {
		frames := []wire.Frame{{Type: wire.TypeItems, Body: c.body}}
		_, err := decodeItems(frames, 4096)
		if c.want == nil {
			c.want = wire.ErrTooLarge
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzFrames(f *testing.F) {
	for _, body := range bodies() {
		frame, err := wire.EncodeBody(typeOf(body), body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame.Append(nil))
	}
	for _, frame := range collect(f, wire.EncodeItems(seq([]byte("one"), []byte("two")))) {
		f.Add(frame.Append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var again []byte
		for frame, err := range wire.Decode(bytes.NewReader(data)) {
			if err != nil {
				return
			}
			again = frame.Append(again)
			for _, body := range bodies() {
				back := fresh(body)
				if wire.DecodeBody(frame, back) != nil {
					continue
				}
				if same, err := wire.EncodeBody(frame.Type, back); err != nil || !bytes.Equal(same.Body, frame.Body) {
					t.Fatalf("%v: decoded, but encodes as %x, %v", frame.Type, same.Body, err)
				}
			}
		}
		if !bytes.Equal(again, data) {
			t.Fatalf("%x reads as frames that write %x", data, again)
		}
	})
}

func FuzzItems(f *testing.F) {
	for _, frame := range collect(f, wire.EncodeItems(seq([]byte("one"), []byte("two")))) {
		f.Add(frame.Body, 1)
	}
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd}, 2)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		if len(data) > 1<<16 {
			return
		}
		cut = min(max(cut, 0), len(data))
		frames := []wire.Frame{{Type: wire.TypeItems, Body: data[:cut]}, {Type: wire.TypeItems, Body: data[cut:]}}
		got, err := decodeItems(frames, 1<<20)
		if err != nil {
			return
		}
		size := 0
		for _, p := range got {
			size += len(p)
		}
		if size > 1<<20 {
			t.Fatalf("%d bytes within a budget of 1 MiB", size)
		}
	})
}

// TestItemsEndless: a stream that goes on without giving an item ends at its
// budget, whatever it is made of.
func TestItemsEndless(t *testing.T) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	skippable := append([]byte{0x50, 0x2a, 0x4d, 0x18, 0xf8, 0xff, 0x0f, 0x00}, make([]byte, 0xffff8)...)
	for name, body := range map[string][]byte{
		"skippable frames": skippable,
		"empty frames":     bytes.Repeat(z.EncodeAll(nil, nil), 1000),
	} {
		sent := 0
		s := wire.NewStream(func(yield func(wire.Frame, error) bool) {
			for yield(wire.Frame{Type: wire.TypeItems, Body: body}, nil) {
				if sent += len(body); sent > 64<<20 {
					t.Errorf("%s: %d bytes were taken", name, sent)
					return
				}
			}
		})
		for _, err := range wire.DecodeItems(s, 4096) {
			if !errors.Is(err, wire.ErrTooLarge) {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.Close()
	}
}
