package dwn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// decodeJSON returns the value of a JSON text. Strings and numbers become what
// JavaScript makes of them: half a surrogate pair is U+FFFD, a number is the
// nearest float64.
func decodeJSON(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: JSON text is not UTF-8", ErrMalformed)
	}
	// The token stream alone would let some bad punctuation and anything after
	// the first value pass.
	if !json.Valid(text) {
		return nil, fmt.Errorf("%w: not one JSON value", ErrMalformed)
	}
	if hasLostHalf(text) {
		return nil, fmt.Errorf("%w: a string ends in two first halves of surrogate pairs", ErrNotCanonical)
	}
	tokens := json.NewDecoder(bytes.NewReader(text))
	tokens.UseNumber()
	return nextValue(tokens, MaxDepth)
}

// hasLostHalf reports whether a string of a valid JSON text ends in two or more
// escaped first halves of surrogate pairs. Everywhere else half a pair is U+FFFD;
// here the reference drops the last one if the string is short, so that no rule
// but a copy of its bug gives its CID.
func hasLostHalf(text []byte) bool {
	halves := 0
	for {
		i := bytes.IndexAny(text, `"\`)
		switch {
		case i < 0:
			return false
		case text[i] == '"' && i == 0 && halves >= 2:
			return true
		case i > 0 || text[i] == '"':
			halves = 0
		}
		if text[i] == '"' {
			text = text[i+1:]
			continue
		}
		if text[i+1] != 'u' {
			halves, text = 0, text[i+2:]
			continue
		}
		unit, _ := strconv.ParseUint(string(text[i+2:i+6]), 16, 16) // valid JSON
		if unit>>10 == 0xd800>>10 {
			halves++
		} else {
			halves = 0
		}
		text = text[i+6:]
	}
}

// nextValue reads one value that may nest depth levels deep.
func nextValue(tokens *json.Decoder, depth int) (any, error) {
	token, err := tokens.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch t := token.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(string(t), 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %.40s has no finite value", ErrNotCanonical, t)
		}
		return number(f), nil
	case json.Delim:
		if depth == 0 {
			return nil, fmt.Errorf("%w: nested deeper than %d", ErrMalformed, MaxDepth)
		}
		if t == '[' {
			return nextArray(tokens, depth-1)
		}
		return nextObject(tokens, depth-1)
	}
	return token, nil
}

func nextArray(tokens *json.Decoder, depth int) (any, error) {
	array := []any{}
	for tokens.More() {
		value, err := nextValue(tokens, depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := tokens.Token()
	return array, err
}

func nextObject(tokens *json.Decoder, depth int) (any, error) {
	o := object{}
	for tokens.More() {
		token, err := tokens.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		name := token.(string)
		if _, ok := o[name]; ok {
			return nil, fmt.Errorf("%w: member %.80q is given twice", ErrMalformed, name)
		}
		if o[name], err = nextValue(tokens, depth); err != nil {
			return nil, err
		}
	}
	_, err := tokens.Token()
	return o, err
}

// appendJSON appends the JSON text of a value of the value model.
func appendJSON(dst []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	case string:
		return appendText(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, element := range v {
			dst = appendJSON(appendComma(dst, i), element)
		}
		return append(dst, ']')
	case object:
		dst = append(dst, '{')
		for i, name := range v.names() {
			dst = append(appendText(appendComma(dst, i), name), ':')
			dst = appendJSON(dst, v[name])
		}
		return append(dst, '}')
	}
	panic(fmt.Sprintf("dwn: %T in a message", value))
}

func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

// appendText appends s as a JSON string, escaping only what JSON must.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		if c < ' ' {
			dst = fmt.Appendf(dst, `\u%04x`, c)
		} else {
			dst = append(dst, '\\', c)
		}
	}
	return append(append(dst, s[start:]...), '"')
}
