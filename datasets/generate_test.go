package datasets_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
)

// generate returns all messages of opt.
func generate(t *testing.T, opt datasets.GenerateOptions) []datasets.Message {
	t.Helper()
	var all []datasets.Message
	for m, err := range datasets.Generate(opt) {
		if err != nil {
			t.Fatalf("message %d: %v", len(all), err)
		}
		all = append(all, m)
	}
	return all
}

// The digests of the first 1000 messages are a promise: whoever measured with a
// seed can be compared with for ever.
func TestGenerateIsFixed(t *testing.T) {
	for _, c := range []struct {
		seed uint64
		want string
	}{
		{0, "602e1b7569d79df6fd20e5e46c91468e19ee2ad0f0e10a203d2f0df3bb2ab6b9"},
		{math.MaxUint64, "223894561a0b343cc61e26edbd6f5e2d1fcd2f55b7191954b5cdf6daa5a79fe9"},
	} {
		digest := sha256.New()
		for _, m := range generate(t, datasets.GenerateOptions{Seed: c.seed, N: 1000}) {
			digest.Write(m.Message.CBOR())
		}
		if got := hex.EncodeToString(digest.Sum(nil)); got != c.want {
			t.Errorf("seed %d: %s, want %s", c.seed, got, c.want)
		}
	}
}

// mixes are options that reach every kind of message, and the limits.
func mixes() map[string]datasets.GenerateOptions {
	return map[string]datasets.GenerateOptions{
		"zero value":       {},
		"longer":           {Seed: 1, N: 2000},
		"all in protocol":  {Seed: 2, Protocol: 1, Deletes: 0.2},
		"no protocol":      {Seed: 3, Protocol: -1},
		"only new records": {Seed: 4, Updates: -1, Deletes: -1},
		"hardly any new":   {Seed: 5, Updates: 0.5, Deletes: 0.5},
		"tiny data":        {Seed: 7, N: 300, MaxData: 1, Updates: 0.4},
		"data in chunks":   {Seed: 8, N: 20, MaxData: 1 << 20},
		"one message":      {Seed: 9, N: 1},
		"dense":            {Seed: 10, N: 300, Interval: time.Microsecond},
	}
}

func TestGenerateIsValid(t *testing.T) {
	for name, opt := range mixes() {
		t.Run(name, func(t *testing.T) {
			tenant, jwk := datasets.GeneratedKey(opt.Seed)
			public := publicKey(t, jwk)
			var last dwn.Key
			for i, m := range generate(t, opt) {
				if err := m.Message.CheckStored(); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				if m.Tenant != tenant || m.Message.Author() != tenant {
					t.Fatalf("message %d of %s is by %s, want %s", i, m.Tenant, m.Message.Author(), tenant)
				}
				if key := m.Message.Key(); i > 0 && key.Time <= last.Time {
					t.Fatalf("message %d: time %d after %d", i, key.Time, last.Time)
				}
				last = m.Message.Key()
				checkCID(t, m.Message)
				checkEntryID(t, m.Message)
				checkSignature(t, m.Message, public)
				checkData(t, m)
			}
		})
	}
}

