package ribbon

const (
	// MaxBits is the widest fingerprint.
	MaxBits = 32
	// Attempts is the number of ways in which a shard may be hashed.
	Attempts = 64
	// sameSlack is how many attempts have the same number of slots.
	sameSlack = 16

	wholeKeys = 1024 // shards of more keys than that are larger than chance makes them
	denseKeys = 64   // up to that many, a lone shard has no slack
)

// Shards returns the number of shards of a filter of n keys, n at least 1.
func Shards(n int) int { return max(1, (n+shardKeys/2)/shardKeys) }

// Slots returns the number of slots of one of shards shards that has keys keys and
// was solved by an attempt, below Attempts. Each has a few more slots than keys; where
// there are so many keys that luck alone would not do, or luck failed, it has more.
func Slots(keys, shards, attempt int) int {
	slots := keys + 3
	switch {
	case shards > 1:
	case keys <= denseKeys:
		slots = keys
	default:
		slots = keys + 1
	}
	if keys > wholeKeys {
		slots += (keys - wholeKeys) / 8
	}
	if wider := attempt / sameSlack; wider > 0 {
		slots += 1<<(2*wider) + keys>>(5-wider)
	}
	return slots
}

// words returns the number of words that hold the solution of slots slots, with the
// block of zeros behind them that lets every query read two blocks.
func words(slots, width int) int { return ((slots+63)/64 + 1) * width }
