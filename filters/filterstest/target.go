// Package filterstest is the conformance suite of package filters: what every
// kind of filter has to fulfil, whoever wrote it.
//
// A test calls [Run] with a [Target]; the checks are fixed in their seeds, so a
// result repeats. A check is a function that returns an error, so that a test of
// the suite itself can hand it a broken filter and see it refused.
package filterstest

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
	"slices"
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
)

// Target is what the suite examines: one kind of filter with one set of options.
type Target struct {
	// Kind and Options are passed to Build. Of Options the suite itself sets Distinct
	// and Workers. Where Kind is filters.Smallest, filters may be of any kind.
	Kind    filters.Kind
	Options filters.Options
	// Rate is the false positive rate that the kind states for these options.
	Rate float64
	// Exact says that the kind lets through neither more nor less than Rate.
	Exact bool
	// Steady says that a Builder which built as large a filter before allocates
	// nothing for another one.
	Steady bool

	// Build and Decode are filters.Build and filters.Decode if nil.
	Build  func(filters.Kind, []uint64, filters.Options) (filters.Filter, error)
	Decode func([]byte, filters.Limits) (filters.Filter, error)
	// NewBuilder returns a function like Build that keeps its memory from one call to the
	// next; if nil, that is the method of a new filters.Builder.
	NewBuilder func() func(filters.Kind, []uint64, filters.Options) (filters.Filter, error)
}

// Check is one requirement. Run returns nil if the target meets it.
type Check struct {
	Name string
	Run  func(Target) error
}

// Checks yields all requirements.
func Checks() iter.Seq[Check] {
	return slices.Values([]Check{
		{"small sets", checkSmall},
		{"no false negatives", checkMembers},
		{"awkward sizes", checkAwkwardSizes},
		{"awkward keys", checkAwkwardKeys},
		{"rate", checkRate},
		{"rate of small sets", checkSmallRate},
		{"rate in bits", checkBits},
		{"independent salts", checkSalts},
		{"batch", checkBatch},
		{"short batch result", checkShortBatch},
		{"duplicates", checkDuplicates},
		{"deterministic", checkDeterministic},
		{"distinct", checkDistinct},
		{"broken promise", checkBrokenPromise},
		{"slice of the caller", checkCallersSlice},
		{"workers", checkWorkers},
		{"reused builder", checkReusedBuilder},
		{"steady builder", checkSteadyBuilder},
		{"no allocation", checkNoAllocation},
		{"concurrent use", checkConcurrent},
		{"round trip", checkRoundTrip},
		{"truncated", checkTruncated},
		{"flipped bits", checkFlippedBits},
		{"limits", checkLimits},
		{"hostile fields", checkHostileFields},
		{"memory of decoding", checkDecodeMemory},
	})
}

// Run runs every check against target as a subtest of t.
func Run(t *testing.T, target Target) {
	for check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			if err := check.Run(target); err != nil {
				t.Error(err)
			}
		})
	}
}

func (t Target) build(keys []uint64) (filters.Filter, error) {
	return t.buildWith(keys, t.Options)
}

// encode returns the encoding of a filter built with other options.
func (t Target) encode(keys []uint64, opt filters.Options) ([]byte, error) {
	f, err := t.buildWith(keys, opt)
	if err != nil {
		return nil, err
	}
	return f.AppendTo(nil), nil
}

func (t Target) buildWith(keys []uint64, opt filters.Options) (filters.Filter, error) {
	build := t.Build
	if build == nil {
		build = filters.Build
	}
	f, err := build(t.Kind, keys, opt)
	if err != nil {
		return nil, fmt.Errorf("building from %d keys: %w", len(keys), err)
	}
	if f.Kind() != t.Kind && t.Kind != filters.Smallest {
		return nil, fmt.Errorf("built a %v, want a %v", f.Kind(), t.Kind)
	}
	return f, nil
}

func (t Target) newBuilder() func(filters.Kind, []uint64, filters.Options) (filters.Filter, error) {
	if t.NewBuilder == nil {
		return new(filters.Builder).Build
	}
	return t.NewBuilder()
}

func (t Target) decode(data []byte, limits filters.Limits) (filters.Filter, error) {
	if t.Decode == nil {
		return filters.Decode(data, limits)
	}
	return t.Decode(data, limits)
}

// Keys returns n distinct keys that look uniform, the same ones for the same
// seed: a bijection of consecutive multiples of an odd number, with the constants
// of splitmix64.
func Keys(seed uint64, n int) []uint64 {
	keys := make([]uint64, n)
	state := seed * 0xd1342543de82ef95
	for i := range keys {
		state += 0x9e3779b97f4a7c15
		z := (state ^ state>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		keys[i] = z ^ z>>31
	}
	return keys
}

// FixChecksum overwrites the checksum of an encoding with the right one and
// returns it, so that a changed encoding gets past it. Data too short for a
// checksum stays as it is.
func FixChecksum(encoding []byte) []byte {
	if end := len(encoding) - 4; end >= 0 {
		sum := crc32.Checksum(encoding[:end], crc32.MakeTable(crc32.Castagnoli))
		binary.LittleEndian.PutUint32(encoding[end:], sum)
	}
	return encoding
}
