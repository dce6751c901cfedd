package refserver

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// sync answers POST /v1/sync: it verifies the head of the request, hands the
// frames to the engine, and streams what the engine answers.
func (s *Server) sync(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Content-Type") != MediaType {
		return fmt.Errorf("%w: a sync has %s", errMediaType, MediaType)
	}
	body := &patientReader{control: http.NewResponseController(w), r: http.MaxBytesReader(w, r.Body, s.maxBody())}
	frames := wire.NewStream(wire.Decode(body))
	defer frames.Close()
	claims, err := s.readToken(r, body, frames)
	if err != nil {
		return err
	}
	select { // a stranger takes no place: it is told off before
	case s.syncs <- struct{}{}:
		defer func() { <-s.syncs }()
	default:
		return errBusy
	}
	head, err := s.readHead(frames)
	if err == nil {
		err = checkHead(claims, head)
	}
	if err != nil {
		return err
	}
	replica := s.node.Replica(claims.Tenant, claims.Scope)
	reply, err := engine.Respond(r.Context(), replica, wire.Join(head, frames.Rest()), engine.RespondOptions{Limits: s.limits})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", MediaType)
	s.writeFrames(w, r, reply)
	return nil
}

// maxBody is the longest request: items hardly ever grow when they are
// compressed, and framing is small.
func (s *Server) maxBody() int64 {
	return auth.MaxInitToken + s.limits.SummaryBytes + s.limits.RequestBytes + s.limits.RequestBytes/8 + 2*wire.MaxItem
}

// readToken reads AUTH, for which a client has one deadline in all, and checks that
// it is signed by who may act for its tenant.
func (s *Server) readToken(r *http.Request, body *patientReader, frames *wire.Stream) (auth.InitClaims, error) {
	body.until = time.Now().Add(tokenTime)
	token, err := frames.Take(wire.TypeAuth)
	if err != nil {
		return auth.InitClaims{}, err
	}
	body.until = time.Time{}
	return s.verifier.VerifyInit(r.Context(), string(token.Body))
}

// readHead reads the frames before the items.
func (s *Server) readHead(frames *wire.Stream) ([]wire.Frame, error) {
	var head []wire.Frame
	size := int64(0)
	for {
		f, err := frames.Peek()
		if err == io.EOF || err == nil && f.Type == wire.TypeItems {
			return head, nil
		}
		if err != nil {
			return nil, err
		}
		if size += int64(f.Size()); size > s.limits.SummaryBytes+2*wire.MaxBody {
			return nil, fmt.Errorf("%w: more than %d bytes before the items", wire.ErrTooLarge, s.limits.SummaryBytes)
		}
		head = append(head, f)
		frames.Skip()
	}
}

// checkHead checks that the token was signed for these frames.
func checkHead(claims auth.InitClaims, head []wire.Frame) error {
	if !auth.Digest(wire.Hash(head)).Equal(claims.Frames) {
		return fmt.Errorf("%w: the frames before the items", errHash)
	}
	if len(head) == 0 || head[0].Type != wire.TypeInit {
		return fmt.Errorf("%w: INIT is missing", wire.ErrSequence)
	}
	var init wire.Init
	if err := wire.DecodeBody(head[0], &init); err != nil {
		return err
	}
	if string(init.Direction) != string(claims.Direction) {
		return fmt.Errorf("%w: INIT says %q, the token %q", engine.ErrProtocol, init.Direction, claims.Direction)
	}
	return nil
}

// writeFrames streams a reply. After its first frame an error can only be told
// as an ERROR frame.
func (s *Server) writeFrames(w http.ResponseWriter, r *http.Request, frames iter.Seq2[wire.Frame, error]) {
	control := http.NewResponseController(w)
	var buf []byte
	for f, err := range frames {
		if err != nil {
			p, internal := problemOf(err)
			if internal {
				s.log.Error("sync broke off", "error", err)
			}
			if f, err = wire.EncodeBody(wire.TypeError, wire.Error{Code: p.Code, Text: p.Detail}); err != nil {
				return
			}
		}
		buf = f.Append(buf[:0])
		_ = control.SetWriteDeadline(time.Now().Add(idle)) // not every connection has deadlines
		if _, err := w.Write(buf); err != nil || r.Context().Err() != nil {
			return
		}
		_ = control.Flush() // not every connection can; the end of the reply flushes
	}
}

// patientReader gives a client up that sends nothing for as long as idle, but
// lets it take its time while it sends.
type patientReader struct {
	control *http.ResponseController
	r       io.Reader
	until   time.Time // an end to patience, unless zero
}

func (p *patientReader) Read(b []byte) (int, error) {
	deadline := time.Now().Add(idle)
	if !p.until.IsZero() {
		deadline = p.until
	}
	_ = p.control.SetReadDeadline(deadline) // not every connection has deadlines
	n, err := p.r.Read(b)
	var tooLarge *http.MaxBytesError
	if err != nil && err != io.EOF && !errors.As(err, &tooLarge) {
		err = fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return n, err
}
