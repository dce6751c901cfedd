package refserver

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// TestDriftUntold: wrong summaries are a fault of this server. Its log says so; an answer,
// and an ERROR frame, names nobody.
func TestDriftUntold(t *testing.T) {
	scope, err := dwn.ParseScope([]byte(`{"author":"did:example:carol","recipient":"did:example:dave"}`))
	if err != nil {
		t.Fatal(err)
	}
	drift := &summaries.DriftError{Scope: scope, Part: summaries.PartMessages}
	for name, err := range map[string]error{
		"alone":   drift,
		"wrapped": fmt.Errorf("position %d: %w", 7, drift),
		"joined":  errors.Join(drift, errors.New("disk")),
	} {
		var log bytes.Buffer
		s := &Server{log: slog.New(slog.NewTextHandler(&log, nil))}
		answer := httptest.NewRecorder()
		s.writeProblem(answer, httptest.NewRequest(http.MethodPost, "/v1/sync", nil), err)
		frames := httptest.NewRecorder()
		s.writeFrames(frames, httptest.NewRequest(http.MethodPost, "/v1/sync", nil), func(yield func(wire.Frame, error) bool) {
			yield(wire.Frame{}, err)
		})
		for told, w := range map[string]*httptest.ResponseRecorder{"answer": answer, "frames": frames} {
			if body := w.Body.String(); strings.Contains(body, "did:") || !strings.Contains(body, "internal") {
				t.Errorf("%s, %s: %s", name, told, body)
			}
		}
		if n := strings.Count(log.String(), summaries.ErrDrift.Error()); answer.Code != http.StatusInternalServerError || n != 2 {
			t.Errorf("%s: status %d; the log tells of drift %d times, want 2: %s", name, answer.Code, n, log.String())
		}
	}
}
