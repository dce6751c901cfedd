package summaries_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
	"github.com/dwn-sync/dwnsync/refserver/summaries"
)

// What a view says follows the writes.
func Example() {
	dir, err := os.MkdirTemp("", "dwnsync")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s, err := badger.Open(dir, badger.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	k := summaries.Open(s, summaries.Options{})
	defer func() { _ = k.Close() }()

	ctx, secret := context.Background(), store.Secret{Key: [32]byte{7}}
	for m, err := range datasets.Generate(datasets.GenerateOptions{N: 3}) {
		if err != nil {
			log.Fatal(err)
		}
		if _, err := s.Tenant("did:example:alice").Put(ctx, []store.Entry{{Message: m.Message}}); err != nil {
			log.Fatal(err)
		}
		view, err := k.View(ctx, "did:example:alice", dwn.Scope{}, secret)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(view.Position, view.Root.Count)
	}
	// Output:
	// 1 1
	// 2 2
	// 3 3
}
