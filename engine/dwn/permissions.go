package dwn

// IsPermissions reports whether protocol, a normalised URL as Attributes has it, is
// one of the two under which SDKs keep permission records: requests, grants and
// revocations.
func IsPermissions(protocol string) bool {
	return protocol == "https://tbd.website/dwn/permissions" || protocol == "https://identity.foundation/dwn/permissions"
}

// ParentID returns the record that the record of m is a child of, "" if m is no
// RecordsWrite or its record has no parent.
func (m *Message) ParentID() string {
	if !m.is("Records", "Write") {
		return ""
	}
	return m.descriptor.textOrNone("parentId")
}
