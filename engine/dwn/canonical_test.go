package dwn

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/node/basicnode"
)

// refCBOR is the slow and obvious encoder that the fast path is held to. It takes
// what encoding/json makes of a text: nil, bool, float64, string, slices, maps.
func refCBOR(value any) []byte {
	switch v := value.(type) {
	case nil:
		return []byte{0xf6}
	case bool:
		if v {
			return []byte{0xf5}
		}
		return []byte{0xf4}
	case float64:
		return refNumber(v)
	case string:
		return append(refHead(3, uint64(len(v))), v...)
	case []any:
		out := refHead(4, uint64(len(v)))
		for _, e := range v {
			out = append(out, refCBOR(e)...)
		}
		return out
	case map[string]any:
		var names []string
		for name := range v {
			names = append(names, name)
		}
		// The heads of text strings sort by length, so encoded keys compare right.
		sort.Slice(names, func(i, j int) bool { return bytes.Compare(refCBOR(names[i]), refCBOR(names[j])) < 0 })
		out := refHead(5, uint64(len(v)))
		for _, name := range names {
			out = append(append(out, refCBOR(name)...), refCBOR(v[name])...)
		}
		return out
	}
	panic("not from encoding/json")
}

func refNumber(f float64) []byte {
	exact, accuracy := big.NewFloat(f).Int(nil)
	limit := new(big.Int).Lsh(big.NewInt(1), 53)
	if accuracy == big.Exact && exact.CmpAbs(limit) < 0 {
		if exact.Sign() >= 0 {
			return refHead(0, exact.Uint64())
		}
		return refHead(1, new(big.Int).Not(exact).Uint64())
	}
	return binary.BigEndian.AppendUint64([]byte{0xfb}, math.Float64bits(f))
}

func refHead(major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return []byte{major | byte(n)}
	case n < 1<<8:
		return []byte{major | 24, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major | 25}, uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32([]byte{major | 26}, uint32(n))
	}
	return binary.BigEndian.AppendUint64([]byte{major | 27}, n)
}

// refParse returns what the reference path makes of a text that ParseJSON took.
func refParse(t *testing.T, text []byte) []byte {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("taken, but encoding/json says: %v", err)
	}
	delete(body, "encodedData")
	return refCBOR(body)
}

func FuzzParseJSON(f *testing.F) {
	seedTexts(f, func(text string) { f.Add([]byte(text)) })
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseJSON(text)
		if err != nil {
			onlyKinds(t, err, ErrMalformed, ErrNotCanonical, ErrShape)
			return
		}
		if want := refParse(t, text); !bytes.Equal(m.CBOR(), want) {
			t.Fatalf("CBOR is %x, want %x", m.CBOR(), want)
		}
		exercise(t, m)
	})
}

func FuzzParseCBOR(f *testing.F) {
	seedTexts(f, func(text string) {
		if m, err := ParseJSON([]byte(text)); err == nil {
			f.Add(m.CBOR())
		}
	})
	for _, c := range refusedCBOR {
		f.Add(c.raw())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseCBOR(raw)
		if err != nil {
			onlyKinds(t, err, ErrMalformed, ErrNotCanonical, ErrShape)
			return
		}
		if !bytes.Equal(m.CBOR(), raw) {
			t.Fatalf("taken as %x", m.CBOR())
		}
		if want := refParse(t, m.AppendJSON(nil)); !bytes.Equal(raw, want) {
			t.Fatalf("by way of JSON: %x, want %x", want, raw)
		}
		sameInIPLD(t, raw)
		exercise(t, m)
	})
}

// sameInIPLD checks that another implementation of DAG-CBOR takes raw, and makes
// it again from what it read.
func sameInIPLD(t *testing.T, raw []byte) {
	t.Helper()
	builder := basicnode.Prototype.Any.NewBuilder()
	if err := dagcbor.Decode(builder, bytes.NewReader(raw)); err != nil {
		t.Fatalf("go-ipld-prime refuses it: %v", err)
	}
	var out bytes.Buffer
	if err := dagcbor.Encode(builder.Build(), &out); err != nil || !bytes.Equal(out.Bytes(), raw) {
		t.Fatalf("go-ipld-prime makes %x, %v", out.Bytes(), err)
	}
}

