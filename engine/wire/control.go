package wire

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/dwn-sync/dwnsync/engine/summary"
)

// Direction says which way items move, seen from the initiator.
type Direction string

// The directions of a sync.
const (
	Pull Direction = "pull" // the initiator ends with the union
	Push Direction = "push" // the responder does
	Both Direction = "both" // both do
)

// Pulls reports whether items move to the initiator.
func (d Direction) Pulls() bool { return d == Pull || d == Both }

// Pushes reports whether items move to the responder.
func (d Direction) Pushes() bool { return d == Push || d == Both }

// Valid reports whether d is one of the directions above.
func (d Direction) Valid() bool { return d.Pulls() || d.Pushes() }

// SecretName names a secret without telling it.
type SecretName struct {
	Generation uint64   `cbor:"generation"`
	ID         [16]byte `cbor:"id"`
}

// Beats reports whether the secret named a is to be kept rather than b: the
// higher generation wins, and of two in one generation the lower ID.
func (a SecretName) Beats(b SecretName) bool {
	if a.Generation != b.Generation {
		return a.Generation > b.Generation
	}
	return bytes.Compare(a.ID[:], b.ID[:]) < 0
}

// Secret is the body of a SECRET frame.
type Secret struct {
	SecretName
	Key [32]byte `cbor:"key"`
}

// Form says how a summary is to be read.
type Form string

// The forms of a summary.
const (
	FormFilter   Form = "filter"   // a filter of package filters over salted keys
	FormSegments Form = "segments" // a segmented filter over segment keys, or a delta to one
	FormIDs      Form = "ids"      // all IDs, 32 bytes each, strictly ascending
	FormSketch   Form = "sketch"   // a summary.Probe; in requests
	FormShorts   Form = "shorts"   // in a reply to FormSketch: short IDs of the initiator's items that the responder lacks
	FormRanges   Form = "ranges"   // roots of buckets (summary.AppendRanges); a reply has parts of those that differ
)

// Summary announces the SUMMARY frames that follow: Size bytes in all.
type Summary struct {
	Form   Form     `cbor:"form"`
	Salt   [16]byte `cbor:"salt"` // zero for FormIDs, FormShorts and FormRanges; of FormSketch, that of its filter
	Size   uint64   `cbor:"size"`
	Base   uint64   `cbor:"base,omitempty"`   // of FormSegments: the generation that a delta starts from; 0: no delta
	Within *Within  `cbor:"within,omitempty"` // of FormFilter and FormIDs: the part of the set that it is of; absent: all
}

// Within is a part of a set: of FormFilter the items whose segment keys under a salt lie
// in some intervals, of FormIDs those in some buckets.
type Within struct {
	Salt      [16]byte `cbor:"salt"`              // of segment keys; zero for FormIDs
	Intervals []byte   `cbor:"intervals"`         // filters.Intervals, at most MaxIntervals bytes; empty for FormIDs
	Buckets   []byte   `cbor:"buckets,omitempty"` // summary.AppendBuckets, at most MaxIntervals bytes; of FormIDs alone
}

// MaxIntervals is the largest number of bytes of the intervals or buckets in a Within, so
// that an ACK that refuses items has room for them.
const MaxIntervals = 256 << 10

// Root is a root as it travels.
type Root struct {
	Count       uint64   `cbor:"count"`
	Fingerprint [32]byte `cbor:"fingerprint"`
}

// Summary returns r as the value that the engine computes with.
func (r Root) Summary() summary.Root {
	return summary.Root{Count: r.Count, Fingerprint: r.Fingerprint}
}

// RootOf returns the wire form of r.
func RootOf(r summary.Root) Root {
	return Root{Count: r.Count, Fingerprint: r.Fingerprint}
}

// Init is the body of an INIT frame, the initiator's half of SYNC_INIT. Tenant
// and scope are no part of it: they stand in the signed AUTH frame.
type Init struct {
	Version   uint64      `cbor:"version"`
	Direction Direction   `cbor:"direction"`
	Secret    *SecretName `cbor:"secret,omitempty"`  // absent: the initiator has none yet
	Root      *Root       `cbor:"root,omitempty"`    // under Secret, absent without one
	Summary   *Summary    `cbor:"summary,omitempty"` // absent: nothing is asked for but the root
	Budget    uint64      `cbor:"budget"`            // bytes of item payloads wanted in one reply at most
	// Cursor is what the responder's last reply to this initiator ended with. Summary is
	// then of what the initiator's log took in since, absent for nothing.
	Cursor []byte `cbor:"cursor,omitempty"`
}

// Refusal says that an item of the request was not stored.
type Refusal struct {
	Index  uint64 `cbor:"index"`  // of the item in the request, from 0
	Reason string `cbor:"reason"` // may be empty: an ACK has room for about a thousand
}

