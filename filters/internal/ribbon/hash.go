package ribbon

import "math/bits"

const (
	// width is the number of coefficients of an equation.
	width = 64
	// shardKeys is the mean number of keys in a shard. More would cost attempts, as the
	// backlog of an elimination is a random walk that must stay below width; fewer
	// would cost slack and metadata.
	shardKeys = 512
	// edge is how many of the width-1 places by which an equation could stand out are
	// cut off at the left end of a shard. The first slots would lack equations without
	// it. About half of them on either side makes the most attempts succeed.
	edge = 30

	mixFactor     = 0xd6e8feb86659fd93
	startFactor   = 0x9e3779b97f4a7c15
	attemptFactor = 0xa0761d6478bd642e // even, so that every sum with startFactor is odd
	coefFactor    = 0xc28f82822b650bed
	printFactor   = 0x9fb21c651e98df25
)

// mix is a bijection that makes keys look uniform, whatever they share.
func mix(key uint64) uint64 {
	key ^= key >> 32
	key *= mixFactor
	key ^= key >> 32
	key *= mixFactor
	return key ^ key>>32
}

// shardOf returns the shard, below shards, of a mixed key.
func shardOf(hash, shards uint64) uint64 {
	return hash >> 32 * shards >> 32
}

// equation returns what an attempt demands of the slots of a shard of m slots: the
// sum of those that coef selects, whose bit i stands for slot start+i, has to be the
// fingerprint, which is the upper bits of print. No coefficient is beyond slot m-1.
func equation(hash, attempt, m uint64) (start, coef, print uint64) {
	g := hash * (startFactor + attempt*attemptFactor)
	start = uint64(max(0, min(int64(g>>32*m>>32)-edge, int64(m)-width)))
	g ^= g >> 32
	c := g * coefFactor
	c ^= c >> 32
	return start, c >> (width - min(m, width)), c * printFactor
}

// parity returns the sum of the bits of x.
func parity(x uint64) uint64 { return uint64(bits.OnesCount64(x)) & 1 }