// exercise calls everything a message has, for panics, and checks what must hold
// of every message.
func exercise(t *testing.T, m *Message) {
	t.Helper()
	again, err := ParseJSON(m.AppendJSON(nil))
	if err != nil || again.ID() != m.ID() {
		t.Fatalf("its own JSON: %v", err)
	}
	if err := m.CheckStored(); err != nil {
		onlyKinds(t, err, ErrNotStored, ErrShape)
	} else {
		if m.Author() == "" || m.Signer() == "" {
			t.Fatal("stored without author or signer")
		}
		if _, ok := m.Data(); ok != (m.Interface() == "Records" && m.Method() == "Write") {
			t.Fatalf("stored, Data is %t", ok)
		}
		if _, err := m.Authorization(); err != nil {
			t.Fatalf("stored: %v", err)
		}
	}
	a := m.Attributes()
	if !(Scope{}).Matches(a.Inherit(a)) {
		t.Fatal("not in the scope of everything")
	}
	_, _, _ = m.IsInitialWrite(), m.AttestationCID(), m.EncryptionCID()
}

// onlyKinds checks that err is exactly one of the kinds.
func onlyKinds(t *testing.T, err error, kinds ...error) {
	t.Helper()
	found := 0
	for _, kind := range []error{ErrMalformed, ErrNotCanonical, ErrShape, ErrNotStored, ErrScope} {
		if errors.Is(err, kind) {
			found++
			if !errors.Is(errors.Join(kinds...), kind) {
				t.Fatalf("wrong kind of error: %v", err)
			}
		}
	}
	if found != 1 {
		t.Fatalf("error of %d kinds: %v", found, err)
	}
}

// seedTexts gives JSON texts of the vectors, the shorter ones.
func seedTexts(t testing.TB, add func(text string)) {
	for _, file := range []string{"vectors.jsonl.gz", "legacy.jsonl", "odd.jsonl"} {
		for v := range readLines[messageVector](t, vectors+file) {
			if len(v.Message) < 4000 {
				add(string(v.Message))
			}
		}
	}
	for v := range readLines[numberVector](t, vectors+"numbers.jsonl") {
		if len(v.Text) < 1000 {
			add(v.Text)
		}
	}
}

// descriptorHex is a canonical descriptor of three members; a fourth, "x", is
// first in order when it is put before them.
const descriptorHex = "666d6574686f64655772697465" + "69696e74657266616365675265636f726473" +
	"706d65737361676554696d657374616d70781b323032352d30312d30315430303a30303a30302e3030303030305a"

// cborCase is a message whose descriptor has a member x of given bytes, or all of
// a given text.
type cborCase struct {
	name string
	x    string // hex of the value of x
	all  string // hex of everything
	want error
}

func (c cborCase) raw() []byte {
	text := c.all
	if c.x != "" {
		text = "a16a64657363726970746f72a46178" + c.x + descriptorHex
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		panic(c.name)
	}
	return raw
}

