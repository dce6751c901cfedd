package dwn

// The two protocols under which SDKs keep permission records, normalised.
const (
	PermissionsURI      = "https://tbd.website/dwn/permissions"         // of SDK 0.5.2
	NewerPermissionsURI = "https://identity.foundation/dwn/permissions" // of its successors
)

// IsPermissions reports whether protocol, a normalised URL as Attributes has it, is
// PermissionsURI or NewerPermissionsURI: requests, grants and revocations are there.
func IsPermissions(protocol string) bool {
	return protocol == PermissionsURI || protocol == NewerPermissionsURI
}

// ParentID returns the record that the record of m is a child of, "" if m is no
// RecordsWrite or its record has no parent.
func (m *Message) ParentID() string {
	if !m.is("Records", "Write") {
		return ""
	}
	return m.descriptor.textOrNone("parentId")
}
