package notebook

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/dwn-sync/dwnsync/engine"
)

const mediaType = "application/x-notes"

// Handler answers syncs of b: the frames of a round are the body of a request, those of
// its reply the body of the answer.
func Handler(b *Book, sealer engine.Sealer, failed func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		if err := engine.Serve(r.Context(), b, r.Body, w, engine.RespondOptions{Sealer: sealer}); err != nil {
			failed(err)
		}
	})
}

// Post returns the transport to the Handler at url.
func Post(client *http.Client, url string) engine.ByteTransport {
	return func(ctx context.Context, request io.Reader) (io.ReadCloser, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, request)
		if err != nil {
			return nil, err
		}
		reply, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		if got := reply.Header.Get("Content-Type"); reply.StatusCode != http.StatusOK || got != mediaType {
			reply.Body.Close()
			return nil, fmt.Errorf("%s answers with status %s and %q", url, reply.Status, got)
		}
		return reply.Body, nil
	}
}
