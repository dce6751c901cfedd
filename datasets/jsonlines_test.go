package datasets_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"io"
	"math/big"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/dwn-sync/dwnsync/datasets"
)

// readLines returns the items of JSON lines, and the error that ended them.
func readLines(t *testing.T, r io.Reader, opt datasets.JSONLinesOptions) (all []datasets.Item, last error) {
	t.Helper()
	for item, err := range datasets.JSONLines(r, opt) {
		if last != nil {
			t.Fatal("goes on after an error")
		}
		if last = err; err == nil {
			all = append(all, item)
		}
	}
	return all, last
}

// The times of lines as their sources write them.
func TestJSONLinesTimes(t *testing.T) {
	micros := datasets.JSONLinesOptions{Time: []string{"time_us"}, Unit: time.Microsecond}
	millis := datasets.JSONLinesOptions{Time: []string{"t"}, Unit: time.Millisecond}
	nested := datasets.JSONLinesOptions{Time: []string{"message.descriptor.messageTimestamp", "ts"}}
	for name, c := range map[string]struct {
		opt  datasets.JSONLinesOptions
		line string
		want int64
	}{
		"seconds":          {opt: datasets.JSONLinesOptions{Unit: time.Second}, line: `{"created_at":1700000000}`, want: 1_700_000_000_000_000},
		"text":             {line: `{"created_at":"2023-11-14T22:13:20Z"}`, want: 1_700_000_000_000_000},
		"text with zone":   {line: `{"created_at":"2023-11-14T23:43:20.1234567+01:30"}`, want: 1_700_000_000_123_456},
		"text with escape": {line: `{"created_at":"2023-11-14T22:13:20\u005a"}`, want: 1_700_000_000_000_000},
		"farthest zone":    {line: `{"created_at":"2023-11-14T22:13:20-23:59"}`, want: 1_700_086_340_000_000},
		"fraction":         {line: `{"created_at":1700000000.1234569}`, want: 1_700_000_000_123_456},
		"short fraction":   {line: `{"created_at":0.5}`, want: 500_000},
		"before 1970":      {line: `{"created_at":-1.25}`, want: -1_250_000},
		"just before":      {line: `{"created_at":-0.000001}`, want: -1},
		"microseconds":     {opt: micros, line: `{"time_us":1700000000123456}`, want: 1_700_000_000_123_456},
		"finer":            {opt: micros, line: `{"time_us":17.9}`, want: 17},
		"milliseconds":     {opt: millis, line: `{"t":1700000000123.45678}`, want: 1_700_000_000_123_456},
		"nested":           {opt: nested, line: `{"message":{"descriptor":{"messageTimestamp":"1970-01-01T00:00:01Z"}},"ts":2}`, want: 1_000_000},
		"second choice":    {opt: nested, line: `{"message":{"descriptor":{"messageTimestamp":null}},"ts":2}`, want: 2_000_000},
		"not so deep":      {opt: nested, line: `{"message":{"descriptor":7},"ts":2}`, want: 2_000_000},
		"far":              {line: `{"created_at":9223372036853}`, want: 9_223_372_036_853_000_000},
		"twice":            {line: `{"created_at":1,"created_at":2}`, want: 2_000_000}, // as encoding/json does
	} {
		t.Run(name, func(t *testing.T) {
			all, err := readLines(t, strings.NewReader(c.line), c.opt)
			if err != nil || len(all) != 1 {
				t.Fatalf("%d items, %v", len(all), err)
			}
			if got := all[0]; got.Key.Time != c.want || string(got.Body) != c.line || got.Key.ID != sha256.Sum256([]byte(c.line)) {
				t.Errorf("%d, %q, want %d", got.Key.Time, got.Body, c.want)
			}
		})
	}
}

const id64 = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

