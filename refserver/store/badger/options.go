package badger

import (
	"fmt"
	"log/slog"

	dgraph "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Options says how to open a store. The zero value is ready to use.
type Options struct {
	// MinFree is how many bytes have to stay free on the disk: with fewer, writes
	// are refused with store.ErrFull, but for what is little and has to work (see store.Quota and
	// store.ErrFull), which needs 192 MiB at most. 0 means DefaultMinFree, below 0 no limit.
	MinFree int64
	// FreeSpace returns the bytes free on the disk that holds dir. Nil asks the
	// operating system, where this package knows how to: Linux and macOS.
	FreeSpace func(dir string) (uint64, error)
	// Quota is what each tenant may have here. The zero value is no limit.
	Quota store.Quota
	// Logger receives what Badger reports. Nil drops it.
	Logger *slog.Logger
}

// DefaultMinFree is the default of Options.MinFree in bytes. What was accepted
// before the limit still has to be moved: up to four memtables are in their logs and
// become tables (128 MiB), and one compaction rewrites up to eight tables of the
// first level (256 MiB) before it may delete them. The rest is for neighbours that
// write to the same disk meanwhile.
const DefaultMinFree = 512 << 20

// minFreeToOpen is what opening a store needs on disk at most: logs that a
// crash left become tables (128 MiB), and one is copied (64 MiB).
const minFreeToOpen = 192 << 20

const (
	memTableSize = 32 << 20
	// chunkSize is how a long value is cut: large data and large messages.
	chunkSize = 256 << 10
)

// settings are Badger's own options for a store in dir.
func settings(dir string, logger *slog.Logger) dgraph.Options {
	opt := dgraph.DefaultOptions(dir).
		WithSyncWrites(true).
		WithDetectConflicts(true).
		WithNumVersionsToKeep(1).
		WithMemTableSize(memTableSize).
		WithNumMemtables(3).
		WithNumLevelZeroTables(4).
		WithNumLevelZeroTablesStall(8).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(64 << 20).
		WithBlockCacheSize(64 << 20).
		WithIndexCacheSize(32 << 20).
		WithVerifyValueChecksum(true).
		// On reading alone, Badger drops the error of a damaged block, and a compaction
		// would then take the table to end at it. So verifyTables reads all blocks before
		// Badger sees them, with a quarter of the processor time of Badger's own way to do
		// it (OnTableAndBlockRead), which takes new memory for each block.
		WithChecksumVerificationMode(options.OnBlockRead).
		WithCompactL0OnClose(true).
		WithLogger(nil)
	if logger != nil {
		opt = opt.WithLogger(reporter{logger})
	}
	return opt
}

// reporter passes Badger's reports on.
type reporter struct{ to *slog.Logger }

func (r reporter) Errorf(f string, args ...any)   { r.to.Error(report(f, args)) }
func (r reporter) Warningf(f string, args ...any) { r.to.Warn(report(f, args)) }
func (r reporter) Infof(f string, args ...any)    { r.to.Debug(report(f, args)) }
func (r reporter) Debugf(string, ...any)          {}

func report(f string, args []any) string {
	const clip = 256
	text := fmt.Sprintf("badger: "+f, args...)
	return text[:min(len(text), clip)]
}
