package dwn_test

import (
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

func Example() {
	m, err := dwn.ParseJSON([]byte(`{
		"descriptor": {
			"messageTimestamp": "2025-01-01T00:00:00.000001Z",
			"interface": "Records", "method": "Delete", "recordId": "bafyreia", "prune": false
		}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	scope, err := dwn.ParseScope([]byte(`{"messageTimestamp": {"from": "2025-01-01T00:00:00.000000Z"}}`))
	fmt.Println(m.CID())
	fmt.Println(m.RecordID(), m.Key().Time, len(m.CBOR()))
	fmt.Println(scope.Matches(m.Attributes()), err)
	fmt.Println(m.CheckStored())
	// Output:
	// bafyreidm33jpiflgglugbi4whk3drwbtxh22s3x5xd2czzo76ydck3gy3i
	// bafyreia 1735689600000001 116
	// true <nil>
	// RecordsDelete: wrong shape of message: authorization is missing
}
