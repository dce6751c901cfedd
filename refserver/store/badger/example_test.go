package badger_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

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

	m, err := dwn.ParseJSON([]byte(`{
		"descriptor": {
			"interface": "Records", "method": "Delete", "prune": false,
			"messageTimestamp": "2025-01-01T12:00:00.000000Z", "recordId": "some record"
		},
		"authorization": {"signature": {
			"payload": "eyJkZXNjcmlwdG9yQ2lkIjoieCJ9",
			"signatures": [{"protected": "eyJraWQiOiJkaWQ6ZXhhbXBsZTphbGljZSMwIiwiYWxnIjoiRWREU0EifQ", "signature": "AAAA"}]
		}}
	}`))
	if err != nil {
		log.Fatal(err)
	}
	alice := s.Tenant("did:example:alice")
	for range 2 {
		outcomes, err := alice.Put(context.Background(), []store.Entry{{Message: m}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(outcomes)
	}
	keys, _, err := alice.Keys(context.Background(), dwn.Scope{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(keys), dwn.FormatTime(keys[0].Time))
	// Output:
	// [accepted]
	// [duplicate]
	// 1 2025-01-01T12:00:00.000000Z
}
