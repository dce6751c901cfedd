package filters

// Memory returns an upper bound of the bytes of memory that f takes. Filters of which
// Apply made one from the other share most of it.
func (f *SegmentedFilter) Memory() int { return f.memory }