func TestJSONLinesRefuses(t *testing.T) {
	named := datasets.JSONLinesOptions{ID: "id"}
	short := datasets.JSONLinesOptions{MaxLine: 20}
	for name, c := range map[string]struct {
		opt  datasets.JSONLinesOptions
		line string
		text string
	}{
		"no JSON":          {line: `hello`, text: "invalid character"},
		"cut":              {line: `{"created_at":1`, text: "unexpected end"},
		"two on one":       {line: `{"created_at":1}{}`, text: "after top-level value"},
		"a list":           {line: `[1]`, text: "cannot unmarshal array"},
		"null":             {line: `null`, text: `no time in ["created_at"]`},
		"no time":          {line: `{"at":1}`, text: `no time in ["created_at"]`},
		"time is null":     {line: `{"created_at":null}`, text: "no time"},
		"time is a list":   {line: `{"created_at":[1]}`, text: `"created_at": [1] is no plain number`},
		"time is true":     {line: `{"created_at":true}`, text: "no plain number"},
		"exponent":         {line: `{"created_at":1e9}`, text: "1e9 is no plain number"},
		"another date":     {line: `{"created_at":"14.11.2023"}`, text: "cannot parse"},
		"hour of a digit":  {line: `{"created_at":"2023-11-14T2:13:20Z"}`, text: "no time of RFC 3339"},
		"a comma":          {line: `{"created_at":"2023-11-14T22:13:20,5Z"}`, text: "no time of RFC 3339"},
		"a zone of days":   {line: `{"created_at":"2023-11-14T22:13:20+24:00"}`, text: "no time of RFC 3339"},
		"an hour of 60":    {line: `{"created_at":"2023-11-14T22:13:20-23:60"}`, text: "no time of RFC 3339"},
		"no zone":          {line: `{"created_at":"2023-11-14T22:13:20"}`, text: "cannot parse"},
		"just beyond":      {line: `{"created_at":9223372036854.9}`, text: "9223372036854.9 units of 1s are out of range"},
		"second mark":      {line: "\ufeff" + `{"created_at":1}`, text: "invalid character"},
		"out of range":     {line: `{"created_at":9223372036855}`, text: "out of range"},
		"far out of range": {line: `{"created_at":99999999999999999999}`, text: "out of range"},
		"no ID":            {opt: named, line: `{"created_at":1}`, text: `"id" is not a text of 64`},
		"ID too short":     {opt: named, line: `{"created_at":1,"id":"00"}`, text: "64 hexadecimal"},
		"ID is a number":   {opt: named, line: `{"created_at":1,"id":1}`, text: "64 hexadecimal"},
		"ID of other text": {opt: named, line: `{"created_at":1,"id":"x` + id64[1:] + `"}`, text: "invalid byte"},
		"too long":         {opt: short, line: `{"created_at":1    }  `, text: "longer than 20 bytes"},
		"much too long":    {opt: short, line: strings.Repeat(" ", 1<<20), text: "longer than 20 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "\n{\"created_at\":1,\"id\":\"" + id64 + "\"}\n \t\r\n" + c.line + "\n{\"created_at\":2}"
			opt := c.opt
			if opt.MaxLine > 0 {
				text = "\n{\"created_at\": 1}  \r\n\n" + c.line + "\n{\"created_at\":2}"
			}
			all, err := readLines(t, strings.NewReader(text), opt)
			var where *datasets.LineError
			if !errors.Is(err, datasets.ErrLine) || !errors.As(err, &where) || where.Line != 4 || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, want ErrLine at line 4 with %q", err, c.text)
			}
			if len(all) != 1 {
				t.Errorf("%d items before it, want 1", len(all))
			}
		})
	}
}

func TestJSONLinesOptions(t *testing.T) {
	for name, opt := range map[string]datasets.JSONLinesOptions{
		"unit of a minute": {Unit: time.Minute},
		"negative unit":    {Unit: -time.Second},
		"negative limit":   {MaxLine: -1},
	} {
		if all, err := readLines(t, strings.NewReader("{}"), opt); !errors.Is(err, datasets.ErrOptions) || all != nil {
			t.Errorf("%s: %v, want ErrOptions", name, err)
		}
	}
}

func TestJSONLinesID(t *testing.T) {
	line := `{"created_at":1,"id":"` + id64 + `"}`
	all, err := readLines(t, strings.NewReader(line), datasets.JSONLinesOptions{ID: "id"})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d items, %v", len(all), err)
	}
	if id := all[0].Key.ID; id[0] != 0 || id[1] != 0x11 || id[31] != 0xff || string(all[0].Body) != line {
		t.Errorf("%x, %s", id, all[0].Body)
	}
}

