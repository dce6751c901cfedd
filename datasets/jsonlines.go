package datasets

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"iter"
	"time"
)

// JSONLinesOptions says where [JSONLines] finds time and ID. The zero value is for
// events of nostr, whose created_at is a number of seconds.
type JSONLinesOptions struct {
	// Time names the members that may hold the time: the first that is there and
	// not null is taken. "a.b" is member b of the object a. Empty means created_at.
	// A text is a time of RFC 3339, a number counts Units since
	// 1970-01-01T00:00:00Z, without exponent. What is finer than a microsecond is cut.
	Time []string
	// Unit of numbers: time.Second, which 0 means too, time.Millisecond or
	// time.Microsecond.
	Unit time.Duration
	// ID names the member with 64 hexadecimal digits that are the item's ID, such as
	// id of nostr; "a.b" as above. Then Body does not hash to Key.ID. Empty means
	// SHA-256 of Body.
	ID string
	// MaxLine is the most bytes that a line may have, 0 means 16 MiB.
	MaxLine int
}

const defaultMaxLine = 16 << 20

// filled returns o with its defaults, ErrOptions if that cannot be.
func (o JSONLinesOptions) filled() (JSONLinesOptions, error) {
	if len(o.Time) == 0 {
		o.Time = []string{"created_at"}
	}
	if o.Unit == 0 {
		o.Unit = time.Second
	}
	if o.MaxLine == 0 {
		o.MaxLine = defaultMaxLine
	}
	switch {
	case o.Unit != time.Second && o.Unit != time.Millisecond && o.Unit != time.Microsecond:
		return o, fmt.Errorf("%w: Unit is %v, want 1s, 1ms or 1µs", ErrOptions, o.Unit)
	case o.MaxLine < 0:
		return o, fmt.Errorf("%w: MaxLine is %d bytes", ErrOptions, o.MaxLine)
	}
	return o, nil
}

// JSONLines returns the JSON objects of r, one a line, as items in the order of the
// lines; r may be compressed with gzip, which its first bytes tell. Body is the
// line without what ends it ("\n" or "\r\n"). Blank lines are skipped, and one byte
// order mark of UTF-8 before all. A line that comes twice is an item twice.
//
// Memory is some ten times the longest line: it is read whole, then its members are
// listed, and of many short ones the list is larger than the text. The sequence reads r, so it can be iterated over
// once. It ends after an error: ErrOptions, or a *LineError.
func JSONLines(r io.Reader, opt JSONLinesOptions) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		opt, err := opt.filled()
		if err != nil {
			yield(Item{}, err)
			return
		}
		in, err := plain(r)
		for n := 1; ; n++ {
			var line []byte
			if err == nil {
				line, err = readLine(in, opt.MaxLine)
			}
			if err == io.EOF {
				return
			}
			if err == nil && len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			var item Item
			if err == nil {
				item, err = opt.item(line)
			}
			if err != nil {
				yield(Item{}, &LineError{n, err})
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// plain returns r, decompressed if it is gzip, without a mark of its byte order.
func plain(r io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // an error of Peek comes again
		unzipped, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = bufio.NewReaderSize(unzipped, 64<<10)
	}
	const mark = "\ufeff"
	if start, _ := in.Peek(len(mark)); string(start) == mark {
		if _, err := in.Discard(len(mark)); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// readLine returns a copy of the next line of at most limit bytes, without its end,
// io.EOF after the last. A line that another error cuts is not returned.
func readLine(in *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		ended := err == nil || err == io.EOF && len(line) > 0
		if ended {
			line = trimEnd(line)
		}
		switch {
		case len(line) > limit && (ended || len(line)-len("\r") > limit):
			return nil, fmt.Errorf("%w: longer than %d bytes", ErrLine, limit)
		case ended:
			return line, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		}
	}
}

// trimEnd cuts off what ends a line.
func trimEnd(line []byte) []byte {
	if cut, ok := bytes.CutSuffix(line, []byte("\n")); ok {
		return bytes.TrimSuffix(cut, []byte("\r"))
	}
	return line
}
