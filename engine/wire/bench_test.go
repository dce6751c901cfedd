package wire_test

import (
	"fmt"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/wire"
)

// BenchmarkItems is the cost of a reply of n small items: mostly what the codec
// allocates where n is small.
func BenchmarkItems(b *testing.B) {
	for _, n := range []int{1, 100, 10000} {
		var payloads [][]byte
		for i := range n {
			payloads = append(payloads, fmt.Appendf(nil, "{\"n\":%d,\"text\":\"%x\"}", i, i*i*7919))
		}
		b.Run(fmt.Sprintf("encode/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				collect(b, wire.EncodeItems(seq(payloads...)))
			}
		})
		frames := collect(b, wire.EncodeItems(seq(payloads...)))
		b.Run(fmt.Sprintf("decode/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeItems(frames, 1<<30); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
