package filters_test

import (
	"testing"

	"github.com/dwn-sync/dwnsync/filters"
	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

func TestConformance(t *testing.T) {
	for _, target := range []struct {
		name string
		filterstest.Target
	}{
		{"bloom", filterstest.Target{Kind: filters.Bloom, Rate: 0x1p-8}},
		{"bloom of rate 0.7", rated(filters.Bloom, 0.7)},
		{"bloom of rate 2^-11.5", rated(filters.Bloom, 0.000345)},
		{"bloom of rate 2^-24", rated(filters.Bloom, 0x1p-24)},
		{"xor8", filterstest.Target{Kind: filters.Xor8, Rate: 0x1p-8}},
		{"fuse8", filterstest.Target{Kind: filters.Fuse8, Rate: 0x1p-8}},
		{"fuse16", filterstest.Target{Kind: filters.Fuse16, Rate: 0x1p-16}},
		{"list", filterstest.Target{Kind: filters.List, Rate: 0x1p-40}},
		{"list of rate 0.9", rated(filters.List, 0.9)},
		{"list of whole keys", rated(filters.List, 0x1p-64)},
	} {
		t.Run(target.name, func(t *testing.T) { filterstest.Run(t, target.Target) })
	}
}

func rated(kind filters.Kind, rate float64) filterstest.Target {
	return filterstest.Target{Kind: kind, Options: filters.Options{FalsePositiveRate: rate}, Rate: rate}
}
