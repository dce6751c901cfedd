package refserver

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

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
	body := newPatientReader(w, http.MaxBytesReader(w, r.Body, s.maxBody()))
	frames := wire.NewStream(wire.Decode(body))
	defer frames.Close()
	claims, err := s.readToken(r, body, frames)
	if err != nil {
		return err
	}
	leave, err := s.places.enter(claims.Claims) // after the token: a stranger takes no place
	if err != nil {
		return err
	}
	defer leave()
	head, err := s.readHead(frames)
	if err == nil {
		err = checkHead(claims, head)
	}
	if err != nil {
		return err
	}
	replica, err := s.replica(r.Context(), claims)
	if err != nil {
		return err
	}
	reply, err := engine.Respond(r.Context(), replica, wire.Join(head, frames.Rest()), engine.RespondOptions{
		Limits: s.limits, Random: s.random, Segments: s.segments, Owner: strings.Join([]string{claims.Tenant, claims.Signer, string(claims.Scope.AppendJSON(nil))}, "\x00"),
		Sealer: s.sealer(r.Context(), claims),
	})
	if err != nil {
		return err
	}
	s.tellNonce(w)
	w.Header().Set("Content-Type", MediaType)
	s.writeFrames(w, r, reply)
	return nil
}

// replica returns what a sync is about: exactly the scope that its token is for.
func (s *Server) replica(ctx context.Context, claims auth.InitClaims) (engine.Replica, error) {
	may, err := s.decide(ctx, claims.Claims, claims.Scope, claims.Direction)
	if err != nil {
		return nil, err
	}
	if may != nil && !may.parts[0].Exact {
		return nil, &narrowerError{may.parts[0].Read}
	}
	return s.node.lendReplica(claims.Tenant, claims.Scope, may), nil
}

// maxBody is the longest request: items hardly ever grow when they are
// compressed, and framing is small.
func (s *Server) maxBody() int64 {
	return auth.MaxInitToken + s.limits.SummaryBytes + s.limits.RequestBytes + s.limits.RequestBytes/8 + 2*wire.MaxItem
}

// readToken reads AUTH, within the time that routes gives to strangers, and checks
// that it is signed by who may act for its tenant.
func (s *Server) readToken(r *http.Request, body *patientReader, frames *wire.Stream) (auth.InitClaims, error) {
	body.strange = true
	token, err := frames.Take(wire.TypeAuth)
	if err != nil {
		return auth.InitClaims{}, err
	}
	body.strange = false
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
		if len(head) > int(s.limits.SummaryBytes/wire.MaxBody)+4 {
			return nil, fmt.Errorf("%w: %d frames before the items", wire.ErrTooLarge, len(head))
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
	out := newPatientWriter(w)
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
		if _, err := out.Write(buf); err != nil || r.Context().Err() != nil {
			return
		}
	}
}
