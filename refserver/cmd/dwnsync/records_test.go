package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver"
	"github.com/dwn-sync/dwnsync/refserver/auth"
)

// largeRecords returns lines with one record for each size of data, in bytes.
func largeRecords(s *auth.Signer, sizes ...int) ([]byte, error) {
	var lines []byte
	for i, size := range sizes {
		data := make([]byte, size)
		for j := range data {
			data[j] = byte(j % 251)
		}
		m, err := newRecord(s, fmt.Sprintf("2025-06-01T12:00:00.%06dZ", i+1), data)
		if err != nil {
			return nil, err
		}
		if lines, err = appendLine(lines, refserver.NewRecord(s.DID(), m, data)); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

func appendLine(lines []byte, r refserver.Record) ([]byte, error) {
	text, err := json.Marshal(r)
	return append(append(lines, text...), '\n'), err
}

// newRecord returns the signed first write of a record without protocol.
func newRecord(s *auth.Signer, now string, data []byte) (*dwn.Message, error) {
	id, size, err := datacid.Of(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	body := map[string]any{"recordId": "unknown", "descriptor": map[string]any{
		"interface": "Records", "method": "Write", "messageTimestamp": now, "dateCreated": now,
		"dataFormat": "application/octet-stream", "dataCid": id.String(), "dataSize": size,
	}}
	// The IDs to sign are those of the message, whatever its signature is.
	draft, err := authorize(s, body, "unknown")
	if err != nil {
		return nil, err
	}
	entry, err := draft.EntryID()
	if err != nil {
		return nil, err
	}
	body["recordId"] = entry.String()
	return authorize(s, body, draft.DescriptorCID().String())
}

// authorize signs body as the author of a write.
func authorize(s *auth.Signer, body map[string]any, descriptorCID string) (*dwn.Message, error) {
	payload, err := json.Marshal(map[string]any{"recordId": body["recordId"], "descriptorCid": descriptorCID})
	if err != nil {
		return nil, err
	}
	jws, err := s.SignMessage(payload)
	if err != nil {
		return nil, err
	}
	body["authorization"] = map[string]any{"signature": map[string]any{
		"payload": jws.Payload, "signatures": []any{map[string]any{"protected": jws.Protected, "signature": jws.Signature}},
	}}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return dwn.ParseJSON(text)
}