// Ack is the body of an ACK frame. Roots are under the secret it names; where
// the initiator named another, or none, a SECRET frame follows.
type Ack struct {
	Version    uint64     `cbor:"version"`
	Secret     SecretName `cbor:"secret"`
	WantSecret bool       `cbor:"wantSecret"` // the initiator's secret wins and is asked for; the reply ends here
	Root       Root       `cbor:"root"`       // of the whole view, after the request's items were stored
	Through    *Root      `cbor:"through,omitempty"`
	Summary    *Summary   `cbor:"summary,omitempty"` // over what was let through
	Budget     uint64     `cbor:"budget"`            // what the items of the next request may count at most
	Received   uint64     `cbor:"received"`          // items that the request held
	Refused    []Refusal  `cbor:"refused,omitempty"` // those of them that were not stored, ascending
	// Kept is the generation of the segmented filter that the responder keeps, 0 for
	// none. WantSegments tells that it lacks the one that the request's delta starts
	// from and has compared nothing but roots.
	Kept         uint64 `cbor:"kept,omitempty"`
	WantSegments bool   `cbor:"wantSegments,omitempty"`
	// Plan is there where a sketch was too small: the responder then has compared
	// nothing but roots, and sends no items.
	Plan *Plan `cbor:"plan,omitempty"`
	// Cursor is for the initiator's next sync: opaque, sealed by the responder for itself.
	Cursor []byte `cbor:"cursor,omitempty"`
}

// MaxCursor is the length of the longest cursor in bytes.
const MaxCursor = 256

// Plan is what the initiator is advised to send after a sketch that did not decode.
type Plan struct {
	Estimate uint64 `cbor:"estimate"`        // of the items that one side lacks
	Cells    uint64 `cbor:"cells"`           // of the next sketch
	Level    uint64 `cbor:"level,omitempty"` // of the next estimator
	Wide     bool   `cbor:"wide,omitempty"`  // short IDs of 64 bits: the responder's view needs them
	// Bits of a filter over the items in Dense (summary.AppendBuckets), both absent for none.
	Bits  uint64 `cbor:"bits,omitempty"`
	Dense []byte `cbor:"dense,omitempty"`
}

// End is the body of a DONE or MORE frame.
type End struct {
	Items uint64 `cbor:"items"` // sent in this reply
}

// Error is the body of an ERROR frame, and the error that reading one gives.
type Error struct {
	Code string `cbor:"code"`
	Text string `cbor:"text"`
}

// Error returns what the other side wrote, short and without control characters.
func (e *Error) Error() string {
	return fmt.Sprintf("the other side broke off: %s (%s)", Printable(e.Text, maxText), Printable(e.Code, maxText))
}

// maxText is how much of an ERROR frame's text is shown, in bytes.
const maxText = 1000

// Printable returns text fit for a log or a terminal: valid UTF-8 of at most limit
// bytes, every control character replaced.
func Printable(text string, limit int) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if unicode.IsControl(r) {
			r = unicode.ReplacementChar
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

func decodeError(f Frame) error {
	e := new(Error)
	if err := DecodeBody(f, e); err != nil {
		return err
	}
	return e
}

// EncodeBody returns the frame of type t whose body is the DAG-CBOR of v.
func EncodeBody(t Type, v any) (Frame, error) {
	enc, err := encodeMode()
	if err != nil {
		return Frame{}, err
	}
	body, err := enc.Marshal(v)
	if err != nil {
		return Frame{}, fmt.Errorf("%v: %w", t, err)
	}
	if len(body) > MaxBody {
		return Frame{}, fmt.Errorf("%v: %w: %d bytes, at most %d", t, ErrTooLarge, len(body), MaxBody)
	}
	return Frame{Type: t, Body: body}, nil
}

// DecodeBody sets *v from the body of f. It accepts only the bytes that
// EncodeBody makes, so unknown fields, other orders and longer forms are
// ErrMalformed.
func DecodeBody(f Frame, v any) error {
	dec, err := decodeMode()
	if err != nil {
		return err
	}
	if err := dec.Unmarshal(f.Body, v); err != nil {
		return fmt.Errorf("%w: %v: %w", ErrMalformed, f.Type, err)
	}
	again, err := EncodeBody(f.Type, v)
	if err != nil || !bytes.Equal(again.Body, f.Body) {
		return fmt.Errorf("%w: %v: not in canonical form", ErrMalformed, f.Type)
	}
	return nil
}

func encodeMode() (cbor.EncMode, error) {
	return cbor.EncOptions{
		Sort:        cbor.SortLengthFirst,
		IndefLength: cbor.IndefLengthForbidden,
		TagsMd:      cbor.TagsForbidden,
		// null is no byte string: a body with one is not what EncodeBody makes.
		NilContainers: cbor.NilContainerAsEmpty,
	}.EncMode()
}

func decodeMode() (cbor.DecMode, error) {
	return cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   4,
		MaxArrayElements:  1 << 16,
		MaxMapPairs:       16,
	}.DecMode()
}
