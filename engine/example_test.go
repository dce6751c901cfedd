package engine_test

import (
	"context"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

// Two sets in one process. A real transport carries the same frames to another
// machine; package refserver has the one over HTTP.
func Example() {
	var phone, cloud enginetest.Set
	phone.Add(enginetest.Payload(1, "both have it"), enginetest.Payload(2, "written on the phone"))
	cloud.Add(enginetest.Payload(1, "both have it"), enginetest.Payload(3, "written elsewhere"))

	report, err := engine.Sync(context.Background(), &phone, engine.Direct{Replica: &cloud}, engine.Options{
		Strategy:  engine.StrategyFuse,
		Direction: engine.Both,
	})
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
