package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dwn-sync/dwnsync/refserver/store"
)

// quotaFlags are what each tenant may have on this node.
type quotaFlags struct {
	messages *int64
	bytes    *sizeFlag
}

func (f *flags) quota() quotaFlags {
	q := quotaFlags{
		messages: f.Int64("tenant-messages", 0, "how many messages a tenant may have here, whoever sends them; 0 is no limit; import and other commands that write with -dir know none"),
		bytes:    new(sizeFlag),
	}
	f.Var(q.bytes, "tenant-bytes", "`SIZE` of all messages and record data that a tenant may have here, in bytes or with KiB, MiB, GiB or TiB, as -tenant-messages")
	return q
}

func (q quotaFlags) check() error {
	if *q.messages < 0 {
		return fmt.Errorf("%w: -tenant-messages %d is less than 0", errUsage, *q.messages)
	}
	return nil
}

func (q quotaFlags) quota() store.Quota {
	return store.Quota{Messages: *q.messages, Bytes: int64(*q.bytes)}
}

// sizeFlag is a number of bytes.
type sizeFlag int64

// sizeUnits are what may follow a number, each 1024 of the one before.
const sizeUnits = "KiB MiB GiB TiB"

// String returns the size as Set reads it.
func (s *sizeFlag) String() string { return strconv.FormatInt(int64(*s), 10) }

// Set parses a size.
func (s *sizeFlag) Set(text string) error {
	digits, shift := text, 0
	for i, unit := range strings.Fields(sizeUnits) {
		if number, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = number, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return fmt.Errorf("not a size such as 1000000 or 64MiB, with one of %s", sizeUnits)
	}
	*s = sizeFlag(n << shift)
	return nil
}