// zip compresses parts, each as a gzip file of its own behind the other.
func zip(t *testing.T, parts ...string) []byte {
	t.Helper()
	var zipped bytes.Buffer
	for _, part := range parts {
		w := gzip.NewWriter(&zipped)
		_, err := io.WriteString(w, part)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return zipped.Bytes()
}

// The line's end and compression are no part of an item, however the bytes come.
func TestJSONLinesForms(t *testing.T) {
	const a, b = `{"created_at":1,"text":"ö"}`, ` {"created_at": 2}`
	for name, text := range map[string]string{
		"plain":         a + "\n" + b + "\n",
		"no last end":   a + "\n" + b,
		"of Windows":    a + "\r\n" + b + "\r\n",
		"blank lines":   "\n\n" + a + "\n \t\n" + b + "\n\n\r\n  ",
		"compressed":    string(zip(t, a+"\n"+b)),
		"marked":        "\ufeff" + a + "\n" + b,
		"mark in gzip":  string(zip(t, "\ufeff"+a+"\n"+b)),
		"in two pieces": string(zip(t, a[:9], a[9:]+"\n"+b)),
	} {
		for how, r := range map[string]io.Reader{
			"at once":      strings.NewReader(text),
			"byte by byte": iotest.OneByteReader(strings.NewReader(text)),
			"with its end": iotest.DataErrReader(strings.NewReader(text)),
		} {
			all, err := readLines(t, r, datasets.JSONLinesOptions{MaxLine: len(a)})
			if err != nil || len(all) != 2 || string(all[0].Body) != a || string(all[1].Body) != b {
				t.Errorf("%s, %s: %d items, %v", name, how, len(all), err)
			}
		}
	}
	if all, err := readLines(t, strings.NewReader(""), datasets.JSONLinesOptions{}); err != nil || all != nil {
		t.Errorf("nothing: %d items, %v", len(all), err)
	}
}

func TestJSONLinesReaderFails(t *testing.T) {
	const lines = "{\"created_at\":1}\n{\"created_at\":2}\n"
	zipped := zip(t, strings.Repeat(lines, 9000))
	for name, c := range map[string]struct {
		r    io.Reader
		want error
		line int
	}{
		"cut":             {io.MultiReader(strings.NewReader(lines+"{"), iotest.ErrReader(io.ErrClosedPipe)), io.ErrClosedPipe, 3},
		"at once":         {iotest.ErrReader(io.ErrClosedPipe), io.ErrClosedPipe, 1},
		"compressed, cut": {bytes.NewReader(zipped[:len(zipped)-1]), io.ErrUnexpectedEOF, 18001},
		"header cut":      {bytes.NewReader(zipped[:5]), io.ErrUnexpectedEOF, 1},
		"no gzip":         {bytes.NewReader([]byte{0x1f, 0x8b, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}), gzip.ErrHeader, 1},
	} {
		_, err := readLines(t, c.r, datasets.JSONLinesOptions{})
		var where *datasets.LineError
		if !errors.Is(err, c.want) || errors.Is(err, datasets.ErrLine) || !errors.As(err, &where) || where.Line != c.line {
			t.Errorf("%s: %v, want %v at line %d", name, err, c.want, c.line)
		}
	}
}

// What ends a line does not count, where the buffer is full before "\n" too, and so it
// is not known yet whether "\r" is a part of the end; one byte more does.
func TestJSONLinesLongest(t *testing.T) {
	for _, limit := range []int{64<<10 - 2, 64<<10 - 1, 64 << 10, 128<<10 - 1} {
		line := `{"created_at":1` + strings.Repeat(" ", limit-16) + "}"
		for _, end := range []string{"", "\n", "\r\n"} {
			all, err := readLines(t, strings.NewReader(line+end), datasets.JSONLinesOptions{MaxLine: limit})
			if err != nil || len(all) != 1 || string(all[0].Body) != line {
				t.Errorf("%d bytes and %q: %d items, %v", len(line), end, len(all), err)
			}
			_, err = readLines(t, strings.NewReader(line+" "+end), datasets.JSONLinesOptions{MaxLine: limit})
			if !errors.Is(err, datasets.ErrLine) {
				t.Errorf("%d bytes and %q: %v, want ErrLine", len(line)+1, end, err)
			}
		}
	}
}

// The shipped messages as any JSON lines: their times are those of the messages.
func TestJSONLinesCorpus(t *testing.T) {
	r := datasets.CorpusJSONLines()
	defer r.Close()
	var want []int64
	for m, err := range datasets.Corpus() {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, m.Message.Key().Time)
	}
	all, err := readLines(t, r, datasets.JSONLinesOptions{Time: []string{"message.descriptor.messageTimestamp"}})
	if err != nil || len(all) != len(want) {
		t.Fatalf("%d items, want %d, %v", len(all), len(want), err)
	}
	for i, item := range all {
		if item.Key.Time != want[i] {
			t.Errorf("line %d: time %d, want %d", i+1, item.Key.Time, want[i])
		}
	}
}

