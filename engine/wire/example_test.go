package wire_test

import (
	"bytes"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

func Example() {
	frame, err := wire.EncodeBody(wire.TypeDone, wire.End{Items: 715})
	if err != nil {
		fmt.Println(err)
		return
	}
	data := frame.Append(nil)
	fmt.Printf("%x\n", data)
	for f, err := range wire.Decode(bytes.NewReader(data)) {
		fmt.Println(f.Type, len(f.Body), err)
	}
	// Output:
	// 82074aa1656974656d731902cb
	// DONE 10 <nil>
}
