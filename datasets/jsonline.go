package datasets

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// members are the members of a JSON object, unread.
type members map[string]json.RawMessage

// item makes an item of a line, which it keeps. It returns ErrLine.
func (o JSONLinesOptions) item(line []byte) (Item, error) {
	var object members
	if err := json.Unmarshal(line, &object); err != nil {
		return Item{}, fmt.Errorf("%w: %w", ErrLine, err)
	}
	item := Item{Body: line}
	var err error
	if item.Key.Time, err = o.time(object); err != nil {
		return Item{}, err
	}
	if o.ID == "" {
		item.Key.ID = sha256.Sum256(line)
		return item, nil
	}
	var digits string
	if raw := object.find(o.ID); raw == nil || json.Unmarshal(raw, &digits) != nil || len(digits) != 2*len(item.Key.ID) {
		return Item{}, fmt.Errorf("%w: %q is not a text of 64 hexadecimal digits", ErrLine, o.ID)
	}
	if _, err := hex.Decode(item.Key.ID[:], []byte(digits)); err != nil {
		return Item{}, fmt.Errorf("%w: %q: %w", ErrLine, o.ID, err)
	}
	return item, nil
}

// find returns the member at a path, nil if there is none or it is null.
func (m members) find(path string) json.RawMessage {
	name, rest, deeper := strings.Cut(path, ".")
	raw := m[name]
	if string(raw) == "null" {
		return nil
	}
	if !deeper {
		return raw
	}
	var inner members
	if json.Unmarshal(raw, &inner) != nil {
		return nil // something else than an object has no members
	}
	return inner.find(rest)
}

// time returns the microseconds of the first member that holds a time.
func (o JSONLinesOptions) time(object members) (int64, error) {
	for _, path := range o.Time {
		raw := object.find(path)
		if raw == nil {
			continue
		}
		us, err := parseTime(raw, o.Unit)
		if err != nil {
			return 0, fmt.Errorf("%w: %q: %w", ErrLine, path, err)
		}
		return us, nil
	}
	return 0, fmt.Errorf("%w: no time in %q", ErrLine, o.Time)
}

// parseTime returns the microseconds of a JSON text or number.
func parseTime(raw json.RawMessage, unit time.Duration) (int64, error) {
	if raw[0] != '"' {
		return parseNumber(string(raw), unit)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return 0, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, err
	}
	if !strict(text) {
		return 0, fmt.Errorf("%q is no time of RFC 3339", text)
	}
	return t.UnixMicro(), nil
}

// strict reports whether a text that time.Parse takes for a time of RFC 3339 is one:
// it also takes an hour of one digit, a comma in front of the fraction, and zones
// that are off by 24 hours or by 60 minutes.
func strict(text string) bool {
	const hour, seconds = len("2006-01-02T15"), len("2006-01-02T15:04:05")
	if text[hour] != ':' || text[seconds] == ',' {
		return false
	}
	end := len(text)
	return text[end-1] == 'Z' || text[end-len("24:60"):end-len(":60")] < "24" && text[end-len("60"):] < "60"
}

// parseNumber returns the microseconds of a decimal number of units, cut towards
// zero. It is integer arithmetic: 64-bit floating point loses microseconds.
func parseNumber(text string, unit time.Duration) (int64, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if strings.Trim(whole+fraction, "0123456789") != "" || whole == "" {
		return 0, fmt.Errorf("%.40s is no plain number", text)
	}
	factor := unit.Microseconds()
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > math.MaxInt64/factor-1 {
		return 0, fmt.Errorf("%.40s units of %v are out of range", text, unit)
	}
	us := n * factor
	for _, digit := range fraction {
		factor /= 10
		us += int64(digit-'0') * factor
	}
	if negative {
		us = -us
	}
	return us, nil
}
