//go:build !race

package summary_test

// manyItems is what the numbers of a tree are promised for.
const manyItems = 1_000_000

// raced tells that the race detector looks on.
const raced = false
