package auth

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// maxResolving is how long the messages of one batch may wait for documents, all together:
// who sends a batch can name a slow host in each of them.
const maxResolving = 30 * time.Second

// VerifyMessages verifies every message like VerifyMessage, with GOMAXPROCS
// goroutines that end before it returns, and resolves every DID once. After 30 seconds
// it fetches no more documents: messages that need one are ErrUnresolved. The errors
// are in the order of the messages.
func VerifyMessages(ctx context.Context, r Resolver, messages []*dwn.Message) []error {
	errs := make([]error, len(messages))
	bounded, cancel := context.WithTimeout(ctx, maxResolving)
	defer cancel()
	once := &onceResolver{bounded: bounded, resolver: r, seen: map[string]func() (Document, error){}}
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
	bounded  context.Context // of the batch, with the time that is left for documents
	resolver Resolver
	mu       sync.Mutex
	seen     map[string]func() (Document, error)
}

// Resolve implements Resolver.
func (o *onceResolver) Resolve(ctx context.Context, did string) (Document, error) {
	o.mu.Lock()
	resolve, ok := o.seen[did]
	if !ok {
		resolve = sync.OnceValues(func() (Document, error) {
			doc, err := o.resolver.Resolve(o.bounded, did)
			if isContext(err) && ctx.Err() == nil {
				err = unresolved(did)
			}
			return doc, err
		})
		o.seen[did] = resolve
	}
	o.mu.Unlock()
	return resolve()
}
