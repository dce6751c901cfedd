package engine_test

import (
	"context"
	"fmt"
	"io"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

// Two sets in memory, with nothing between them but bytes. The responder keeps nothing
// between two rounds, so each has a pipe of its own.
func Example_pipe() {
	var phone, cloud enginetest.Set
	phone.Add(enginetest.Payload(1, "both have it"), enginetest.Payload(2, "written on the phone"))
	cloud.Add(enginetest.Payload(1, "both have it"), enginetest.Payload(3, "written elsewhere"))

	pipe := engine.ByteTransport(func(ctx context.Context, request io.Reader) (io.ReadCloser, error) {
		reply, w := io.Pipe()
		go func() { w.CloseWithError(engine.Serve(ctx, &cloud, request, w, engine.RespondOptions{})) }()
		return reply, nil
	})
	report, err := engine.Sync(context.Background(), &phone, pipe, engine.Options{Strategy: engine.StrategySketch})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("received", report.Received, "sent", report.Sent)
	fmt.Println("complete", report.Complete, "equal", report.RootsEqual, phone.Len(), cloud.Len())
	// Output:
	// received 1 sent 1
	// complete true equal true 3 3
}
