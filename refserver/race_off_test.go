//go:build !race

package refserver

// raced: the race detector is on.
const raced = false
