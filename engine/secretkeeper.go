package engine

import (
	"context"
	"sync"
)

// SecretKeeper keeps a secret in memory: the half of a Replica that has nothing to do with
// its items, for one that embeds it. The zero value keeps none; it is safe for concurrent
// use.
//
// A secret that is lost with the process costs rounds and summaries, no items: the next
// sync brings another one, and what is kept under a secret (roots, summaries, cursors) is
// made anew. A Replica that keeps such things durably keeps its secret so too, and writes
// these two methods itself.
type SecretKeeper struct {
	mu     sync.Mutex
	secret *Secret
}

// Secret returns the secret that KeepSecret kept.
func (k *SecretKeeper) Secret(context.Context) (Secret, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret == nil {
		return Secret{}, false, nil
	}
	return *k.secret, true, nil
}

// KeepSecret keeps offered unless the present secret beats it.
func (k *SecretKeeper) KeepSecret(_ context.Context, offered Secret) (Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret == nil || offered.Beats(k.secret.SecretName) {
		k.secret = &offered
	}
	return *k.secret, nil
}
