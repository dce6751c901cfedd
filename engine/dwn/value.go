package dwn

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
)

// The value model of a message: object, []any, string, bool, nil, int64 for
// integers of magnitude up to maxSafeInteger, and float64 for every other finite
// number. One number has one representation, so that equal values have equal
// bytes.
type object map[string]any

// maxSafeInteger is the largest number up to which a JavaScript number is an
// exact integer. The reference writes larger ones as floats.
const maxSafeInteger = 1<<53 - 1

// number returns the representation of a finite JavaScript number. Negative zero
// is the integer zero.
func number(f float64) any {
	if f == math.Trunc(f) && math.Abs(f) <= maxSafeInteger {
		return int64(f)
	}
	return f
}

// kindOf names the JSON type of a value for error texts.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "an array"
	case object:
		return "an object"
	default:
		return "a number"
	}
}

// member returns o[name], which must be of type T, called want in error texts.
func member[T any](o object, name, want string) (T, error) {
	value, present := o[name]
	typed, ok := value.(T)
	switch {
	case !present:
		return typed, fmt.Errorf("%w: %s is missing", ErrShape, name)
	case !ok:
		return typed, fmt.Errorf("%w: %s is %s, want %s", ErrShape, name, kindOf(value), want)
	}
	return typed, nil
}

func (o object) object(name string) (object, error) { return member[object](o, name, "an object") }
func (o object) text(name string) (string, error)   { return member[string](o, name, "a string") }

// textOrNone returns the string o[name], or "" if it is absent or no string.
func (o object) textOrNone(name string) string {
	s, _ := o[name].(string)
	return s
}

// time returns the timestamp o[name] in microseconds.
func (o object) time(name string) (int64, error) {
	s, err := o.text(name)
	if err != nil {
		return 0, err
	}
	us, err := ParseTime(s)
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %v", ErrShape, name, err)
	}
	return us, nil
}

// only returns ErrShape if o has a member that is none of names.
func (o object) only(names ...string) error {
	known := 0
	for _, name := range names {
		if _, ok := o[name]; ok {
			known++
		}
	}
	if known == len(o) {
		return nil
	}
	for name := range o {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%w: unknown member %q", ErrShape, name)
		}
	}
	return nil
}

// names returns the member names of o in canonical order: by length, then
// bytewise.
func (o object) names() []string {
	names := slices.Collect(maps.Keys(o))
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return names
}
