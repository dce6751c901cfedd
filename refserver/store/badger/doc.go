// Package badger keeps a store.Store in a folder of one machine, on the
// embedded key-value store Badger (https://github.com/dgraph-io/badger).
//
// Every write is synced to disk before it returns. That costs about as much for
// one message as for 256, so callers write in batches. Reads run in short
// transactions, but for three: Keys over everything, which is one scan of the keys,
// KeysIn and Fold.
//
// Opening a store reads all of its tables and compares them with their checksums,
// about half a second of processor time per GB, on several cores, and the logs that a
// crash left: a store that is damaged, or lacks what was acknowledged, is refused instead of
// read in part.
//
// Badger writes through memory maps, where a full disk ends the process instead
// of returning an error. So the store refuses to write before the disk is full:
// Options.MinFree.
package badger
