package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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
	left := 0
	for _, did := range tenants {
		n, err := exportTenant(ctx, s, out, did, nodes.Tenant(did), scope.scope)
		if err != nil {
			return err
		}
		left += n
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if left > 0 {
		return fmt.Errorf("the data of %d messages was left out: it is too long for a line; sync carries it", left)
	}
	return nil
}

// exportTenant writes one tenant's messages and returns how many went without
// their data.
func exportTenant(ctx context.Context, s std, out *bufio.Writer, did string, tenant store.Tenant, scope dwn.Scope) (left int, err error) {
	keys, _, err := tenant.Keys(ctx, scope)
	if err != nil {
		return 0, err
	}
	ids := make([]dwn.ID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	for e, err := range tenant.Get(ctx, ids) {
		if err != nil {
			return left, err
		}
		data, err := dataOf(ctx, tenant, e)
		if errors.Is(err, errTooLong) {
			left++
			fmt.Fprintf(s.err, "%s: %v\n", e.Message.CID(), err)
		} else if err != nil {
			return left, err
		}
		text, err := json.Marshal(refserver.NewRecord(did, e.Message, data))
		if err != nil {
			return left, err
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			return left, err
		}
	}
	return left, nil
}

var errTooLong = errors.New("its data is too long for a line")

// dataOf returns the data of e, nil where none is held; errTooLong if an import
// could not read the line.
func dataOf(ctx context.Context, tenant store.Tenant, e store.Entry) ([]byte, error) {
	if e.Data != nil || !e.DataHeld {
		return e.Data, nil
	}
	named, _ := e.Message.Data()
	if named.Size > maxLine/2 {
		return nil, fmt.Errorf("%w: %d bytes", errTooLong, named.Size)
	}
	r, _, err := tenant.OpenData(ctx, named.CID)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
