package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dwn-sync/dwnsync/datasets"
	"github.com/dwn-sync/dwnsync/refserver"
)

// runSample writes what a first try needs: the shipped messages of one tenant, the
// throw-away key of that tenant, and its DID, which is also a list for -tenants.
func runSample(_ context.Context, s std, f *flags) error {
	out := f.String("out", "", "`folder` for messages.jsonl.gz, key.json and tenant.txt; made if need be")
	if _, err := f.parse(0); err != nil {
		return err
	}
	if err := f.need("out"); err != nil {
		return err
	}
	if err := os.MkdirAll(*out, 0o700); err != nil {
		return err
	}
	tenant := datasets.CorpusTenants()[0]
	jwk, _ := datasets.CorpusKey(tenant)
	n, err := writeMessages(filepath.Join(*out, "messages.jsonl.gz"), tenant)
	err = errors.Join(err,
		os.WriteFile(filepath.Join(*out, "key.json"), append(jwk, '\n'), 0o600),
		os.WriteFile(filepath.Join(*out, "tenant.txt"), []byte(tenant+"\n"), 0o600))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%d messages of one tenant, with its throw-away key, are in %s\n", n, *out)
	return err
}

// writeMessages writes the retained messages of tenant and returns their number.
func writeMessages(name, tenant string) (n int, err error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	zipped := gzip.NewWriter(file)
	lines := json.NewEncoder(zipped)
	for m, err := range datasets.Corpus() {
		if err != nil {
			return n, err
		}
		if m.Tenant != tenant || !m.Retained {
			continue
		}
		if err := lines.Encode(refserver.NewRecord(tenant, m.Message, m.Data)); err != nil {
			return n, err
		}
		n++
	}
	return n, zipped.Close()
}
