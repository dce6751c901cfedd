package enginetest_test

import (
	"fmt"
	"testing"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/enginetest"
)

func Example() {
	var set enginetest.Set
	set.Add(enginetest.Payload(2, "second"), enginetest.Payload(1, "first"), enginetest.Payload(1, "first"))
	fmt.Println(set.Len(), set.Keys()[0].Time)
	// Output: 2 1
}

func TestSet(t *testing.T) {
	var payloads [][]byte
	for i := range 600 {
		payloads = append(payloads, enginetest.Payload(int64(-i), fmt.Sprint(i)))
	}
	for _, keeps := range []bool{false, true} {
		t.Run(fmt.Sprintf("KeepRoot=%t", keeps), func(t *testing.T) {
			enginetest.TestReplica(t, enginetest.Fixture{
				Open:     func(*testing.T) engine.Replica { return &enginetest.Set{KeepRoot: keeps} },
				Payloads: payloads, Bad: []byte("short"), KeepsRoot: keeps,
			})
		})
	}
}