var refusedCBOR = []cborCase{
	{name: "integer of 2 bytes that fits in 1", x: "1817", want: ErrNotCanonical},
	{name: "integer of 9 bytes that fits in 5", x: "1b00000000ffffffff", want: ErrNotCanonical},
	{name: "2^53", x: "1b0020000000000000", want: ErrNotCanonical},
	{name: "-2^53", x: "3b001fffffffffffff", want: ErrNotCanonical},
	{name: "2^64-1", x: "1bffffffffffffffff", want: ErrNotCanonical},
	{name: "-2^64", x: "3bffffffffffffffff", want: ErrNotCanonical},
	{name: "float 1", x: "fb3ff0000000000000", want: ErrNotCanonical},
	{name: "float -0", x: "fb8000000000000000", want: ErrNotCanonical},
	{name: "float 2^53-1", x: "fb433fffffffffffff", want: ErrNotCanonical},
	{name: "float of 2 bytes", x: "f93800", want: ErrNotCanonical},
	{name: "float of 4 bytes", x: "fa3f000000", want: ErrNotCanonical},
	{name: "NaN", x: "fb7ff8000000000000", want: ErrNotCanonical},
	{name: "infinity", x: "fb7ff0000000000000", want: ErrNotCanonical},
	{name: "minus infinity", x: "fbfff0000000000000", want: ErrNotCanonical},
	{name: "NaN of 2 bytes", x: "f97e00", want: ErrNotCanonical},
	{name: "tag", x: "c100", want: ErrNotCanonical},
	{name: "CID as tag 42", x: "d82a4100", want: ErrNotCanonical},
	{name: "big integer", x: "c24101", want: ErrNotCanonical},
	{name: "byte string", x: "4101", want: ErrNotCanonical},
	{name: "undefined", x: "f7", want: ErrNotCanonical},
	{name: "simple value", x: "f0", want: ErrNotCanonical},
	{name: "simple value of 2 bytes", x: "f8ff", want: ErrNotCanonical},
	{name: "false in 2 bytes", x: "f814", want: ErrMalformed},
	{name: "text of indefinite length", x: "7f6161ff", want: ErrNotCanonical},
	{name: "array of indefinite length", x: "9f01ff", want: ErrNotCanonical},
	{name: "map of indefinite length", x: "bf616101ff", want: ErrNotCanonical},
	{name: "invalid UTF-8", x: "61ff", want: ErrNotCanonical},
	{name: "surrogate in UTF-8", x: "63eda080", want: ErrNotCanonical},
	{name: "text length in 2 bytes that fits in 1", x: "780161", want: ErrNotCanonical},
	{name: "array length in 2 bytes that fits in 1", x: "980101", want: ErrNotCanonical},
	{name: "map length in 2 bytes that fits in 1", x: "b801616101", want: ErrNotCanonical},
	{name: "integer key", x: "a10102", want: ErrNotCanonical},
	{name: "byte string key", x: "a1416102", want: ErrNotCanonical},
	{name: "array key", x: "a1810102", want: ErrNotCanonical},
	{name: "duplicate key", x: "a2616101616102", want: ErrNotCanonical},
	{name: "keys out of order", x: "a2616201616102", want: ErrNotCanonical},
	{name: "longer key first", x: "a262616101616202", want: ErrNotCanonical},
	{name: "invalid UTF-8 in a key", x: "a161ff01", want: ErrNotCanonical},
	{name: "break alone", x: "ff", want: ErrMalformed},
	{name: "reserved length", x: "1c", want: ErrMalformed},
	{name: "huge array", x: "9b7fffffffffffffff", want: ErrMalformed},
	{name: "huge map", x: "bb00000000ffffffff", want: ErrMalformed},
	{name: "huge text", x: "7b7fffffffffffffff", want: ErrMalformed},
	{name: "too deep", x: strings.Repeat("81", 31) + "80", want: ErrMalformed},
	{name: "nothing", all: "", want: ErrMalformed},
	{name: "something trails", all: "a16a64657363726970746f72a3" + descriptorHex + "00", want: ErrMalformed},
	{name: "cut off", all: ("a16a64657363726970746f72a3" + descriptorHex)[:150], want: ErrMalformed},
	{name: "no map", all: "80", want: ErrShape},
	{name: "no descriptor", all: "a0", want: ErrShape},
	{name: "descriptor is text", all: "a16a64657363726970746f726161", want: ErrShape},
	{name: "no method", all: "a16a64657363726970746f72a2" + descriptorHex[26:], want: ErrShape},
	{name: "no time", all: "a16a64657363726970746f72a2" + descriptorHex[:62], want: ErrShape},
	{name: "encodedData", all: "a26a64657363726970746f72a3" + descriptorHex + "6b656e636f646564446174616161", want: ErrNotCanonical},
}

func TestParseCBORRefuses(t *testing.T) {
	if _, err := ParseCBOR(cborCase{x: "01"}.raw()); err != nil {
		t.Fatalf("the cases are wrong: %v", err)
	}
	for _, c := range refusedCBOR {
		m, err := ParseCBOR(c.raw())
		if m != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			continue
		}
		onlyKinds(t, err, c.want)
	}
}

