package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// runExport writes messages with their data in the order of their keys. What it
// writes, import reads.
func runExport(ctx context.Context, s std, f *flags) error {
	dir, tenant, scope := f.dir(), f.tenant(), f.scope()
	if _, err := f.parse(0); err != nil {
		return err
	}
	if err := f.need("dir"); err != nil {
		return err
	}
	nodes, err := openDir(*dir, false)
	if err != nil {
		return err
	}
	defer nodes.Close()
	tenants := []string{*tenant}
	if *tenant == "" {
		tenants = nil
		for did, err := range nodes.Tenants(ctx) {
			if err != nil {
				return err
			}
			tenants = append(tenants, did)
		}
	}
	out := bufio.NewWriter(s.out)
	for _, did := range tenants {
		if err := exportTenant(ctx, s, out, did, nodes.Tenant(did), scope.scope); err != nil {
			return err
		}
	}
	return out.Flush()
}

func exportTenant(ctx context.Context, s std, out *bufio.Writer, did string, tenant store.Tenant, scope dwn.Scope) error {
	keys, err := tenant.Keys(ctx, scope)
	if err != nil {
		return err
	}
	ids := make([]dwn.ID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	for e, err := range tenant.Get(ctx, ids) {
		if err != nil {
			return err
		}
		data, err := dataOf(ctx, s, tenant, e)
		if err != nil {
			return err
		}
		text, err := json.Marshal(refserver.NewRecord(did, e.Message, data))
		if err != nil {
			return err
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// dataOf returns the data of e, nil where none is held or it is too long for a line.
func dataOf(ctx context.Context, s std, tenant store.Tenant, e store.Entry) ([]byte, error) {
	if e.Data != nil || !e.DataHeld {
		return e.Data, nil
	}
	named, _ := e.Message.Data()
	if named.Size > maxLine/2 {
		fmt.Fprintf(s.err, "%s: %d bytes of data are left out: too long for a line\n", e.Message.CID(), named.Size)
		return nil, nil
	}
	r, _, err := tenant.OpenData(ctx, named.CID)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
