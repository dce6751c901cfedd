package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

var (
	errNotObject = errors.New("not one JSON object in UTF-8")
	errBase64    = errors.New("not base64url without padding")
)

// object is a JSON object whose names are exact and each there once. The json
// package by itself matches names in any case and lets the last duplicate win, so
// two readers of one signed text could see different claims.
type object map[string]json.RawMessage

// parseObject reads one JSON object (RFC 8259) with nothing after it. The caller
// has limited the length of text; nesting is limited by encoding/json.
func parseObject(text []byte) (object, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errNotObject
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return nil, errNotObject
	}
	obj := object{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, errNotObject
		}
		if _, twice := obj[name.(string)]; twice {
			return nil, errors.New("a member is there twice")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, errNotObject
		}
		obj[name.(string)] = value
	}
	return obj, nil
}

// only fails if obj has a member whose name is not listed.
func (obj object) only(names ...string) error {
	known := 0
	for _, name := range names {
		if _, ok := obj[name]; ok {
			known++
		}
	}
	if known != len(obj) {
		return fmt.Errorf("members other than %s are not allowed", strings.Join(names, ", "))
	}
	return nil
}

// text returns the string member of that name; ok is false if there is none.
func (obj object) text(name string) (s string, ok bool, err error) {
	raw, ok := obj[name]
	if !ok {
		return "", false, nil
	}
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", true, fmt.Errorf("%q is not a string", name)
	}
	return s, true, nil
}

// must returns the string member of that name, which has to be there and not empty.
func (obj object) must(name string) (string, error) {
	s, _, err := obj.text(name)
	if err == nil && s == "" {
		err = fmt.Errorf("%q is missing", name)
	}
	return s, err
}

// decode64 decodes base64url without padding (RFC 4648 §5), in the one spelling
// that encoding gives. Strict refuses stray bits at the end but, as its
// documentation says, still skips line breaks.
func decode64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errBase64
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errBase64
	}
	return raw, nil
}

func encode64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// decode32 decodes the 43 characters that 32 bytes have in base64url.
func decode32(text string) ([32]byte, error) {
	if len(text) != 43 {
		return [32]byte{}, errors.New("not 32 bytes in base64url without padding")
	}
	raw, err := decode64(text)
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(raw), nil
}
