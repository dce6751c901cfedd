package auth

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// MakeGrant returns the first write of the record of a grant and its record data,
// as SDK 0.5.2 makes them: the same fields give the same bytes and the same CID.
// ID and Grantor are not read, the signer is the grantor; Protocol is normalised;
// "" for Permissions is dwn.PermissionsURI. The error is ErrGrant where ParseGrant would not take
// the result.
func MakeGrant(s *Signer, g Grant) (m *dwn.Message, data []byte, err error) {
	g.Permissions = cmp.Or(g.Permissions, dwn.PermissionsURI)
	if g.Protocol, err = normalProtocol(g.Protocol); err == nil {
		data, err = g.appendData()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	record := permissionRecord{permissions: g.Permissions, path: grantPath, recipient: g.Grantee, tag: g.Protocol, time: g.Granted, data: data}
	if m, err = record.sign(s); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	made, err := ParseGrant(m, data)
	if err != nil {
		return nil, nil, err
	}
	if g.ID, g.Grantor = made.ID, made.Grantor; g != made {
		return nil, nil, fmt.Errorf("%w: a text that is not UTF-8, or a protocol not normalised", ErrGrant)
	}
	return m, data, nil
}

// MakeRevocation returns the first write of the record that revokes a grant, dated
// at, in microseconds since 1970, and its record data, as SDK 0.5.2 makes them. The
// description is for people and may be "". The error is ErrGrant if the signer is
// not the grantor or the grant not one that ParseGrant or MakeGrant made.
func MakeRevocation(s *Signer, g Grant, description string, at int64) (m *dwn.Message, data []byte, err error) {
	if data, err = marshal(struct {
		Description string `json:"description,omitempty"`
	}{description}); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	record := permissionRecord{permissions: g.Permissions, path: revocationPath, parent: g.ID, tag: g.Protocol, time: at, data: data}
	if m, err = record.sign(s); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	r, err := ParseRevocation(m)
	if err != nil {
		return nil, nil, err
	}
	if !r.Revokes(g) {
		return nil, nil, fmt.Errorf("%w: only its grantor can revoke it, and only under an ID in UTF-8", ErrGrant)
	}
	return m, data, nil
}

func normalProtocol(url string) (string, error) {
	if url == "" {
		return "", nil
	}
	return dwn.NormalizeURL(url)
}

// appendData returns the record data of a grant.
func (g Grant) appendData() ([]byte, error) {
	type scope struct {
		Interface    string `json:"interface"`
		Method       string `json:"method"`
		Protocol     string `json:"protocol,omitempty"`
		ContextID    string `json:"contextId,omitempty"`
		ProtocolPath string `json:"protocolPath,omitempty"`
	}
	type conditions struct {
		Publication string `json:"publication"`
	}
	data := struct {
		DateExpires string      `json:"dateExpires"`
		RequestID   string      `json:"requestId,omitempty"`
		Description string      `json:"description,omitempty"`
		Delegated   bool        `json:"delegated,omitempty"`
		Scope       scope       `json:"scope"`
		Conditions  *conditions `json:"conditions,omitempty"`
	}{dwn.FormatTime(g.Expires), g.RequestID, g.Description, g.Delegated, scope{g.Interface, g.Method, g.Protocol, g.ContextID, g.ProtocolPath}, nil}
	if g.Publication != "" {
		data.Conditions = &conditions{g.Publication}
	}
	return marshal(data)
}

// marshal returns JSON as JavaScript writes it: without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// permissionRecord is what differs between the records of a permissions protocol.
type permissionRecord struct {
	permissions, path      string // "" for permissions is dwn.PermissionsURI
	recipient, parent, tag string // "" where there is none
	time                   int64
	data                   []byte
}

// sign returns the first write of the record.
func (r permissionRecord) sign(s *Signer) (*dwn.Message, error) {
	descriptor, err := r.descriptor()
	if err != nil {
		return nil, err
	}
	// The record's ID depends on the author alone, who is known from any signature.
	unsigned, err := signWrite(s, descriptor, "", "", nil)
	if err != nil {
		return nil, err
	}
	entry, err := unsigned.EntryID()
	if err != nil {
		return nil, err
	}
	id, context := entry.String(), entry.String()
	if r.parent != "" {
		context = r.parent + "/" + id
	}
	payload, err := json.Marshal(struct { // in the order of the SDK
		RecordID      string `json:"recordId"`
		DescriptorCID string `json:"descriptorCid"`
		ContextID     string `json:"contextId"`
	}{id, unsigned.DescriptorCID().String(), context})
	if err != nil {
		return nil, err
	}
	return signWrite(s, descriptor, id, context, payload)
}

func (r permissionRecord) descriptor() (map[string]any, error) {
	cid, err := dataCID(r.data)
	if err != nil {
		return nil, err
	}
	d := map[string]any{
		"interface": "Records", "method": "Write", "protocol": cmp.Or(r.permissions, dwn.PermissionsURI), "protocolPath": r.path,
		"dataCid": cid.String(), "dataSize": len(r.data), "dataFormat": "application/json",
		"dateCreated": dwn.FormatTime(r.time), "messageTimestamp": dwn.FormatTime(r.time),
	}
	if r.recipient != "" {
		d["recipient"] = r.recipient
	}
	if r.parent != "" {
		d["parentId"] = r.parent
	}
	if r.tag != "" {
		d["tags"] = map[string]any{"protocol": r.tag}
	}
	return d, nil
}

// signWrite returns a RecordsWrite signed over payload. The header has kid before
// alg, as the SDK writes it; it is part of the CID.
func signWrite(s *Signer, descriptor map[string]any, id, context string, payload []byte) (*dwn.Message, error) {
	header, err := json.Marshal(struct {
		Kid string `json:"kid"`
		Alg string `json:"alg"`
	}{s.KeyID(), s.Curve().Algorithm()})
	if err != nil {
		return nil, err
	}
	protected, body := encode64(header), encode64(payload)
	if len(body) > maxPayload {
		return nil, fmt.Errorf("payload of %d characters, at most %d are verified", len(body), maxPayload)
	}
	signature, err := joseSigner{s}.SignPayload([]byte(protected+"."+body), "")
	if err != nil {
		return nil, err
	}
	one := map[string]any{"protected": protected, "signature": encode64(signature)}
	text, err := json.Marshal(map[string]any{
		"recordId": id, "contextId": context, "descriptor": descriptor,
		"authorization": map[string]any{"signature": map[string]any{"payload": body, "signatures": []any{one}}},
	})
	if err != nil {
		return nil, err
	}
	return dwn.ParseJSON(text)
}
