package refserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// A requester that is not the tenant is told about data as if there were no other than
// that of the messages which it may read: what a message that it signed itself names is never
// shown to it (see access.shown), and whether that is held already makes no difference
// to what it is told when it sends it.

// readsData returns store.ErrNotFound unless a message that the requester may read, and
// that somebody else signed, names the data c.
func (a *access) readsData(ctx context.Context, c cid.Cid) error {
	for m, err := range a.naming(ctx, c) {
		if err != nil {
			return err
		}
		if a.own(m) {
			continue
		}
		if reads, err := a.reads(ctx, m); err != nil || reads {
			return err
		}
	}
	return fmt.Errorf("data %s: %w", c, store.ErrNotFound)
}

// naming yields the messages that name the data c.
func (a *access) naming(ctx context.Context, c cid.Cid) iter.Seq2[*dwn.Message, error] {
	return func(yield func(*dwn.Message, error) bool) {
		for id, err := range a.tenant.NamedBy(ctx, c) {
			if err != nil {
				yield(nil, err)
				return
			}
			for e, err := range a.tenant.Get(ctx, []dwn.ID{id}) {
				if !yield(e.Message, err) || err != nil {
					return
				}
			}
		}
	}
}

// wantedData yields the data above the inline limit that the requester is asked for: what
// messages of its name, among those that it may read, and it has not sent, whether it is here
// or not. It reads no messages but those that name what the requester has yet to send.
func (a *access) wantedData(ctx context.Context) iter.Seq2[store.Wanted, error] {
	return func(yield func(store.Wanted, error) bool) {
		for owed, err := range a.tenant.WantedOf(ctx, a.signer) {
			if err == nil {
				owed.Size, err = a.largest(ctx, owed.CID)
			}
			if err == nil && owed.Size <= dwn.MaxInlineData {
				continue
			}
			if !yield(owed, err) || err != nil {
				return
			}
		}
	}
}

// largest returns the largest size that messages of the requester's state for the data c,
// among those that it may read, 0 where there are none.
func (a *access) largest(ctx context.Context, c cid.Cid) (size int64, err error) {
	for m, err := range a.naming(ctx, c) {
		if err != nil {
			return 0, err
		}
		if d, _ := m.Data(); m.Signer() != a.signer || d.Size <= size {
			continue
		} else if reads, err := a.reads(ctx, m); err != nil {
			return 0, err
		} else if reads {
			size = d.Size
		}
	}
	return size, nil
}

// putData stores the data that c names and r yields if a message that the requester signed,
// and may push, names it. All of r is read and verified, and noted as sent, whether the data
// is held or not.
func (a *access) putData(ctx context.Context, c cid.Cid, r io.Reader) error {
	sizes, err := a.sizesOf(ctx, c)
	if err != nil {
		return err
	}
	// Held data needs no room, and asks for as much: before the bytes say whether they are it.
	if err := a.tenant.Room(ctx, slices.Max(sizes), true); err != nil {
		return err
	}
	r = a.reader(ctx, io.LimitReader(r, slices.Max(sizes)+1))
	if err = a.verifyData(ctx, c, &sizedReader{r: r, sizes: sizes}); err == nil {
		err = a.tenant.SentBy(ctx, a.signer, c, a.Grants)
	}
	if errors.Is(err, store.ErrDataMismatch) {
		return fmt.Errorf("%w: the bytes are not those of %s", store.ErrDataMismatch, c) // in one wording
	}
	return forbidden(err)
}

// verifyData reads all of r, and stores it unless the data is held. Whether it is, the store
// alone decides: had it been asked before, the data could become held in between.
func (a *access) verifyData(ctx context.Context, c cid.Cid, r io.Reader) error {
	read := &endReader{r: r}
	if err := a.tenant.PutDataUnder(ctx, c, read, a.Grants); err != nil || read.ended {
		return err
	}
	got, _, err := datacid.Of(read) // the data is held, and nothing was read
	if err != nil {
		return fmt.Errorf("read data %s: %w", c, err) // as the store says it
	}
	if got != c {
		return store.ErrDataMismatch
	}
	return nil
}

// endReader notes whether r was read to its end.
type endReader struct {
	r     io.Reader
	ended bool
}

func (e *endReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	e.ended = e.ended || errors.Is(err, io.EOF)
	return n, err
}

// sizedReader fails at its end if it had another number of bytes than one of sizes: the
// store takes what any message states, one that the requester may not read too.
type sizedReader struct {
	r     io.Reader
	sizes []int64
	n     int64
}

func (s *sizedReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.n += int64(n); errors.Is(err, io.EOF) && !slices.Contains(s.sizes, s.n) {
		return n, store.ErrDataMismatch
	}
	return n, err
}

// leasedReader fails once the grants have ended.
type leasedReader struct {
	ctx     context.Context // of the one request that it lives for
	by      *access
	r       io.Reader
	checked time.Time
}

// reader passes the bytes of r on for as long as the grants are good.
func (a *access) reader(ctx context.Context, r io.Reader) io.Reader {
	return &leasedReader{ctx: ctx, by: a, r: r}
}

// Read asks again after a second, and at the end, before the bytes count for anything.
func (l *leasedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if errors.Is(err, io.EOF) || err == nil && time.Since(l.checked) > recheckTime {
		if err := l.by.check(l.ctx); err != nil {
			return 0, err
		}
		l.checked = time.Now()
	}
	return n, err
}

// sizesOf returns the sizes that messages of the requester's state for the data c, and
// store.ErrNotFound where none may be pushed that names it. The request then rests on what lets push
// one of them, that which is good longest.
func (a *access) sizesOf(ctx context.Context, c cid.Cid) (sizes []int64, err error) {
	var by auth.Decision
	for m, err := range a.naming(ctx, c) {
		if err != nil {
			return nil, err
		}
		if m.Signer() != a.signer {
			continue
		}
		first, ok, err := a.tenant.Initial(ctx, m.RecordID())
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if also, may := a.pushing(m, &first); may {
			d, _ := m.Data()
			if sizes = append(sizes, d.Size); len(sizes) == 1 || also.Until > by.Until {
				by = also
			}
		}
	}
	if len(sizes) == 0 {
		return nil, fmt.Errorf("data %s: %w", c, store.ErrNotFound)
	}
	a.use(by)
	return slices.Compact(slices.Sorted(slices.Values(sizes))), nil
}
