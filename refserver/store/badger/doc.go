// Package badger keeps a store.Store in a folder of one machine, on the
// embedded key-value store Badger (https://github.com/dgraph-io/badger).
//
// Every write is synced to disk before it returns. That costs about as much for
// one message as for 256, so callers write in batches. Reads run in short
// transactions, Keys over everything excepted, which is one scan of the keys.
//
// Badger writes through memory maps, where a full disk ends the process instead
// of returning an error. So the store refuses to write before the disk is full:
// Options.MinFree.
package badger
