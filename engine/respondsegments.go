package engine

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/filters"
)

// readSegments reads a segmented filter, or a delta to one that is kept here. Where
// that is not so, or the delta does not fit it, the initiator is asked for another.
func (r *responder) readSegments(d digest) error {
	if d.head.Within != nil {
		return fmt.Errorf("%w: a segmented filter is of no part", wire.ErrMalformed)
	}
	f, err := r.segmentedFilter(d)
	if err != nil || f == nil {
		return err
	}
	r.segments = &segmentAsked{filter: f, key: segmentedBy(r.opt.hash, d.head.Salt), salt: d.head.Salt}
	r.sieve = sieve{kind: filters.Segmented, size: f.Len(), asked: r.segments}
	return nil
}

func (r *responder) segmentedFilter(d digest) (*filters.SegmentedFilter, error) {
	limits := filterLimits(r.opt.Limits.SummaryBytes)
	if d.head.Base == 0 {
		return decodeSegmented(d.data, limits)
	}
	base, latest := r.opt.Segments.get(r.segmentView(), d.head.Base)
	if base == nil {
		r.ack.WantSegments, r.ack.Kept = true, latest
		return nil, nil
	}
	f, err := base.Apply(d.data, limits)
	if err == nil || errors.Is(err, filters.ErrTooLarge) {
		return f, err
	}
	r.ack.WantSegments = true // what is kept here is not what they think
	return nil, nil
}

func decodeSegmented(data []byte, limits filters.Limits) (*filters.SegmentedFilter, error) {
	f, err := filters.Decode(data, limits)
	if err != nil {
		return nil, err
	}
	if segmented, ok := f.(*filters.SegmentedFilter); ok {
		return segmented, nil
	}
	return nil, fmt.Errorf("%w: a filter of the kind %v in the form %q", wire.ErrMalformed, f.Kind(), wire.FormSegments)
}

func (r *responder) segmentView() segmentView {
	return segmentView{r.opt.Owner, r.init.Summary.Salt}
}

// keepSegments keeps the filter for the next sync, if that can be under the same
// salt: not where the secret that it follows from gives way to another, or is none.
func (r *responder) keepSegments() {
	theirs := r.init.Secret
	if r.segments != nil && theirs != nil && (r.ack.WantSecret || *theirs == r.secret.SecretName) {
		r.ack.Kept = r.opt.Segments.put(r.segmentView(), r.segments.filter)
	}
}

// segmentsDoubt returns what the segmented filter leaves in doubt, nil for everything
// where that takes too long to tell.
func (r *responder) segmentsDoubt() *doubt {
	part := r.segments.doubt()
	if len(part.told.Intervals) > wire.MaxIntervals {
		return nil
	}
	return part
}

// bitsFor returns the bits of a filter that is asked for about so many foreign keys and
// shall with 98 in 100 reject them all: one that lets any through costs a round.
func bitsFor(foreign int) int {
	const least, most = 8, 32
	return min(max(least, bits.Len(uint(max(0, foreign)))+6), most)
}
