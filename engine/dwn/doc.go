// Package dwn makes items of DWN messages: their canonical bytes, CID, key,
// shape and scope.
//
// A message travels as JSON and is kept as canonical DAG-CBOR. JSON text is
// never compared or hashed: key order and spelling change on every trip through
// a node, the DAG-CBOR does not. The reference is the TypeScript SDK
// @tbd54566975/dwn-sdk-js; the golden vectors under testdata/vectors/dwn hold
// this package to what it makes and made.
//
// Nothing here reads a clock, disk or network, resolves a DID or checks a
// signature: a Message is well formed, not genuine. All values are immutable and
// safe for concurrent use.
package dwn

import (
	"errors"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// ID is the SHA-256 digest inside a message's CID.
type ID = summary.ID

// Key is (messageTimestamp in microseconds, ID), the order of all messages.
type Key = summary.Key

const (
	// MaxMessageSize is the most bytes of JSON text, and of canonical DAG-CBOR,
	// that a message may have.
	MaxMessageSize = 1 << 20
	// MaxInlineData is the most bytes of record data that travel with their
	// message; longer data is fetched by its CID.
	MaxInlineData = 30000
	// MaxDepth is how deep arrays and objects may nest, the message itself
	// counted. The reference needs 9 for its ordinary messages and about 20 for
	// a protocol of the ten levels it allows.
	MaxDepth = 32
	// MaxScopeSize is the most bytes of JSON text that a scope may have.
	MaxScopeSize = 16 << 10
)

// The kinds of error; every error of this package wraps exactly one of them.
var (
	// ErrMalformed: not JSON, not CBOR, too deep or too large, not a CID of a
	// message, not a timestamp.
	ErrMalformed = errors.New("malformed")
	// ErrNotCanonical: CBOR that is not the one canonical form of its value, or a
	// value that canonical DAG-CBOR cannot hold.
	ErrNotCanonical = errors.New("not canonical DAG-CBOR")
	// ErrShape: a field that messages of this kind must have is absent or has the
	// wrong form.
	ErrShape = errors.New("wrong shape of message")
	// ErrNotStored: a request, such as a query, or an unknown kind: no node keeps it.
	ErrNotStored = errors.New("not a kind of message that nodes store")
	// ErrScope: a scope that cannot be understood exactly.
	ErrScope = errors.New("invalid scope")
)
