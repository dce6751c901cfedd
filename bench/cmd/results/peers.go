package main

// quoted is a figure of another system, from one run of its own code.
type quoted struct {
	n, d       float64
	divergence string
	peer       string
	bytes      float64
	roundTrips int
	remark     string
}

const quotedSource = `Figures marked *quoted* were not measured by this run. They were measured once, on 2026-11-22 on another virtual
machine, by driving the peers' own code: yangl1996/riblt at 297bf35 (cells of 8-byte symbols, 8 bytes of check and a varint count),
hoytech/negentropy at 6edb041 (protocol v1, 32-byte IDs, no frame limit) and bitcoin-core/minisketch at d1e6bb8 (64-bit field, capacity
set to d, which a real run does not know). They count the peers' messages in both directions, without transport. One set of random IDs, one
seed. Of the d differing items each side lacked half, and both learned the difference; here the initiator lacks all d.`

// quotes are the peers' bytes for a difference that is spread evenly over time.
func quotes() []quoted {
	return []quoted{
		{1e5, 0, "equal", "rateless IBLT", 19, 1, ""},
		{1e5, 0, "equal", "negentropy", 367, 1, ""},
		{1e5, 100, "scattered", "minisketch", 800, 1, "had to be told d"},
		{1e5, 100, "scattered", "rateless IBLT", 2777, 1, ""},
		{1e5, 100, "scattered", "negentropy", 113.5e3, 2, "3.4 kB where only the newest differ"},
		{1e5, 10_000, "scattered", "minisketch", 80e3, 1, "had to be told d; 24 s to decode"},
		{1e5, 10_000, "scattered", "rateless IBLT", 234.9e3, 1, ""},
		{1e5, 10_000, "scattered", "negentropy", 3.06e6, 2, "206 kB where only the newest differ"},
		{1e6, 100, "scattered", "minisketch", 800, 1, "had to be told d; 0.5 s to prepare"},
		{1e6, 100, "scattered", "rateless IBLT", 2755, 1, ""},
		{1e6, 100, "scattered", "negentropy", 168.7e3, 3, "5.3 kB where only the newest differ"},
	}
}
