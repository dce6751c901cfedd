//go:build race

package summary_test

// manyItems is smaller than it should be, because the race detector makes all ten times
// slower and the tests that use it have one goroutine.
const manyItems = 100_000

// raced tells that the race detector looks on. It has the compiler leave out what spares
// crypto/sha256 an allocation whenever a state is marshalled.
const raced = true
