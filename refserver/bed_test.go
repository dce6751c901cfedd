package refserver_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/dwn-sync/dwnsync/refserver/store/badger"
)

// tenantKey returns the key of the generated tenant that tests are about.
func tenantKey(t testing.TB) *auth.Signer {
	t.Helper()
	_, jwk := datasets.GeneratedKey(0)
	return signerOf(t, jwk)
}

func signerOf(t testing.TB, jwk []byte) *auth.Signer {
	t.Helper()
	signer, err := auth.ParseSigner(jwk)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// generated returns n messages of the tenant of tenantKey.
func generated(t testing.TB, n int) []store.Entry {
	t.Helper()
	return generatedBy(t, datasets.GenerateOptions{N: n})
}

func generatedBy(t testing.TB, opt datasets.GenerateOptions) []store.Entry {
	t.Helper()
	var entries []store.Entry
	for m, err := range datasets.Generate(opt) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, store.Entry{Message: m.Message, Data: m.Data})
	}
	return entries
}

// openNode returns an empty node in a folder of the test.
func openNode(t testing.TB) refserver.Node {
	t.Helper()
	s, err := badger.Open(t.TempDir(), badger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return refserver.Node{Store: s}
}

// fill writes entries and fails the test where one is refused.
func fill(t testing.TB, n refserver.Node, tenant string, entries []store.Entry) {
	t.Helper()
	for batch := range slices.Chunk(entries, 64) {
		results, err := n.Write(t.Context(), tenant, batch)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if r.Err != nil {
				t.Fatalf("%s: %v", batch[i].Message.CID(), r.Err)
			}
		}
	}
}

// listen serves n on loopback, for every tenant unless opt has a gate.
func listen(t testing.TB, n refserver.Node, opt refserver.ServerOptions) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	if opt.Gate == nil {
		gate, err := auth.NewGate(auth.GateOptions{Open: true})
		if err != nil {
			t.Fatal(err)
		}
		opt.Gate = gate
	}
	if opt.Origins == nil {
		opt.Origins = []string{url}
	}
	handler, err := refserver.NewServer(n, opt)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	return url
}

func clientOf(t testing.TB, url, tenant string, signer *auth.Signer, transport http.RoundTripper) *refserver.Client {
	t.Helper()
	var httpClient *http.Client
	if transport != nil {
		httpClient = &http.Client{Transport: transport}
	}
	c, err := refserver.NewClient(url, tenant, signer, httpClient)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func keysOf(t testing.TB, n refserver.Node, tenant string) []dwn.Key {
	t.Helper()
	keys, _, err := n.Store.Tenant(tenant).Keys(context.Background(), dwn.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func keysOfEntries(entries ...store.Entry) []dwn.Key {
	var keys []dwn.Key
	for _, e := range entries {
		keys = append(keys, e.Message.Key())
	}
	slices.SortFunc(keys, dwn.Key.Compare)
	return slices.Compact(keys)
}