func TestParseCBORTakes(t *testing.T) {
	for _, x := range []string{
		"1b001fffffffffffff", "3b001ffffffffffffe", "fb4340000000000000", "fb444b1ae4d6e2ef50", "fb0000000000000001", "fb3fe0000000000000",
		"f6", "f5", "80", "a0", "60", "a2616100616201", strings.Repeat("81", 29) + "80",
	} {
		raw := cborCase{name: x, x: x}.raw()
		m, err := ParseCBOR(raw)
		if err != nil {
			t.Errorf("%s: %v", x, err)
			continue
		}
		raw[20] ^= 0xff
		if bytes.Equal(m.CBOR(), raw) {
			t.Errorf("%s: message shares memory with its input", x)
		}
	}
}

// A change of any byte is refused or makes another message: no two byte strings
// are one message, and no byte goes unread.
func TestEveryByteCounts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	n := 0
	for v := range readLines[messageVector](t, vectors+"vectors.jsonl.gz") {
		raw, err := hex.DecodeString(*v.CBORHex)
		if err != nil {
			t.Fatal(err)
		}
		if n++; n > 25 {
			break
		}
		for i := range raw {
			changes := 3
			if n == 5 {
				changes = 255
			}
			for c := range changes {
				change := byte(c + 1)
				if changes < 255 {
					change = byte(1 + random.IntN(255))
				}
				raw[i] ^= change
				m, err := ParseCBOR(raw)
				if err == nil && (m.CID().String() == v.CID || !bytes.Equal(m.CBOR(), raw)) {
					t.Fatalf("%s: byte %d xor %#x is taken for the same", v.Name, i, change)
				}
				raw[i] ^= change
			}
		}
	}
}

func TestParseJSONRefusesBadUTF8(t *testing.T) {
	const head, tail = `{"descriptor":{"interface":"A","method":"B","messageTimestamp":"2025-01-01T00:00:00.000000Z","x":"`, `"}}`
	for _, x := range []string{"\xff", "\xe2\x82", "\xed\xa0\x80", "\xc0\x80", "\xf5\x80\x80\x80"} {
		if _, err := ParseJSON([]byte(head + x + tail)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x: %v", x, err)
		}
	}
}

func TestLimits(t *testing.T) {
	text := func(n int) []byte {
		return []byte(`{"descriptor":{"interface":"A","method":"B","messageTimestamp":"2025-01-01T00:00:00.000000Z"},"x":"` + strings.Repeat("x", n) + `"}`)
	}
	overhead := len(text(0))
	if _, err := ParseJSON(text(MaxMessageSize - overhead)); err != nil {
		t.Errorf("JSON of the largest size: %v", err)
	}
	if _, err := ParseJSON(text(MaxMessageSize - overhead + 1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("JSON beyond the largest size: %v", err)
	}
	m, err := ParseJSON(text(MaxMessageSize / 2))
	if err != nil {
		t.Fatal(err)
	}
	overhead = len(m.CBOR()) - MaxMessageSize/2
	for _, extra := range []int{0, 1} {
		value := map[string]any{"descriptor": map[string]any{"interface": "A", "method": "B", "messageTimestamp": "2025-01-01T00:00:00.000000Z"}, "x": strings.Repeat("x", MaxMessageSize-overhead+extra)}
		if _, err := ParseCBOR(refCBOR(value)); (extra == 0) != (err == nil) {
			t.Errorf("CBOR of %d bytes more than the largest: %v", extra, err)
		}
	}
	// Floats grow from 4 bytes of JSON to 9 of CBOR.
	floats := `{"descriptor":{"interface":"A","method":"B","messageTimestamp":"2025-01-01T00:00:00.000000Z"},"x":[0.5` + strings.Repeat(",0.5", 200_000) + `]}`
	if _, err := ParseJSON([]byte(floats)); !errors.Is(err, ErrMalformed) {
		t.Errorf("JSON that grows beyond the largest CBOR: %v", err)
	}
	bomb := strings.Repeat("[", MaxMessageSize)
	if _, err := ParseJSON([]byte(bomb)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a million brackets: %v", err)
	}
}
