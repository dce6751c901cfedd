package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
	"github.com/dwn-sync/dwnsync/engine/wire"
)

// served is the transport to Serve over buffers. It counts the replies that were opened
// and closed.
type served struct {
	replica        engine.Replica
	opened, closed int
	failed         error // of the last Serve
}

func (s *served) transport() engine.ByteTransport {
	return func(ctx context.Context, request io.Reader) (io.ReadCloser, error) {
		var reply bytes.Buffer
		s.failed = engine.Serve(ctx, s.replica, request, &reply, engine.RespondOptions{})
		s.opened++
		return s.count(&reply), nil
	}
}

func (s *served) count(r io.Reader) io.ReadCloser { return counting{r, s} }

type counting struct {
	io.Reader
	of *served
}

func (c counting) Close() error { c.of.closed++; return nil }

// TestByteTransport: a sync over bytes is that over frames, by every strategy.
func TestByteTransport(t *testing.T) {
	for _, strategy := range engine.Strategies() {
		a, b := twenty(t)
		s := &served{replica: b}
		report, err := engine.Sync(t.Context(), a, s.transport(), engine.Options{Strategy: strategy})
		if err != nil || !report.Complete || !report.RootsEqual {
			t.Errorf("%s: %v: %+v", strategy, err, report)
		}
		if s.opened != report.Rounds || s.closed != s.opened {
			t.Errorf("%s: %d replies in %d rounds, %d of them closed", strategy, s.opened, report.Rounds, s.closed)
		}
	}
}

// TestServeTellsErrors: what a responder returns reaches the initiator as its code, with
// the text only where that is of the request.
func TestServeTellsErrors(t *testing.T) {
	sick := errors.New("disk 7 of tenant X is gone")
	for _, c := range []struct {
		name    string
		request []wire.Frame
		view    error
		code    string
		want    error
	}{
		{"broken replica", []wire.Frame{initFrame(t, wire.Init{Version: wire.Version, Direction: wire.Pull})}, sick, "internal", sick},
		{"no INIT", []wire.Frame{{Type: wire.TypeItems}}, nil, "frame-order", wire.ErrSequence},
		{"empty", nil, nil, "frame-order", wire.ErrSequence},
		{"version", []wire.Frame{initFrame(t, wire.Init{Version: 9, Direction: wire.Pull})}, nil, "protocol", engine.ErrProtocol},
		{"form", []wire.Frame{initFrame(t, wire.Init{Version: wire.Version, Direction: wire.Pull, Summary: &wire.Summary{Form: "knot"}})}, nil, "unsupported", engine.ErrUnsupported},
		{"size", []wire.Frame{initFrame(t, wire.Init{Version: wire.Version, Direction: wire.Pull, Summary: &wire.Summary{Form: wire.FormFilter, Size: 1 << 60}})}, nil, "too-large", wire.ErrTooLarge},
		{"malformed", []wire.Frame{{Type: wire.TypeInit, Body: []byte("?")}}, nil, "frame", wire.ErrMalformed},
	} {
		s := &served{replica: sickly{new(enginetest.Set), c.view}}
		_, err := s.transport().Exchange(t.Context(), c.request, noFrames)
		var told *wire.Error
		if !errors.As(err, &told) || told.Code != c.code || !errors.Is(s.failed, c.want) {
			t.Errorf("%s: told %v, failed by %v; want the code %s", c.name, err, s.failed, c.code)
			continue
		}
		if errors.Is(err, engine.ErrUnsupported) != (c.code == "unsupported") {
			t.Errorf("%s: %v is, or is not, ErrUnsupported", c.name, err)
		}
		if strings.Contains(told.Text, "tenant X") || s.closed != 1 {
			t.Errorf("%s: told %q, %d replies closed", c.name, told.Text, s.closed)
		}
	}
}

func initFrame(t *testing.T, init wire.Init) wire.Frame {
	t.Helper()
	f, err := wire.EncodeBody(wire.TypeInit, init)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func noFrames(func(wire.Frame, error) bool) {}

// sickly fails to give views, if it has an error for that.
type sickly struct {
	engine.Replica
	err error
}

func (s sickly) View(ctx context.Context) (engine.View, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.Replica.View(ctx)
}

// TestServeBreaksOff: an error behind the beginning of a reply is told too.
func TestServeBreaksOff(t *testing.T) {
	gone := errors.New("an item is gone")
	b := &lossy{KeysView: engine.KeysView{
		Sorted:  []engine.Key{{Time: 1}},
		Payload: func(context.Context, engine.Key) ([]byte, error) { return nil, gone },
	}}
	s := &served{replica: b}
	var told *wire.Error
	if _, err := engine.Sync(t.Context(), new(enginetest.Set), s.transport(), engine.Options{}); !errors.As(err, &told) || told.Code != "internal" {
		t.Errorf("got %v, want what the responder tells", err)
	}
	if !errors.Is(s.failed, gone) || s.closed != s.opened {
		t.Errorf("Serve returns %v; %d of %d replies are closed", s.failed, s.closed, s.opened)
	}
}

// lossy is a replica of one view.
type lossy struct {
	engine.SecretKeeper
	engine.KeysView
}

func (l *lossy) View(context.Context) (engine.View, error) { return l.KeysView, nil }

func (l *lossy) Put(context.Context, [][]byte) ([]engine.Receipt, error) {
	return nil, errors.New("read-only")
}

// TestByteTransportReadsNoMore: a transport that goes on reading a request behind its back
// gets an error, and no frames of the engine are produced.
func TestByteTransportReadsNoMore(t *testing.T) {
	var late io.Reader
	keep := engine.ByteTransport(func(_ context.Context, request io.Reader) (io.ReadCloser, error) {
		late = request
		return io.NopCloser(strings.NewReader("")), nil
	})
	produced := false
	items := iter.Seq2[wire.Frame, error](func(func(wire.Frame, error) bool) { produced = true })
	if _, err := keep.Exchange(t.Context(), nil, items); err != nil {
		t.Fatal(err)
	}
	if _, err := late.Read(make([]byte, 1)); !errors.Is(err, wire.ErrReaderClosed) || produced {
		t.Errorf("a late read: %v, frames produced: %t", err, produced)
	}
}
