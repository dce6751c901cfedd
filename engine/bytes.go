package engine

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// ByteTransport is a Transport over whatever carries bytes there and back: one HTTP
// request, a connection for each round, a pipe. The function sends the bytes of a request,
// up to their end, and returns those of the reply; another goroutine may still be sending
// when it returns. From the first frame of the reply on, reading the request gives an
// error. The reply is closed where the engine has read it or gives it up.
//
// The other side answers by [Serve]. Who may ask whom for what is decided around both: the
// bytes tell nothing about it.
type ByteTransport func(ctx context.Context, request io.Reader) (reply io.ReadCloser, err error)

// Exchange carries one round. An ERROR frame in the place of the reply is an error of type
// *wire.Error, which wraps ErrUnsupported too where it says that.
func (t ByteTransport) Exchange(ctx context.Context, head []wire.Frame, items iter.Seq2[wire.Frame, error]) (iter.Seq2[wire.Frame, error], error) {
	request := wire.NewReader(wire.Join(head, items))
	defer request.Close()
	body, err := t(ctx, request)
	if err != nil {
		return nil, err
	}
	// Its first frame shows that the request was read to its end, or refused.
	reply := wire.NewStream(wire.Decode(body))
	if _, err := reply.Peek(); err != nil && err != io.EOF {
		reply.Close()
		body.Close()
		return nil, toldBy(err)
	}
	return func(yield func(wire.Frame, error) bool) {
		defer body.Close()
		defer reply.Close()
		reply.Rest()(yield)
	}, nil
}

// toldBy gives an error of the other side the meaning that its code has here.
func toldBy(err error) error {
	var told *wire.Error
	if errors.As(err, &told) && told.Code == codeUnsupported {
		return errors.Join(err, ErrUnsupported)
	}
	return err
}

// Serve answers one request, whose frames are the bytes of r up to their end, by a reply
// that it writes to w. It is [Respond] for who carries bytes. What w is in the end, whole
// or not, is closed by the caller.
//
// An error is told to the initiator too, by an ERROR frame: with its text where the request
// is at fault, and as "internal" without any where this side is. The error is returned
// in both cases.
func Serve(ctx context.Context, replica Replica, r io.Reader, w io.Writer, opt RespondOptions) error {
	reply, err := Respond(ctx, replica, wire.Decode(r), opt)
	if err == nil {
		err = wire.Encode(w, reply)
	}
	if err != nil {
		if frame, err := errorFrame(err); err == nil {
			_, _ = w.Write(frame.Append(nil)) // if w is what failed, nobody is left to tell
		}
	}
	return err
}

// codeUnsupported tells a summary that the responder does not read.
const codeUnsupported = "unsupported"

// errorFrame returns the ERROR frame that tells err, by the codes of SPEC.md.
func errorFrame(err error) (wire.Frame, error) {
	told := wire.Error{Code: "internal", Text: "the responder failed"}
	for _, k := range []struct {
		err  error
		code string
	}{
		{wire.ErrTooLarge, "too-large"},
		{filters.ErrTooLarge, "too-large"},
		{wire.ErrMalformed, "frame"},
		{wire.ErrSequence, "frame-order"},
		{io.ErrUnexpectedEOF, "truncated"},
		{ErrProtocol, "protocol"},
		{ErrUnsupported, codeUnsupported},
		{filters.ErrMalformed, "filter"},
	} {
		if errors.Is(err, k.err) {
			told = wire.Error{Code: k.code, Text: wire.Printable(err.Error(), maxReason)}
			break
		}
	}
	return wire.EncodeBody(wire.TypeError, told)
}
