package datasets

import (
	"fmt"
	"time"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// GenerateOptions says which messages [Generate] makes. The zero value is 1000
// messages of seed 0 with the defaults below.
type GenerateOptions struct {
	// Seed fixes the tenant and everything random.
	Seed uint64
	// N is how many messages there are, 0 means 1000. The messages of a smaller N
	// are the first ones of a larger; Retained may differ near the end.
	N int
	// Start is the time of the first message, cut to microseconds. The zero value
	// means 2024-01-01T00:00:00Z.
	Start time.Time
	// Interval is the mean time between messages, 0 means one minute. They come in
	// bursts: seven gaps of eight are at most half of it. No two have the same time.
	Interval time.Duration
	// Updates and Deletes are the shares of messages that change or delete a
	// record, Protocol the share of new records that are in a protocol; 1 is all. 0
	// means 0.15, 0.06 and 0.4, negative none. A message that finds no record fit to
	// be changed or deleted begins a new one instead.
	Updates, Deletes, Protocol float64
	// MaxData is the most bytes of record data; small data are more frequent, the
	// mean is a quarter. 0 means 2000, the least is 1. Empty data are only in initial
	// writes of records without parent.
	MaxData int
}

// Defaults of GenerateOptions, and its limits.
const (
	defaultN        = 1000
	defaultInterval = time.Minute
	defaultUpdates  = 0.15
	defaultDeletes  = 0.06
	defaultProtocol = 0.4
	defaultMaxData  = 2000

	maxMaxData  = 1 << 30              // bytes: data are made in memory
	maxInterval = 365 * 24 * time.Hour // what is longer soon leaves the calendar
	wholeShare  = 1 << 30              // parts that make a share of 1; a power of two loses no bits
)

// settings are the options with the defaults filled in, all in integers.
type settings struct {
	seed                       uint64
	n, maxData                 int
	start, interval            int64 // microseconds
	updates, deletes, protocol int64 // parts of wholeShare
}

// settings returns ErrOptions if an option is out of its range.
func (o GenerateOptions) settings() (settings, error) {
	s := settings{seed: o.Seed, n: o.N, maxData: o.MaxData}
	if s.n == 0 {
		s.n = defaultN
	}
	if s.maxData == 0 {
		s.maxData = defaultMaxData
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	s.start = o.Start.UnixMicro()
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	s.interval = o.Interval.Microseconds()
	var err error
	for _, share := range []struct {
		name            string
		value, standard float64
		parts           *int64
	}{
		{"Updates", o.Updates, defaultUpdates, &s.updates},
		{"Deletes", o.Deletes, defaultDeletes, &s.deletes},
		{"Protocol", o.Protocol, defaultProtocol, &s.protocol},
	} {
		if *share.parts, err = parts(share.value, share.standard); err != nil {
			return settings{}, fmt.Errorf("%s: %w", share.name, err)
		}
	}
	return s, s.check(o)
}

// check returns ErrOptions if a number is out of its range.
func (s settings) check(o GenerateOptions) error {
	switch {
	case s.n < 0:
		return fmt.Errorf("%w: N is %d, want 0 or more", ErrOptions, s.n)
	case s.maxData < 1 || s.maxData > maxMaxData:
		return fmt.Errorf("%w: MaxData is %d, want 1 to %d bytes", ErrOptions, s.maxData, maxMaxData)
	case s.interval < 1 || o.Interval > maxInterval:
		return fmt.Errorf("%w: Interval is %v, want 1µs to %v", ErrOptions, o.Interval, maxInterval)
	case s.updates+s.deletes > wholeShare:
		return fmt.Errorf("%w: Updates and Deletes are %v and %v, want a sum of at most 1", ErrOptions, o.Updates, o.Deletes)
	}
	// The seconds are compared first: microseconds wrap around in far years.
	if year := o.Start.UTC().Year(); year < 0 || year > 9999 {
		return fmt.Errorf("%w: Start is in the year %d, want 0 to 9999", ErrOptions, year)
	}
	return nil
}

// parts returns a share as parts of wholeShare.
func parts(share, standard float64) (int64, error) {
	switch {
	case share == 0:
		share = standard
	case share < 0:
		share = 0
	case !(share <= 1): // not a number either
		return 0, fmt.Errorf("%w: a share of %v, want at most 1", ErrOptions, share)
	}
	return int64(share * wholeShare), nil
}

// timestamp returns the timestamp text of us, ErrOptions if that is past the calendar.
func timestamp(us int64) (string, error) {
	text := dwn.FormatTime(us)
	if _, err := dwn.ParseTime(text); err != nil {
		return "", fmt.Errorf("%w: the time of a message is beyond the year 9999", ErrOptions)
	}
	return text, nil
}
