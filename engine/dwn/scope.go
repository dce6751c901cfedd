package dwn

import (
	"fmt"
	"strings"
)

// Scope selects messages of one tenant by equality of attributes, by context and
// by time. A field that is absent selects nothing away, so the zero Scope is
// everything. Scopes are comparable: equal scopes select the same.
type Scope struct {
	want     Attributes // "" where absent; Time unused
	from, to bound
}

// bound is an end of a range of time, itself inside the range.
type bound struct {
	set bool
	us  int64
}

// ParseScope reads a scope from one JSON object with any of the members
// interface, method, schema, protocol, protocolPath, recipient, dataFormat,
// recordId, contextId, author (strings) and messageTimestamp (an object with
// from, to or both: timestamps, inclusive). Schema and protocol are normalised,
// see NormalizeURL.
//
// It returns ErrScope, with a text that says what to change, for anything else:
// a scope that was misunderstood would give too much or too little.
func ParseScope(text []byte) (Scope, error) {
	if len(text) > MaxScopeSize {
		return Scope{}, fmt.Errorf("%w: %d bytes, at most %d", ErrScope, len(text), MaxScopeSize)
	}
	value, err := decodeJSON(text)
	if err != nil {
		return Scope{}, fmt.Errorf("%w: %v", ErrScope, err)
	}
	o, ok := value.(object)
	if !ok {
		return Scope{}, fmt.Errorf("%w: a scope is an object such as {\"interface\":\"Records\"}, not %s", ErrScope, kindOf(value))
	}
	var s Scope
	for _, name := range o.names() {
		if err := s.set(name, o[name]); err != nil {
			return Scope{}, err
		}
	}
	if s.from.set && s.to.set && s.from.us > s.to.us {
		return Scope{}, fmt.Errorf("%w: messageTimestamp: from is later than to", ErrScope)
	}
	// Normalising can lengthen a URL. What is sent on must be readable again.
	if n := len(s.AppendJSON(nil)); n > MaxScopeSize {
		return Scope{}, fmt.Errorf("%w: %d bytes with its URLs normalised, at most %d", ErrScope, n, MaxScopeSize)
	}
	return s, nil
}

// scopeField is one member of a scope that selects by equality.
type scopeField struct {
	name  string
	value *string
	isURL bool
}

// fields returns the members of a scope in the order they are written.
func (s *Scope) fields() [10]scopeField {
	w := &s.want
	return [...]scopeField{
		{name: "interface", value: &w.Interface},
		{name: "method", value: &w.Method},
		{name: "schema", value: &w.Schema, isURL: true},
		{name: "protocol", value: &w.Protocol, isURL: true},
		{name: "protocolPath", value: &w.ProtocolPath},
		{name: "recipient", value: &w.Recipient},
		{name: "dataFormat", value: &w.DataFormat},
		{name: "recordId", value: &w.RecordID},
		{name: "contextId", value: &w.ContextID},
		{name: "author", value: &w.Author},
	}
}

// set takes over one member of a scope.
func (s *Scope) set(name string, value any) error {
	if name == "messageTimestamp" {
		return s.setTimes(value)
	}
	for _, field := range s.fields() {
		if field.name == name {
			return field.set(value)
		}
	}
	return fmt.Errorf("%w: unknown member %.80q", ErrScope, name)
}

func (f scopeField) set(value any) error {
	text, ok := value.(string)
	switch {
	case !ok:
		return fmt.Errorf("%w: %s is %s, want a string", ErrScope, f.name, kindOf(value))
	case text == "":
		return fmt.Errorf("%w: %s is empty: leave it out to select everything", ErrScope, f.name)
	case f.isURL:
		normal, err := stableURL(text)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		text = normal
	case f.name == "contextId" && strings.HasSuffix(text, "/"):
		return fmt.Errorf("%w: contextId ends in \"/\": name the context without it", ErrScope)
	}
	*f.value = text
	return nil
}

func (s *Scope) setTimes(value any) error {
	o, ok := value.(object)
	if !ok || len(o) == 0 {
		return fmt.Errorf("%w: messageTimestamp wants an object with from, to or both", ErrScope)
	}
	for _, name := range o.names() {
		end := &s.from
		switch name {
		case "from":
		case "to":
			end = &s.to
		default:
			return fmt.Errorf("%w: messageTimestamp: unknown member %.80q, want from or to", ErrScope, name)
		}
		us, err := o.time(name)
		if err != nil {
			return fmt.Errorf("%w: messageTimestamp: %v", ErrScope, err)
		}
		*end = bound{set: true, us: us}
	}
	return nil
}

// All reports whether s is everything.
func (s Scope) All() bool { return s == Scope{} }

// Matches reports whether a message with these attributes is in the scope. For a
// RecordsDelete they must have been completed by Inherit.
func (s Scope) Matches(a Attributes) bool {
	w := &s.want
	return matches(w.Interface, a.Interface) &&
		matches(w.Method, a.Method) &&
		matches(w.Schema, a.Schema) &&
		matches(w.Protocol, a.Protocol) &&
		matches(w.ProtocolPath, a.ProtocolPath) &&
		matches(w.Recipient, a.Recipient) &&
		matches(w.DataFormat, a.DataFormat) &&
		matches(w.RecordID, a.RecordID) &&
		matches(w.Author, a.Author) &&
		inContext(w.ContextID, a.ContextID) &&
		(!s.from.set || a.Time >= s.from.us) &&
		(!s.to.set || a.Time <= s.to.us)
}

func matches(want, got string) bool { return want == "" || want == got }

// inContext reports whether context is want or below it. The boundary is a "/":
// a record whose ID merely begins alike is elsewhere.
func inContext(want, context string) bool {
	rest, ok := strings.CutPrefix(context, want)
	return want == "" || ok && (rest == "" || rest[0] == '/')
}

// AppendJSON appends the scope as JSON: present members only, in the order that
// ParseScope lists them, values normalised. Equal scopes give equal bytes, and
// ParseScope of them gives the same scope.
func (s Scope) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	members := 0
	for _, field := range s.fields() {
		if *field.value == "" {
			continue
		}
		dst = append(appendText(appendComma(dst, members), field.name), ':')
		dst = appendText(dst, *field.value)
		members++
	}
	if s.from.set || s.to.set {
		dst = append(appendText(appendComma(dst, members), "messageTimestamp"), ':')
		dst = appendTimes(dst, s.from, s.to)
	}
	return append(dst, '}')
}

func appendTimes(dst []byte, from, to bound) []byte {
	dst = append(dst, '{')
	members := 0
	for _, end := range []struct {
		name string
		bound
	}{{"from", from}, {"to", to}} {
		if end.set {
			dst = append(appendText(appendComma(dst, members), end.name), ':')
			dst = appendText(dst, FormatTime(end.us))
			members++
		}
	}
	return append(dst, '}')
}
