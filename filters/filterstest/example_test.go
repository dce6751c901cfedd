package filterstest_test

import (
	"fmt"

	"github.com/dwn-sync/dwnsync/filters/filterstest"
)

func ExampleKeys() {
	a, b := filterstest.Keys(1, 3), filterstest.Keys(1, 5)
	fmt.Println(len(a), a[2] == b[2])
	// Output: 3 true
}
