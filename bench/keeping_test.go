package bench

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"iter"
	"slices"
	"sync"

	"github.com/dwn-sync/dwnsync/engine"
	"github.com/dwn-sync/dwnsync/engine/summary"
)

// keeper is a Replica that keeps the summaries of its items and a log of what came, in 17
// bytes an item besides the keys, which many keepers can share: ten million fit. Its
// items are some of those keys, known by their index. It is safe for concurrent use.
type keeper struct {
	all []engine.Key // that are ever in it, ascending
	// pause, if set, is called before an item is put, whose summaries are no work of a
	// sync's, and what it returns afterwards.
	pause func() (resume func())

	mu     sync.Mutex
	secret *engine.Secret
	set    *summary.Set // nil without a secret; positions are indices of all
	in     []bool       // by index
	came   []uint32     // indices of what came since mark, in its order
	place  map[uint32]int
	mark   uint64 // position of the log before came
}

// newKeeper returns a keeper of nothing yet, under a secret.
func newKeeper(all []engine.Key, secret engine.Secret) *keeper {
	return &keeper{all: all, secret: &secret, in: make([]bool, len(all))}
}

// lack makes the keeper hold all keys but those of these indices, as if it had never been
// otherwise: positions of before are no longer known, and views of before are void.
func (k *keeper) lack(indices []uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	wanted := make([]bool, len(k.all))
	for i := range wanted {
		wanted[i] = true
	}
	for _, i := range indices {
		wanted[i] = false
	}
	k.mark, k.came, k.place = k.mark+uint64(len(k.came))+1, nil, map[uint32]int{}
	changes := 0
	for i := range wanted {
		if wanted[i] != k.in[i] {
			changes++
		}
	}
	if k.set == nil || changes > len(k.all)/2 {
		k.in = wanted
		return k.build()
	}
	for i := range wanted {
		if wanted[i] == k.in[i] {
			continue
		}
		if err := k.change(uint32(i)); err != nil {
			return err
		}
	}
	return nil
}

// build makes the summaries anew, if there is a secret.
func (k *keeper) build() error {
	k.set = nil
	if k.secret == nil {
		return nil
	}
	set, err := summary.NewSet(summary.Derive(k.secret.Key, nil), summary.SetOptions{})
	if err != nil {
		return err
	}
	var items []summary.SetItem
	for i, held := range k.in {
		if held {
			items = append(items, summary.SetItem{Key: k.all[i], Position: uint32(i)})
		}
	}
	k.set = set
	return set.Build(items)
}

// change makes the key of an index come or go.
func (k *keeper) change(at uint32) error {
	k.in[at] = !k.in[at]
	if k.set == nil {
		return nil
	}
	same := func(position uint32) (bool, error) { return position == at, nil }
	if !k.in[at] {
		return k.set.Remove(k.all[at], same)
	}
	if err := k.set.Insert(k.all[at], at, same); err != nil {
		return err
	}
	for _, b := range k.set.Overfull(1) {
		if err := k.set.Refine(b, k.between(b.First(), b.Last(), len(k.came))); err != nil {
			return err
		}
	}
	return nil
}

// arrive makes keys come that were not there.
func (k *keeper) arrive(indices []uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.take(indices)
}

func (k *keeper) take(indices []uint32) error {
	for _, at := range indices {
		if k.place == nil {
			k.place = map[uint32]int{}
		}
		k.place[at] = len(k.came)
		k.came = append(k.came, at)
		if err := k.change(at); err != nil {
			return err
		}
	}
	return nil
}

// holds reports whether the key of an index was there when so many had come.
func (k *keeper) holds(at uint32, came int) bool {
	if !k.in[at] || came >= len(k.came) {
		return k.in[at]
	}
	place, late := k.place[at]
	return !late || place < came
}

// between returns the keys from from to to that were there when so many had come.
func (k *keeper) between(from, to engine.Key, came int) []engine.Key {
	var keys []engine.Key
	at, _ := slices.BinarySearchFunc(k.all, from, engine.Key.Compare)
	for ; at < len(k.all) && k.all[at].Compare(to) <= 0; at++ {
		if k.holds(uint32(at), came) {
			keys = append(keys, k.all[at])
		}
	}
	return keys
}

// View returns a view with summaries if there is a secret.
func (k *keeper) View(context.Context) (engine.View, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v := keeperView{k, len(k.came)}
	if k.secret == nil {
		return v, nil
	}
	if k.set == nil {
		if err := k.build(); err != nil {
			return nil, err
		}
	}
	return linearView{v, k.set.Snapshot(), *k.secret, k.mark}, nil
}

