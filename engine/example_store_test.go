package engine_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/dwn-sync/dwnsync/engine"
)

// notes is a store of a caller's own: texts, which have no time.
type notes struct {
	engine.SecretKeeper
	texts map[engine.Key][]byte
}

func (n *notes) View(context.Context) (engine.View, error) {
	held := maps.Clone(n.texts) // what is written from now on is in the next view
	return engine.KeysView{
		Sorted:  slices.SortedFunc(maps.Keys(held), engine.Key.Compare),
		Payload: func(_ context.Context, k engine.Key) ([]byte, error) { return held[k], nil },
	}, nil
}

func (n *notes) Put(_ context.Context, texts [][]byte) ([]engine.Receipt, error) {
	receipts := make([]engine.Receipt, len(texts))
	for i, text := range texts {
		receipts[i].Key.ID = sha256.Sum256(text) // and Err, where a text is not to be stored
		n.texts[receipts[i].Key] = text
	}
	return receipts, nil
}

// A store of a caller's own is a Replica by two methods of its own.
func Example_store() {
	home, work := &notes{texts: map[engine.Key][]byte{}}, &notes{texts: map[engine.Key][]byte{}}
	home.Put(context.Background(), [][]byte{[]byte("buy milk"), []byte("call Ada")})
	work.Put(context.Background(), [][]byte{[]byte("call Ada"), []byte("send the invoice")})
	report, err := engine.Sync(context.Background(), home, engine.Direct{Replica: work}, engine.Options{})
	fmt.Println(report.Complete, report.Received, report.Sent, len(home.texts), len(work.texts), err)
	// Output:
	// true 1 1 3 3 <nil>
}
