package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

const (
	maxLine     = 64 << 20 // of JSON, record data in base64 included
	maxReported = 20       // refusals that are told one by one
	batchBytes  = 2 << 20
)

var errLong = fmt.Errorf("longer than %d bytes", maxLine)

// imported counts what became of the lines.
type imported struct {
	Lines      int `json:"lines"`
	Accepted   int `json:"accepted"`
	Duplicates int `json:"duplicates"`
	DataAdded  int `json:"data_added"`
	Skipped    int `json:"skipped"` // requests, which no node stores
	Refused    int `json:"refused"`
}

// runImport stores the messages of JSON lines, verified like any other write.
func runImport(ctx context.Context, s std, f *flags) error {
	dir, asJSON, web := f.dir(), f.json(), f.didWeb()
	args, err := f.parse(1)
	if err == nil {
		err = web.check()
	}
	if err != nil {
		return err
	}
	if err := f.need("dir"); err != nil {
		return err
	}
	in := s.in
	if len(args) == 1 && args[0] != "-" {
		file, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	lines, err := plain(in)
	if err != nil {
		return err
	}
	node, err := openNode(*dir, true, warnings(s.err))
	if err != nil {
		return err
	}
	node.Resolver = web.resolver()
	im := &importer{node: node.Node, std: s, bar: newProgress(s, "import")}
	err = errors.Join(im.all(ctx, lines), node.close())
	im.bar.done()
	return errors.Join(err, im.report(*asJSON)) // what was stored before an error stays
}

// plain returns in, decompressed if it is gzip.
func plain(in io.Reader) (*bufio.Reader, error) {
	buffered := bufio.NewReader(in)
	if magic, _ := buffered.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return buffered, nil
	}
	unzipped, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, err
	}
	return bufio.NewReader(unzipped), nil
}

// importer gathers lines into batches of one tenant.
type importer struct {
	node  refserver.Node
	std   std
	bar   progress
	count imported

	tenant string
	batch  []line
	size   int
}

type line struct {
	number int
	entry  store.Entry
	large  []byte // data that does not travel inline
}

func (im *importer) all(ctx context.Context, in *bufio.Reader) error {
	for {
		text, err := readLine(in)
		if err == io.EOF {
			return im.flush(ctx)
		}
		im.count.Lines++
		switch {
		case errors.Is(err, errLong):
			im.refuse(im.count.Lines, err)
		case err != nil:
			return errors.Join(fmt.Errorf("line %d: %w", im.count.Lines, err), im.flush(ctx))
		case len(bytes.TrimSpace(text)) > 0:
			if err := im.add(ctx, text); err != nil {
				return err
			}
		}
	}
}

// readLine returns the next line, and io.EOF after the last. A line that is too
// long is read to its end and is errLong; one that another error cuts is not returned.
func readLine(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for long := false; ; {
		part, err := in.ReadSlice('\n')
		if long = long || len(text)+len(part) > maxLine; !long {
			text = append(text, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
		case err != nil && err != io.EOF:
			return nil, err
		case long:
			return nil, errLong
		case len(text) == 0:
			return nil, io.EOF
		default:
			return text, nil
		}
	}
}

func (im *importer) add(ctx context.Context, text []byte) error {
	record, entry, err := refserver.ParseRecord(text)
	switch {
	case err != nil:
		im.refuse(im.count.Lines, err)
		return nil
	case record.Tenant == "":
		im.refuse(im.count.Lines, errors.New("no field \"tenant\""))
		return nil
	case errors.Is(entry.Message.CheckStored(), dwn.ErrNotStored):
		im.count.Skipped++
		return nil
	}
	if err := errors.Join(auth.CheckDID(record.Tenant), checkLarge(entry)); err != nil {
		im.refuse(im.count.Lines, err)
		return nil
	}
	l := line{number: im.count.Lines, entry: entry}
	if len(entry.Data) > dwn.MaxInlineData {
		l.entry.Data, l.large = nil, entry.Data
	}
	size := entry.Size()
	if record.Tenant != im.tenant || len(im.batch) == store.MaxBatch || im.size+size > batchBytes {
		if err := im.flush(ctx); err != nil {
			return err
		}
	}
	im.tenant, im.batch, im.size = record.Tenant, append(im.batch, l), im.size+size
	return nil
}

// checkLarge checks data that is stored after its message, so that none is stored
// of a line that is refused. The store checks other data itself.
func checkLarge(e store.Entry) error {
	if len(e.Data) <= dwn.MaxInlineData {
		return nil
	}
	want, ok := e.Message.Data()
	if !ok {
		return fmt.Errorf("%w: %d bytes for a message that names no data", store.ErrDataMismatch, len(e.Data))
	}
	have, size, err := datacid.Of(bytes.NewReader(e.Data))
	if err == nil && (size != want.Size || !have.Equals(want.CID)) {
		err = fmt.Errorf("%w: have %d bytes of %s, the message names %d of %s", store.ErrDataMismatch, size, have, want.Size, want.CID)
	}
	return err
}

// flush stores the batch, then the data that is too long to be part of it.
func (im *importer) flush(ctx context.Context) error {
	entries := make([]store.Entry, len(im.batch))
	for i, l := range im.batch {
		entries[i] = l.entry
	}
	results, err := im.node.Write(ctx, im.tenant, entries)
	if err != nil {
		return err
	}
	for i, r := range results {
		if err := im.settle(ctx, im.batch[i], r); err != nil {
			return err
		}
	}
	im.batch, im.size = im.batch[:0], 0
	im.bar.set(im.count.Lines)
	return nil
}

func (im *importer) settle(ctx context.Context, l line, r refserver.Result) error {
	if r.Err == nil && l.large != nil {
		named, _ := l.entry.Message.Data()
		data := bytes.NewReader(l.large)
		if err := im.node.Store.Tenant(im.tenant).PutData(ctx, named.CID, data); err != nil {
			return err
		}
		// Data that is held already is not read.
		if r.Outcome == store.Duplicate && data.Len() == 0 {
			r.Outcome = store.DataAdded
		}
	}
	var entry *store.EntryError // its number in the batch tells a person nothing
	switch {
	case errors.As(r.Err, &entry):
		im.refuse(l.number, entry.Err)
	case r.Err != nil:
		im.refuse(l.number, r.Err)
	case r.Outcome == store.Accepted:
		im.count.Accepted++
	case r.Outcome == store.DataAdded:
		im.count.DataAdded++
	default:
		im.count.Duplicates++
	}
	return nil
}

func (im *importer) refuse(number int, err error) {
	if im.count.Refused++; im.count.Refused <= maxReported {
		fmt.Fprintf(im.std.err, "line %d: %v\n", number, err)
	}
}

func (im *importer) report(asJSON bool) error {
	c := im.count
	if asJSON {
		if err := printJSON(im.std, c); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(im.std.out, "%d lines: %d accepted, %d duplicates, %d data added, %d requests skipped, %d refused\n",
			c.Lines, c.Accepted, c.Duplicates, c.DataAdded, c.Skipped, c.Refused)
	}
	if c.Refused > 0 {
		return fmt.Errorf("%d lines were refused", c.Refused)
	}
	return nil
}
