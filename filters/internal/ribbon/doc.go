// Package ribbon solves and queries sharded standard ribbon systems: the mathematics
// of the Ribbon kind of package filters, without its wire form. The comment there, in
// ribbon.go, defines what a filter is.
//
// Keys are spread over shards of about 512. Each key of a shard is an equation over 64
// neighbouring slots of it, and the filter is a solution of all equations: the sum of
// the slots that a key selects is its fingerprint. A shard is solved on its own, by
// another hash function if the first has no solution. Dillinger and Walzer, "Ribbon
// filter: practically smaller than Bloom and Xor", arXiv 2103.02515.
//
// On amd64 with AVX-512 the inner loops are assembly. Each has a twin in Go, which other
// CPUs use and to which FuzzTwins holds it: eliminate512x8 and eliminate, derive512 and
// equation, substitute512 and substitute, locate512 and locateAll, probe512 and probe.
package ribbon