// Put takes the items that are some of its keys in.
func (k *keeper) Put(_ context.Context, payloads [][]byte) ([]engine.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pause != nil {
		defer k.pause()()
	}
	receipts := make([]engine.Receipt, len(payloads))
	for i, p := range payloads {
		key, err := keyOf(p)
		at, found := slices.BinarySearchFunc(k.all, key, engine.Key.Compare)
		if err == nil && !found {
			err = errPayload
		}
		if receipts[i] = (engine.Receipt{Key: key, Err: err}); err != nil || k.in[at] {
			continue
		}
		if err := k.take([]uint32{uint32(at)}); err != nil {
			return nil, err
		}
	}
	return receipts, nil
}

// Secret returns the secret that is kept, if any.
func (k *keeper) Secret(context.Context) (engine.Secret, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret == nil {
		return engine.Secret{}, false, nil
	}
	return *k.secret, true, nil
}

// KeepSecret keeps offered unless the present secret beats it.
func (k *keeper) KeepSecret(_ context.Context, offered engine.Secret) (engine.Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.secret == nil || offered.Beats(k.secret.SecretName) {
		k.secret, k.set = &offered, nil
	}
	return *k.secret, nil
}

// keeperView is a keeper's view of when so many had come.
type keeperView struct {
	from *keeper
	came int
}

func (v keeperView) Label() []byte { return nil }

func (v keeperView) Keys(ctx context.Context) ([]engine.Key, error) {
	v.from.mu.Lock()
	defer v.from.mu.Unlock()
	if len(v.from.all) == 0 {
		return nil, ctx.Err()
	}
	return v.from.between(v.from.all[0], v.from.all[len(v.from.all)-1], v.came), ctx.Err()
}

func (v keeperView) Items(ctx context.Context, of []engine.Key) iter.Seq2[engine.Item, error] {
	return keySet(nil).Items(ctx, of)
}

// linearView is a keeperView with summaries, those of when it was taken.
type linearView struct {
	keeperView
	snapshot *summary.Snapshot
	secret   engine.Secret
	mark     uint64
}

func (v linearView) Root(ctx context.Context, secret engine.Secret) (engine.Root, bool, error) {
	return v.snapshot.Root(), secret == v.secret, ctx.Err()
}

func (v linearView) Summaries(ctx context.Context, secret engine.Secret) (engine.Summaries, bool, error) {
	return v, secret == v.secret, ctx.Err()
}

func (v linearView) Snapshot() *summary.Snapshot { return v.snapshot }

func (v linearView) Resolve(ctx context.Context, shorts []uint64) (keys []engine.Key, unknown []uint64, err error) {
	v.from.mu.Lock()
	defer v.from.mu.Unlock()
	var found []uint32
	for _, short := range shorts {
		before := len(found)
		found = v.from.set.Resolve(found, short)
		found = append(found[:before], slices.DeleteFunc(found[before:], func(at uint32) bool { return !v.from.holds(at, v.came) })...)
		if len(found) == before {
			unknown = append(unknown, short)
		}
	}
	slices.Sort(found)
	for _, at := range slices.Compact(found) {
		keys = append(keys, v.from.all[at])
	}
	return keys, unknown, ctx.Err()
}

func (v linearView) KeysIn(ctx context.Context, from, to engine.Key) ([]engine.Key, error) {
	v.from.mu.Lock()
	defer v.from.mu.Unlock()
	return v.from.between(from, to, v.came), ctx.Err()
}

func (v linearView) Position() uint64 { return v.mark + uint64(v.came) }

func (v linearView) Since(ctx context.Context, position uint64) (added []engine.Key, removed int, ok bool, err error) {
	if position < v.mark || position > v.Position() {
		return nil, 0, false, ctx.Err()
	}
	v.from.mu.Lock()
	defer v.from.mu.Unlock()
	for _, at := range v.from.came[position-v.mark : v.came] {
		added = append(added, v.from.all[at])
	}
	slices.SortFunc(added, engine.Key.Compare)
	return added, 0, true, ctx.Err()
}

// gcm seals cursors as the reference server does: by AES-256-GCM.
type gcm struct{ cipher.AEAD }

func newSealer() (gcm, error) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return gcm{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return gcm{aead}, err
}

func (g gcm) Seal(plain []byte) ([]byte, error) { return g.AEAD.Seal(nil, nil, plain, nil), nil }

func (g gcm) Open(token []byte) ([]byte, bool) {
	plain, err := g.AEAD.Open(nil, nil, token, nil)
	return plain, err == nil
}
