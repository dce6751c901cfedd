package store_test

import (
	"fmt"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Two nodes that each made a first secret end with the same one.
func Example() {
	mine := store.Secret{Generation: 1, ID: [16]byte{7}}
	theirs := store.Secret{Generation: 1, ID: [16]byte{3}}
	rotated := store.Secret{Generation: 2, ID: [16]byte{9}}
	fmt.Println(theirs.Beats(mine), mine.Beats(theirs))
	fmt.Println(rotated.Beats(theirs))
	// Output:
	// true false
	// true
}
