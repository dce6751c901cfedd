package ribbon

// scatter fills b.hashes with the mixed keys, group after group.
func (b *Builder) scatter(keys []uint64) {
	b.hashes = grown(b.hashes, len(keys))
	b.ends = grown(b.ends, b.groups)
	if b.groups == 1 {
		for i, key := range keys {
			b.hashes[i] = mix(key)
		}
		b.ends[0] = len(keys)
		return
	}
	b.counts = grown(b.counts, len(b.workers)*b.groups)
	clear(b.counts)
	b.keys = keys
	b.each((*Builder).count)
	at := 0
	for g := range b.groups {
		for w := range b.workers {
			count := &b.counts[w*b.groups+g]
			*count, at = at, at+*count
		}
		b.ends[g] = at
	}
	b.each((*Builder).spread)
	b.keys = nil
}

// share returns a worker's share of the keys, and its counts by group.
func (b *Builder) share(w int) (keys []uint64, counts []int) {
	n, all := uint64(len(b.keys)), uint64(len(b.workers))
	return b.keys[uint64(w)*n/all : uint64(w+1)*n/all], b.counts[w*b.groups : (w+1)*b.groups]
}

func (b *Builder) count(w int) {
	keys, counts := b.share(w)
	shards := uint64(b.shards)
	for _, key := range keys {
		counts[shardOf(mix(key), shards)/groupShards]++
	}
}

func (b *Builder) spread(w int) {
	keys, at := b.share(w)
	shards := uint64(b.shards)
	for _, key := range keys {
		hash := mix(key)
		to := &at[shardOf(hash, shards)/groupShards]
		b.hashes[*to] = hash
		*to++
	}
}

// split returns the hashes of a group, shard after shard, in memory of w. Those of the
// i-th shard end at w.ends[i].
func (b *Builder) split(w *worker, group int) []uint64 {
	from := 0
	if group > 0 {
		from = b.ends[group-1]
	}
	hashes := b.hashes[from:b.ends[group]]
	w.ends = [groupShards]int{}
	if b.shards == 1 {
		w.ends[0] = len(hashes)
		return hashes
	}
	shards := uint64(b.shards)
	for _, hash := range hashes {
		w.ends[shardOf(hash, shards)%groupShards]++
	}
	at := 0
	for i, count := range w.ends {
		w.ends[i], at = at, at+count
	}
	w.hashes = grown(w.hashes, len(hashes))
	for _, hash := range hashes {
		to := &w.ends[shardOf(hash, shards)%groupShards]
		w.hashes[*to] = hash
		*to++
	}
	return w.hashes
}
