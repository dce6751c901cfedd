package engine_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

// A transport of a caller's own, here over HTTP: one function on this side, Serve on the
// other.
func Example_transport() {
	var phone, cloud enginetest.Set
	phone.Add(enginetest.Payload(1, "written on the phone"))
	cloud.Add(enginetest.Payload(2, "written elsewhere"))

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := engine.Serve(r.Context(), &cloud, r.Body, w, engine.RespondOptions{}); err != nil {
			fmt.Println("for the log of the server:", err)
		}
	}))
	defer server.Close()
	post := engine.ByteTransport(func(ctx context.Context, request io.Reader) (io.ReadCloser, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, request)
		if err != nil {
			return nil, err
		}
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, err
		}
		return reply.Body, nil
	})
	report, err := engine.Sync(context.Background(), &phone, post, engine.Options{})
	fmt.Println(report.Complete, report.Received, report.Sent, err)
	// Output:
	// true 1 1 <nil>
}
