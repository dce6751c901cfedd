package filters

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// slowSipHash is SipHash-2-4 as its paper writes it down.
func slowSipHash(key [16]byte, text []byte) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])
	v := [4]uint64{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	rounds := func(n int) {
		for range n {
			v[0] += v[1]
			v[2] += v[3]
			v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
			v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
			v[0] = bits.RotateLeft64(v[0], 32)
			v[2] += v[1]
			v[0] += v[3]
			v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
			v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
			v[2] = bits.RotateLeft64(v[2], 32)
		}
	}
	padded := append(append([]byte{}, text...), make([]byte, 8-len(text)%8)...)
	padded[len(padded)-1] = byte(len(text))
	for ; len(padded) > 0; padded = padded[8:] {
		word := binary.LittleEndian.Uint64(padded)
		v[3] ^= word
		rounds(2)
		v[0] ^= word
	}
	v[2] ^= 0xff
	rounds(4)
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

// TestSlowSipHash checks the reference against the worked example in Appendix A of the paper.
func TestSlowSipHash(t *testing.T) {
	var key [16]byte
	var text [15]byte
	for i := range key {
		key[i] = byte(i)
	}
	for i := range text {
		text[i] = byte(i)
	}
	if got, want := slowSipHash(key, text[:]), uint64(0xa129ca6149be45e5); got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
}

func TestSaltKey(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		var salt Salt
		var id [32]byte
		for i := range salt {
			salt[i] = byte(random.Uint32())
		}
		for i := range id {
			id[i] = byte(random.Uint32())
		}
		if got, want := salt.Key(id), slowSipHash(salt, id[:]); got != want {
			t.Fatalf("salt %x, id %x: got %#x, want %#x", salt, id, got, want)
		}
	}
	var salt Salt
	if allocs := testing.AllocsPerRun(100, func() { salt.Key([32]byte{}) }); allocs > 0 {
		t.Errorf("Key allocates %v times", allocs)
	}
}

func TestSaltWord(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 1000 {
		var salt Salt
		binary.LittleEndian.PutUint64(salt[:], random.Uint64())
		binary.LittleEndian.PutUint64(salt[8:], random.Uint64())
		x := random.Uint64() >> (i % 64)
		if got, want := salt.Word(x), slowSipHash(salt, binary.LittleEndian.AppendUint64(nil, x)); got != want {
			t.Fatalf("salt %x, word %#x: got %#x, want %#x", salt, x, got, want)
		}
	}
	var salt Salt
	if allocs := testing.AllocsPerRun(100, func() { salt.Word(1) }); allocs > 0 {
		t.Errorf("Word allocates %v times", allocs)
	}
}

func BenchmarkWord(b *testing.B) {
	salt, x := Salt{1}, uint64(0)
	for b.Loop() {
		x = salt.Word(x)
	}
}
