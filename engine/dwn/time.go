package dwn

import (
	"fmt"
	"strings"
	"time"
)

// timeLayout is the one form of timestamps: always UTC, always six digits of a
// second, so that texts sort as times do.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// leapSecond is how the second inserted at the end of a day is written.
const leapSecond = "T23:59:60."

// FormatTime returns the timestamp of a number of microseconds since
// 1970-01-01T00:00:00Z. Years outside 0 to 9999 have a form that ParseTime refuses.
func FormatTime(us int64) string {
	return time.UnixMicro(us).UTC().Format(timeLayout)
}

// ParseTime returns the microseconds since 1970-01-01T00:00:00Z of a timestamp
// of the exact form YYYY-MM-DDThh:mm:ss.ffffffZ. Any instant of a leap second,
// which the reference takes on every day, is the last microsecond before it: the
// order of texts is kept. It returns ErrMalformed for anything else.
func ParseTime(s string) (int64, error) {
	if len(s) != len(timeLayout) {
		return 0, fmt.Errorf("%w: timestamp %.40q, want YYYY-MM-DDThh:mm:ss.ffffffZ", ErrMalformed, s)
	}
	text := s
	leap := strings.HasPrefix(s[10:], leapSecond)
	if leap {
		if strings.Trim(s[20:26], "0123456789") != "" {
			return 0, fmt.Errorf("%w: timestamp %.40q", ErrMalformed, s)
		}
		text = s[:10] + "T23:59:59.999999" + s[26:]
	}
	t, err := time.Parse(timeLayout, text)
	if err != nil || t.Format(timeLayout) != text {
		return 0, fmt.Errorf("%w: timestamp %.40q, want YYYY-MM-DDThh:mm:ss.ffffffZ", ErrMalformed, s)
	}
	return t.UnixMicro(), nil
}
