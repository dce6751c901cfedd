package refserver_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// A cloud node serves a tenant, and a node at home that is not reachable from
// outside pulls and pushes.
func Example() {
	did, jwk := datasets.GeneratedKey(0)
	signer, err := auth.ParseSigner(jwk)
	if err != nil {
		log.Fatal(err)
	}
	cloud, home := open(), open()
	gate, err := auth.NewGate(auth.GateOptions{Allowed: []string{did}})
	if err != nil {
		log.Fatal(err)
	}
	listener := httptest.NewUnstartedServer(nil)
	url := "http://" + listener.Listener.Addr().String()
	handler, err := refserver.NewServer(cloud, refserver.ServerOptions{Origins: []string{url}, Gate: gate})
	if err != nil {
		log.Fatal(err)
	}
	listener.Config.Handler = handler
	listener.Start()
	defer listener.Close()

	client, err := refserver.NewClient(url, did, signer, nil)
	if err != nil {
		log.Fatal(err)
	}
	result, err := client.Sync(context.Background(), home, refserver.SyncOptions{})
	fmt.Println(result.Complete, result.RootsEqual, err)
	// Output: true true <nil>
}

func open() refserver.Node {
	dir, err := os.MkdirTemp("", "dwnsync-example-")
	if err != nil {
		log.Fatal(err)
	}
	s, err := badger.Open(dir, badger.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return refserver.Node{Store: s}
}
