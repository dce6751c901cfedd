package dwn

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/ipfs/go-cid"
)

// Message is a DWN message that has a descriptor with interface, method and a
// valid messageTimestamp. It is immutable and safe for concurrent use.
type Message struct {
	raw        []byte
	body       object // the value that raw encodes
	descriptor object
	id         ID
	time       int64
	author     func() string // asked for often, and it takes decoding a signature's header
}

// encodedData names the member that carries record data beside a message. It is
// part of no CID where it stands at the top.
const encodedData = "encodedData"

// ParseJSON reads one message from the JSON text in which it travels. Numbers
// are read as JavaScript reads them, so that the CID is the reference's. A
// top-level encodedData is dropped: record data travels apart from its message.
//
// It is stricter than JavaScript in two points: a member given twice (of which
// JavaScript would take the last) and text that is not UTF-8 are refused.
// It returns ErrMalformed if text is not one JSON value within MaxMessageSize and
// MaxDepth, ErrNotCanonical for a number without a finite value, and ErrShape if
// the value is no object with a usable descriptor. It keeps nothing of text.
func ParseJSON(text []byte) (*Message, error) {
	if len(text) > MaxMessageSize {
		return nil, fmt.Errorf("%w: %d bytes of JSON, at most %d", ErrMalformed, len(text), MaxMessageSize)
	}
	value, err := decodeJSON(text)
	if err != nil {
		return nil, err
	}
	body, ok := value.(object)
	if !ok {
		return nil, fmt.Errorf("%w: a message is an object, not %s", ErrShape, kindOf(value))
	}
	delete(body, encodedData)
	return newMessage(body)
}

// ParseCBOR reads one message from its canonical DAG-CBOR: the bytes that
// CBOR returns for it, and no others. It keeps a copy of raw.
//
// It returns ErrMalformed if raw is not one CBOR item within MaxMessageSize and
// MaxDepth, ErrNotCanonical if the message has other bytes than these (a
// top-level encodedData included), and ErrShape as ParseJSON does.
func ParseCBOR(raw []byte) (*Message, error) {
	if len(raw) > MaxMessageSize {
		return nil, fmt.Errorf("%w: %d bytes of CBOR, at most %d", ErrMalformed, len(raw), MaxMessageSize)
	}
	value, canonical, err := decodeCBOR(raw)
	if err != nil {
		return nil, err
	}
	body, ok := value.(object)
	if !ok {
		return nil, fmt.Errorf("%w: a message is a map, not %s", ErrShape, kindOf(value))
	}
	if _, ok := body[encodedData]; ok {
		return nil, fmt.Errorf("%w: encodedData is never part of a message", ErrNotCanonical)
	}
	return wrapMessage(body, canonical)
}

// newMessage encodes body, which it takes over, and wraps it.
func newMessage(body object) (*Message, error) {
	raw, err := encodeCBOR(body)
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxMessageSize {
		return nil, fmt.Errorf("%w: %d bytes of DAG-CBOR, at most %d", ErrMalformed, len(raw), MaxMessageSize)
	}
	return wrapMessage(body, raw)
}

func wrapMessage(body object, raw []byte) (*Message, error) {
	m := &Message{raw: raw, body: body, id: sha256.Sum256(raw), author: sync.OnceValue(func() string { return authorOf(body) })}
	var err error
	if m.descriptor, err = body.object("descriptor"); err != nil {
		return nil, err
	}
	for _, field := range []string{"interface", "method"} {
		if _, err := m.descriptor.text(field); err != nil {
			return nil, fmt.Errorf("descriptor: %w", err)
		}
	}
	if m.time, err = m.descriptor.time("messageTimestamp"); err != nil {
		return nil, fmt.Errorf("descriptor: %w", err)
	}
	return m, nil
}

// CBOR returns the canonical DAG-CBOR of m. The caller must not modify it.
func (m *Message) CBOR() []byte { return m.raw }

// AppendJSON appends the JSON text of m, members in canonical order, without
// white space. ParseJSON of it gives the same message.
func (m *Message) AppendJSON(dst []byte) []byte { return appendJSON(dst, m.body) }

// ID returns the digest inside the CID of m.
func (m *Message) ID() ID { return m.id }

// CID returns the CID of m: version 1, dag-cbor, sha2-256.
func (m *Message) CID() cid.Cid { return CIDOf(m.id) }

// Key returns the messageTimestamp of m in microseconds, and its ID.
func (m *Message) Key() Key { return Key{Time: m.time, ID: m.id} }

// Interface returns what the descriptor names as interface, such as "Records".
func (m *Message) Interface() string { return m.descriptor.textOrNone("interface") }

// Method returns what the descriptor names as method, such as "Write".
func (m *Message) Method() string { return m.descriptor.textOrNone("method") }

// is reports whether m is of the kind that interface and method name.
func (m *Message) is(name, method string) bool { return m.Interface() == name && m.Method() == method }
