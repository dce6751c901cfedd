package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// runIDs prints the CIDs of a tenant's messages, sorted as text.
func runIDs(ctx context.Context, s std, f *flags) error {
	scope := f.scope()
	nodes, tenant, err := openTenant(f)
	if err != nil {
		return err
	}
	defer nodes.Close()
	cids, err := sortedCIDs(ctx, tenant, scope.scope)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(s.out)
	for _, c := range cids {
		fmt.Fprintln(out, c)
	}
	return out.Flush()
}

// openTenant parses the flags of a command about one tenant of one folder, and
// opens it. The caller closes the store.
func openTenant(f *flags) (store.Store, store.Tenant, error) {
	dir, tenant := f.dir(), f.tenant()
	if _, err := f.parse(0); err != nil {
		return nil, nil, err
	}
	if err := f.need("dir", "tenant"); err != nil {
		return nil, nil, err
	}
	nodes, err := openDir(*dir, false)
	if err != nil {
		return nil, nil, err
	}
	return nodes, nodes.Tenant(*tenant), nil
}

func sortedCIDs(ctx context.Context, tenant store.Tenant, scope dwn.Scope) ([]string, error) {
	keys, _, err := tenant.Keys(ctx, scope)
	if err != nil {
		return nil, err
	}
	cids := make([]string, len(keys))
	for i, k := range keys {
		cids[i] = dwn.CIDOf(k.ID).String()
	}
	slices.Sort(cids)
	return cids, nil
}

// runRoot prints what two nodes can compare without a secret: the number of
// messages and the SHA-256 over their 32-byte IDs in ascending order.
func runRoot(ctx context.Context, s std, f *flags) error {
	nodes, tenant, err := openTenant(f)
	if err != nil {
		return err
	}
	defer nodes.Close()
	keys, _, err := tenant.Keys(ctx, dwn.Scope{})
	if err != nil {
		return err
	}
	slices.SortFunc(keys, func(a, b dwn.Key) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	hash := sha256.New()
	for _, k := range keys {
		hash.Write(k.ID[:])
	}
	_, err = fmt.Fprintf(s.out, "%d %x\n", len(keys), hash.Sum(nil))
	return err
}