// A line without end costs no more than its limit, and a consumer that stops is
// read no further for.
func TestJSONLinesBounded(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readLines(t, endless{}, datasets.JSONLinesOptions{MaxLine: 1 << 20})
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, datasets.ErrLine) || taken > 16<<20 {
		t.Errorf("%v, after %d bytes were allocated", err, taken)
	}
	r := strings.NewReader(strings.Repeat("{\"created_at\":1}\n", 1<<20))
	for range datasets.JSONLines(r, datasets.JSONLinesOptions{}) {
		break
	}
	if r.Len() < 16<<20 {
		t.Errorf("of %d bytes %d are left", r.Size(), r.Len())
	}
}

// endless is a line that does not end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '['
	}
	return len(p), nil
}

var plainNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// FuzzJSONLines: items are the lines of the text that are not blank, in order,
// up to the first that is none, and their numbers are as a slow reference has them.
func FuzzJSONLines(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "{}", `{"created_at":1700000000,"id":"` + id64 + `"}`, "{\"created_at\":\"2024-02-29T12:00:00Z\"}\r\n\n{\"created_at\":-0.5}",
		`{"created_at":-9223372036853.999999}`, `{"created_at":00}`, `{"created_at":1}` + "\r", `{"created_at":123456789012345678901234567890}`,
		string([]byte{0x1f, 0x8b, 8, 0}), `{"a":{"b":{"created_at":3}}}`, "{\"created_at\":1}\n[", `{"created_at":2.9999999}`, "\ufeff{\"created_at\":1}", "\ufeff\ufeff{\"created_at\":1}",
	} {
		f.Add([]byte(seed), byte(0))
		f.Add([]byte(seed), byte(255))
	}
	f.Fuzz(func(t *testing.T, text []byte, bits byte) {
		opt := datasets.JSONLinesOptions{
			Unit:    []time.Duration{0, time.Second, time.Millisecond, time.Microsecond}[bits&3],
			Time:    [][]string{nil, {"a.b.created_at", "created_at"}}[bits>>2&1],
			ID:      []string{"", "id"}[bits>>3&1],
			MaxLine: int(bits>>4) * 30,
		}
		all, err := readLines(t, bytes.NewReader(text), opt)
		var where *datasets.LineError
		if err != nil && !errors.As(err, &where) {
			t.Fatalf("%v is no LineError", err)
		}
		if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
			return
		}
		lines := strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n")
		for n, line := range lines {
			line = strings.TrimSuffix(line, "\r")
			if n == len(lines)-1 {
				line = lines[n] // nothing ends it
			}
			if where != nil && where.Line == n+1 {
				if len(all) > 0 || !errors.Is(err, datasets.ErrLine) {
					t.Fatalf("%d items more than lines before %v", len(all), err)
				}
				return
			}
			if strings.TrimSpace(line) == "" {
				continue
			}
			if len(all) == 0 || string(all[0].Body) != line {
				t.Fatalf("line %d is not the next item", n+1)
			}
			checkItem(t, all[0], opt)
			all = all[1:]
		}
		if len(all) > 0 || err != nil {
			t.Fatalf("%d items more than lines, %v", len(all), err)
		}
	})
}

// checkItem holds an item to a slow reading of its line.
func checkItem(t *testing.T, item datasets.Item, opt datasets.JSONLinesOptions) {
	t.Helper()
	if opt.MaxLine > 0 && len(item.Body) > opt.MaxLine {
		t.Fatalf("line of %d bytes, want at most %d", len(item.Body), opt.MaxLine)
	}
	if opt.ID == "" && item.Key.ID != sha256.Sum256(item.Body) {
		t.Fatal("the body does not hash to the ID")
	}
	text, ok := strings.CutPrefix(string(item.Body), `{"created_at":`)
	text, closed := strings.CutSuffix(text, "}")
	if !ok || !closed || !plainNumber.MatchString(text) {
		return
	}
	value, _ := new(big.Rat).SetString(text)
	unit := max(opt.Unit, time.Microsecond)
	if opt.Unit == 0 {
		unit = time.Second
	}
	value.Mul(value, big.NewRat(unit.Microseconds(), 1))
	if want := new(big.Int).Quo(value.Num(), value.Denom()); want.Cmp(big.NewInt(item.Key.Time)) != 0 {
		t.Fatalf("%s of %v is %d, want %d", text, unit, item.Key.Time, want)
	}
}
