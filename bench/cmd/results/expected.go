package main

import "slices"

// quickSeeds is the first seed of a quick form: that of a whole one is 0, so no sync of
// the one is a replay of the other's.
const quickSeeds = 1000

// leftOut reports whether a quick form does not measure what a finding is about.
func (f finding) leftOut() bool {
	switch f.file {
	case "peers":
		return !slices.Contains([]string{"1000", "100000"}, f.n)
	case "quality":
		return f.n == "1000000" || f.n == "10000000"
	case "segments":
		return f.n != "10000"
	case "links":
		return f.n != "" && f.n != "1000" && f.n != "10000"
	case "lost":
		return !slices.Contains([]string{"bloom", "bloom-kept", "fuse8", "ribbon"}, f.filter) ||
			f.n != "10000" || f.d != "1" && f.d != "1000"
	case "reconcile":
		return f.n == "1000000" || f.n == "100000" && f.d != "100"
	case "summaries":
		return f.n == "1000000"
	case "strategies":
		return f.n != "10000"
	case "real":
		return f.data != "corpus"
	}
	return false
}
