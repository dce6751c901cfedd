package auth

import (
	"context"
	"strings"
)

// Methods resolves each DID by the resolver of its method, such as "key" or "web". It must
// not be changed once it is in use.
type Methods map[string]Resolver

// Resolve implements Resolver. It returns ErrDID for what is no DID, ErrUnsupportedMethod
// for a method without a resolver, and what the resolver returns.
func (m Methods) Resolve(ctx context.Context, did string) (Document, error) {
	if err := CheckDID(did); err != nil {
		return Document{}, err
	}
	method, _, _ := strings.Cut(strings.TrimPrefix(did, "did:"), ":")
	r := m[method]
	if r == nil {
		return Document{}, unsupported(did)
	}
	return r.Resolve(ctx, did)
}
