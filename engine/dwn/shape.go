package dwn

import "fmt"

// CheckStored returns nil if m is a message that nodes store and has every field
// that others rely on, in the form they rely on. Stored are RecordsWrite,
// RecordsDelete, ProtocolsConfigure and the older Permissions interface's
// PermissionsRequest, PermissionsGrant and PermissionsRevoke.
//
// It returns ErrNotStored for any other kind, and ErrShape otherwise. It refuses
// nothing that the reference SDK accepts, and members that the SDK does not know
// outside the descriptor, because no signature covers those: anybody could make
// other messages of a signed one by adding them.
func (m *Message) CheckStored() error {
	var err error
	switch m.Interface() + "/" + m.Method() {
	case "Records/Write":
		err = m.checkWrite()
	case "Records/Delete":
		err = m.checkFields([]string{"recordId"})
	case "Protocols/Configure":
		err = m.checkConfigure()
	case "Permissions/Request":
		err = m.checkFields([]string{"grantedTo", "grantedBy", "grantedFor"})
	case "Permissions/Grant":
		err = m.checkGrant()
	case "Permissions/Revoke":
		err = m.checkFields([]string{"permissionsGrantId"})
	default:
		return fmt.Errorf("%w: %.40s/%.40s", ErrNotStored, m.Interface(), m.Method())
	}
	if err != nil {
		return fmt.Errorf("%s%s: %w", m.Interface(), m.Method(), err)
	}
	return nil
}

// checkFields checks what all stored messages have: the named strings in the
// descriptor, a signature, and no other member than descriptor, authorization and
// those that more names.
func (m *Message) checkFields(texts []string, more ...string) error {
	if err := m.body.only(append(more, "descriptor", "authorization")...); err != nil {
		return err
	}
	for _, field := range texts {
		if err := notEmpty(m.descriptor, field); err != nil {
			return fmt.Errorf("descriptor: %w", err)
		}
	}
	return m.checkAuthorization()
}

// checkAuthorization checks every signature of m and their payloads.
func (m *Message) checkAuthorization() error {
	a, err := m.Authorization()
	if err != nil {
		return err
	}
	if err := a.Signature.checkPayload(); err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	for _, j := range []*JWS{a.OwnerSignature, a.Attestation} {
		if j == nil {
			continue
		}
		if err := j.checkPayload(); err != nil {
			return fmt.Errorf("ownerSignature or attestation: %w", err)
		}
	}
	for _, grant := range []*Message{a.AuthorDelegatedGrant, a.OwnerDelegatedGrant} {
		if grant == nil {
			continue
		}
		if err := grant.CheckStored(); err != nil {
			return fmt.Errorf("%w: delegated grant: %v", ErrShape, err)
		}
	}
	return nil
}

func (j JWS) checkPayload() error {
	payload, err := decodePart(j.Payload)
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	return notEmpty(payload, "descriptorCid")
}

func (m *Message) checkWrite() error {
	if err := m.checkFields(nil, "recordId", "contextId", "attestation", "encryption"); err != nil {
		return err
	}
	if err := notEmpty(m.body, "recordId"); err != nil {
		return err
	}
	if _, err := m.data(); err != nil {
		return fmt.Errorf("descriptor: %w", err)
	}
	if _, err := m.descriptor.time("dateCreated"); err != nil {
		return fmt.Errorf("descriptor: %w", err)
	}
	if _, err := m.descriptor.text("dataFormat"); err != nil { // may be ""
		return fmt.Errorf("descriptor: %w", err)
	}
	for _, field := range []string{"schema", "recipient", "parentId"} {
		if err := textIfAny(m.descriptor, field); err != nil {
			return fmt.Errorf("descriptor: %w", err)
		}
	}
	if _, ok := m.body["encryption"]; ok {
		if _, err := m.body.object("encryption"); err != nil {
			return err
		}
	}
	return m.checkPlace()
}

// checkPlace checks that a write names a protocol, a path in it and a context, or
// none of the three.
func (m *Message) checkPlace() error {
	_, protocol := m.descriptor["protocol"]
	_, path := m.descriptor["protocolPath"]
	_, context := m.body["contextId"]
	if protocol != path || protocol != context {
		return fmt.Errorf("%w: protocol, protocolPath and contextId go together", ErrShape)
	}
	if !protocol {
		return nil
	}
	if _, err := m.descriptor.text("protocol"); err != nil {
		return fmt.Errorf("descriptor: %w", err)
	}
	if err := notEmpty(m.descriptor, "protocolPath"); err != nil {
		return fmt.Errorf("descriptor: %w", err)
	}
	return notEmpty(m.body, "contextId")
}

func (m *Message) checkConfigure() error {
	definition, err := m.descriptor.object("definition")
	if err != nil {
		return fmt.Errorf("descriptor: %w", err)
	}
	if err := notEmpty(definition, "protocol"); err != nil {
		return fmt.Errorf("definition: %w", err)
	}
	return m.checkFields(nil)
}

// checkGrant checks a PermissionsGrant. The reference demands a dateExpires and
// leaves who grants what to whom optional.
func (m *Message) checkGrant() error {
	if _, err := m.descriptor.time("dateExpires"); err != nil {
		return fmt.Errorf("descriptor: %w", err)
	}
	for _, field := range []string{"grantedTo", "grantedBy", "grantedFor"} {
		if err := textIfAny(m.descriptor, field); err != nil {
			return fmt.Errorf("descriptor: %w", err)
		}
	}
	return m.checkFields(nil, "delegationChain")
}

func notEmpty(o object, name string) error {
	s, err := o.text(name)
	if err == nil && s == "" {
		err = fmt.Errorf("%w: %s is empty", ErrShape, name)
	}
	return err
}

// textIfAny returns ErrShape if o[name] is there and no string.
func textIfAny(o object, name string) error {
	if _, ok := o[name]; !ok {
		return nil
	}
	_, err := o.text(name)
	return err
}
