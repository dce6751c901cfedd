package refserver

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/wire"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// The payload of an item is the DAG-CBOR array [message, data]. Data is the bytes
// of record data that travel inline, true where the sender holds data that is
// too long for that and gives it by CID, null where it holds none.
const (
	payloadHead = 0x82 // CBOR: an array of two elements
	payloadNull = 0xf6
	payloadTrue = 0xf5
)

// appendPayload appends the payload of e to dst.
func appendPayload(dst []byte, e store.Entry) []byte {
	dst = append(dst, payloadHead)
	dst = append(dst, e.Message.CBOR()...)
	switch {
	case e.Data != nil:
		return wire.AppendBytes(dst, e.Data)
	case e.DataHeld:
		return append(dst, payloadTrue)
	default:
		return append(dst, payloadNull)
	}
}

// parsePayload reads a payload. It accepts only what appendPayload makes; the
// signature and the data are not checked here.
func parsePayload(payload []byte) (store.Entry, error) {
	var e store.Entry
	if len(payload) < 2 || payload[0] != payloadHead {
		return e, fmt.Errorf("%w: an item is an array of message and data", dwn.ErrMalformed)
	}
	var raw cbor.RawMessage
	rest, err := cbor.UnmarshalFirst(payload[1:], &raw)
	if err != nil {
		return e, fmt.Errorf("%w: item: %w", dwn.ErrMalformed, err)
	}
	if e.Message, err = dwn.ParseCBOR(raw); err != nil {
		return e, err
	}
	e.Data, e.DataHeld, err = parseInline(rest)
	return e, err
}

func parseInline(rest []byte) (data []byte, held bool, err error) {
	if len(rest) == 1 && (rest[0] == payloadNull || rest[0] == payloadTrue) {
		return nil, rest[0] == payloadTrue, nil
	}
	if err := cbor.Unmarshal(rest, &data); err != nil {
		return nil, false, fmt.Errorf("%w: data of an item: %w", dwn.ErrMalformed, err)
	}
	if data == nil || len(data) > dwn.MaxInlineData || string(wire.AppendBytes(nil, data)) != string(rest) {
		return nil, false, fmt.Errorf("%w: data of an item: %d bytes, not in canonical form or more than %d",
			dwn.ErrMalformed, len(data), dwn.MaxInlineData)
	}
	return data, true, nil
}