// checkCID reads the message back from both of its forms.
func checkCID(t *testing.T, m *dwn.Message) {
	t.Helper()
	if got := dwn.CIDOf(sha256.Sum256(m.CBOR())); got != m.CID() {
		t.Fatalf("CID %s, want %s", m.CID(), got)
	}
	fromJSON, err := dwn.ParseJSON(m.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	if fromJSON.CID() != m.CID() {
		t.Fatalf("CID %s, from its JSON %s", m.CID(), fromJSON.CID())
	}
}

// checkEntryID holds the record ID of a new record to its first message.
func checkEntryID(t *testing.T, m *dwn.Message) {
	t.Helper()
	d := descriptor(t, m)
	if m.Method() != "Write" || d["dateCreated"] != d["messageTimestamp"] {
		return
	}
	entry, err := m.EntryID()
	if err != nil {
		t.Fatal(err)
	}
	if entry.String() != m.RecordID() {
		t.Fatalf("record %s, want %s", m.RecordID(), entry)
	}
}

// checkSignature verifies the signature, and holds its payload to the message.
func checkSignature(t *testing.T, m *dwn.Message, public ed25519.PublicKey) {
	t.Helper()
	a, err := m.Authorization()
	if err != nil {
		t.Fatal(err)
	}
	signature := decode(t, a.Signature.Signature)
	if !ed25519.Verify(public, []byte(a.Signature.Protected+"."+a.Signature.Payload), signature) {
		t.Fatalf("%s: wrong signature", m.CID())
	}
	_, fragment, _ := strings.Cut(m.Author(), "did:key:")
	header := fmt.Sprintf(`{"kid":"%s#%s","alg":"EdDSA"}`, m.Author(), fragment)
	if got := string(decode(t, a.Signature.Protected)); got != header {
		t.Fatalf("header %s, want %s", got, header)
	}
	payload := fmt.Sprintf(`"descriptorCid":"%s"`, m.DescriptorCID())
	if m.Method() == "Write" {
		payload = fmt.Sprintf(`"recordId":"%s",%s`, m.RecordID(), payload)
	}
	if m.ContextID() != "" {
		payload += fmt.Sprintf(`,"contextId":"%s"`, m.ContextID())
	}
	if got := string(decode(t, a.Signature.Payload)); got != "{"+payload+"}" {
		t.Fatalf("payload %s, want {%s}", got, payload)
	}
}

// checkData holds the data to what the message says of them.
func checkData(t *testing.T, m datasets.Message) {
	t.Helper()
	want, ok := m.Message.Data()
	if !ok && m.Data != nil {
		t.Fatalf("%s is no write and has data", m.Message.CID())
	}
	if m.Data == nil {
		if m.Message.IsInitialWrite() {
			t.Fatalf("%s: initial write without data", m.Message.CID())
		}
		return
	}
	c, size, err := datacid.Of(bytes.NewReader(m.Data))
	if err != nil {
		t.Fatal(err)
	}
	if c != want.CID || size != want.Size {
		t.Fatalf("%s: data are %s of %d bytes, want %s of %d", m.Message.CID(), c, size, want.CID, want.Size)
	}
}

func decode(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// publicKey checks a private JWK and returns its public part.
func publicKey(t *testing.T, text []byte) ed25519.PublicKey {
	t.Helper()
	var k jwk
	if err := json.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	public := ed25519.NewKeyFromSeed(decode(t, k.D)).Public().(ed25519.PublicKey)
	if k.KTY != "OKP" || k.CRV != "Ed25519" || k.ALG != "EdDSA" || !bytes.Equal(public, decode(t, k.X)) {
		t.Fatalf("not a private Ed25519 JWK: %s", text)
	}
	return public
}

func TestGenerateData(t *testing.T) {
	for name, opt := range mixes() {
		most := opt.MaxData
		if most == 0 {
			most = 2000
		}
		for i, m := range generate(t, opt) {
			if len(m.Data) > most {
				t.Fatalf("%s: message %d has %d bytes of data, want at most %d", name, i, len(m.Data), most)
			}
			switch format := m.Message.Attributes().DataFormat; {
			case m.Data == nil:
			case len(m.Data) == 0 && (!m.Message.IsInitialWrite() || descriptor(t, m.Message)["parentId"] != nil):
				t.Fatalf("%s: message %d: empty data that may be dropped", name, i)
			case format == "application/json" && !json.Valid(m.Data):
				t.Fatalf("%s: message %d: not JSON: %.80q", name, i, m.Data)
			case format == "text/plain" && !utf8.Valid(m.Data):
				t.Fatalf("%s: message %d: not UTF-8: %.80q", name, i, m.Data)
			}
		}
	}
}

func TestGeneratePrefix(t *testing.T) {
	long := generate(t, datasets.GenerateOptions{Seed: 42, N: 2000})
	for _, n := range []int{1, 2, datasets.Window, 700} {
		short := generate(t, datasets.GenerateOptions{Seed: 42, N: n})
		if len(short) != n {
			t.Fatalf("got %d messages, want %d", len(short), n)
		}
		for i, m := range short {
			if m.Message.ID() != long[i].Message.ID() || !bytes.Equal(m.Data, long[i].Data) {
				t.Fatalf("message %d of %d is another than of 2000", i, n)
			}
			if i+datasets.Window < n && m.Retained != long[i].Retained {
				t.Fatalf("message %d of %d: retained %t, of 2000 %t", i, n, m.Retained, long[i].Retained)
			}
		}
	}
	other := generate(t, datasets.GenerateOptions{Seed: 43, N: 2})
	if other[0].Message.ID() == long[0].Message.ID() || other[1].Message.ID() == long[1].Message.ID() {
		t.Error("two seeds have a message in common")
	}
}

func TestGenerateTimes(t *testing.T) {
	start := time.Date(1999, 12, 31, 23, 0, 0, 999, time.FixedZone("", 3600))
	all := generate(t, datasets.GenerateOptions{N: 5000, Start: start, Interval: time.Second})
	first, last := all[0].Message.Key().Time, all[len(all)-1].Message.Key().Time
	if first != start.UnixMicro() {
		t.Errorf("first time %d, want %d", first, start.UnixMicro())
	}
	// The standard deviation of the mean is 3.4 % here.
	if mean := float64(last-first) / float64(len(all)-1); math.Abs(mean-1e6) > 1e5 {
		t.Errorf("mean interval %.0f µs, want 1000000", mean)
	}
}

func TestGenerateRefusesOptions(t *testing.T) {
	for name, opt := range map[string]datasets.GenerateOptions{
		"negative N":         {N: -1},
		"share above one":    {Protocol: 1.5},
		"share not a number": {Updates: math.NaN()},
		"infinite share":     {Deletes: math.Inf(1)},
		"shares above one":   {Updates: 0.6, Deletes: 0.6},
		"negative interval":  {Interval: -time.Second},
		"tiny interval":      {Interval: time.Nanosecond},
		"huge interval":      {Interval: math.MaxInt64},
		"negative data":      {MaxData: -1},
		"huge data":          {MaxData: 1<<30 + 1},
		"far start":          {Start: time.Unix(1<<55, 0)},
		"start before time":  {Start: time.Unix(-1<<55, 0)},
		"end after time":     {Start: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), N: 5000},
	} {
		t.Run(name, func(t *testing.T) {
			var errs []error
			for m, err := range datasets.Generate(opt) {
				if err != nil {
					errs = append(errs, err)
				} else if m.Message == nil {
					t.Fatal("neither message nor error")
				}
			}
			if len(errs) != 1 || !errors.Is(errs[0], datasets.ErrOptions) {
				t.Errorf("got errors %v, want one ErrOptions", errs)
			}
		})
	}
}

func TestGenerateStopsWhenTold(t *testing.T) {
	seq := datasets.Generate(datasets.GenerateOptions{N: math.MaxInt})
	var first []dwn.ID
	for range 2 { // the same again from its beginning
		n := 0
		for m, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			first = append(first, m.Message.ID())
			if n++; n == 3 {
				break
			}
		}
	}
	if !slices.Equal(first[:3], first[3:]) {
		t.Error("the second iteration gave other messages")
	}
}

func BenchmarkGenerate(b *testing.B) {
	n := 0
	b.ReportAllocs()
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: math.MaxInt, Interval: time.Microsecond}) {
		if err != nil {
			b.Fatal(err)
		}
		if !b.Loop() {
			break
		}
		n += len(m.Message.CBOR())
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(n)/float64(b.N), "CBOR-B/op")
}

func BenchmarkCorpus(b *testing.B) {
	for b.Loop() {
		for _, err := range datasets.Corpus() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(3000*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
