package auth

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// VerifyMessages verifies every message like VerifyMessage, with GOMAXPROCS
// goroutines that end before it returns, and resolves every DID once. The errors
// are in the order of the messages.
func VerifyMessages(ctx context.Context, r Resolver, messages []*dwn.Message) []error {
	errs := make([]error, len(messages))
	once := &onceResolver{resolver: r, seen: map[string]func() (Document, error){}}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(messages)) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(messages) {
					return
				}
				if errs[i] = ctx.Err(); errs[i] == nil {
					errs[i] = VerifyMessage(ctx, once, messages[i])
				}
			}
		})
	}
	workers.Wait()
	return errs
}

// onceResolver asks another resolver once for every DID, for as long as one batch
// lasts: so it needs no limit and never serves what is out of date.
type onceResolver struct {
	resolver Resolver
	mu       sync.Mutex
	seen     map[string]func() (Document, error)
}

// Resolve implements Resolver.
func (o *onceResolver) Resolve(ctx context.Context, did string) (Document, error) {
	o.mu.Lock()
	resolve, ok := o.seen[did]
	if !ok {
		resolve = sync.OnceValues(func() (Document, error) { return o.resolver.Resolve(ctx, did) })
		o.seen[did] = resolve
	}
	o.mu.Unlock()
	return resolve()
}
