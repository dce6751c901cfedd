package auth

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

func BenchmarkSign(b *testing.B) {
	for _, curve := range curves() {
		b.Run("alg="+curve.Algorithm(), func(b *testing.B) {
			s := testSigner(b, curve, "bench")
			c := testInit(b, s)
			for b.Loop() {
				if _, err := s.SignInit(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A whole check of a token, its key's DID included, up to the replay cache.
func BenchmarkVerifyInit(b *testing.B) {
	for _, curve := range curves() {
		b.Run("alg="+curve.Algorithm(), func(b *testing.B) {
			s := testSigner(b, curve, "bench")
			token, err := s.SignInit(testInit(b, s))
			if err != nil {
				b.Fatal(err)
			}
			v := testVerifier(b)
			for b.Loop() {
				v.opt.Replay = NewReplayCache(2)
				if _, err := v.VerifyInit(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What it costs to refuse what nobody signed.
func BenchmarkRefuse(b *testing.B) {
	s := testSigner(b, Secp256k1, "bench")
	token, err := s.SignInit(testInit(b, s))
	if err != nil {
		b.Fatal(err)
	}
	for name, bad := range map[string]string{"dots": strings.Repeat(".", MaxInitToken), "signature": token[:len(token)-86] + strings.Repeat("A", 86)} {
		b.Run("fault="+name, func(b *testing.B) {
			v := testVerifier(b)
			for b.Loop() {
				if _, err := v.VerifyInit(b.Context(), bad); err == nil {
					b.Fatal("taken")
				}
			}
		})
	}
}

func BenchmarkVerifyMessage(b *testing.B) {
	for _, alg := range []string{"EdDSA", "ES256", "ES256K"} {
		b.Run("alg="+alg, func(b *testing.B) {
			var m *dwn.Message
			for _, v := range messageVectors(b) {
				if strings.HasPrefix(v.Name, "corpus write:comment "+alg+" ") {
					m = parseMessage(b, v.Message)
				}
			}
			for b.Loop() {
				if err := VerifyMessage(b.Context(), Offline{}, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyMessages(b *testing.B) {
	for _, n := range []int{16, 256} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			var batch []*dwn.Message
			vectors := messageVectors(b)
			for i := 0; len(batch) < n; i++ {
				if v := vectors[i%len(vectors)]; *v.Signed {
					batch = append(batch, parseMessage(b, v.Message))
				}
			}
			start := time.Now()
			for b.Loop() {
				for _, err := range VerifyMessages(b.Context(), Offline{}, batch) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(time.Since(start).Microseconds())/float64(b.N*n), "µs/message")
		})
	}
}
