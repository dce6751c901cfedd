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
	// Kind and Options are passed to Build.
	Kind    filters.Kind
	Options filters.Options
	// Rate is the false positive rate that the kind states for these options.
	Rate float64

	// Build and Decode are filters.Build and filters.Decode if nil.
	Build  func(filters.Kind, []uint64, filters.Options) (filters.Filter, error)
	Decode func([]byte, filters.Limits) (filters.Filter, error)
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
		{"duplicates", checkDuplicates},
		{"deterministic", checkDeterministic},
		{"slice of the caller", checkCallersSlice},
		{"no allocation", checkNoAllocation},
		{"concurrent use", checkConcurrent},
		{"round trip", checkRoundTrip},
		{"truncated", checkTruncated},
		{"flipped bits", checkFlippedBits},
		{"limits", checkLimits},
		{"hostile fields", checkHostileFields},
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
	build := t.Build
	if build == nil {
		build = filters.Build
	}
	f, err := build(t.Kind, keys, t.Options)
	if err != nil {
		return nil, fmt.Errorf("building from %d keys: %w", len(keys), err)
	}
	if f.Kind() != t.Kind {
		return nil, fmt.Errorf("built a %v, want a %v", f.Kind(), t.Kind)
	}
	return f, nil
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
