package auth

import (
	"strings"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// MayPush returns nil if the request that d was made for may push m, otherwise
// ErrForbidden, the same for every reason. Initial has the attributes of the first write of m's
// record that the node holds, or that came earlier in the same request and was allowed; nil
// if there is none. The caller has verified the signatures of m.
//
// The tenant may push everything. Anybody else may push only inside Read, only
// records, never those of a permissions protocol, and of these
//
//   - what the tenant itself signed as its author, with no ownerSignature but the tenant's;
//   - what the signer signed as author, inside its Records.Write grants, deletes
//     inside its Records.Delete grants, but none that prunes where the grant is for
//     one protocolPath;
//   - what the signer signed in the tenant's name with a delegated grant, if that
//     very grant is among those that the decision rests on, and inside it. The embedded copy
//     proves who gave it, and only the node's own knows whether it was revoked.
//
// A write that does not begin its record, and a delete, belong to the place of the
// record's first write; where they claim another or that is not held, they are
// forbidden.
//
// The author's signature covers all that the CID does, but itself, the owner's signature and the
// grant that comes with that. So an ownerSignature has to be the tenant's or, on what the
// signer may sign itself, the signer's, without an ownerDelegatedGrant: else whoever may read could
// make any number of other messages of one; and it must not be the author's signature again. What is
// left is to omit the tenant's, to put one in its place that the tenant made for another purpose, an
// attestation of the same message, and the second form (r, n-s) of a signature by P-256, which anybody
// can compute: a few for each message.
func MayPush(d Decision, m *dwn.Message, initial *dwn.Attributes) error {
	_, err := PushedBy(d, m, initial)
	return err
}

// PushedBy is MayPush, and returns d with no other Grants and Until than those that let push m: of
// several that do, those that are good longest.
func PushedBy(d Decision, m *dwn.Message, initial *dwn.Attributes) (Decision, error) {
	switch {
	case !d.push || d.tenant == "" || d.signer == "":
		return Decision{}, ErrForbidden
	case d.signer == d.tenant:
		return d, nil
	}
	at, ok := placeOf(m, initial)
	if !ok || dwn.IsPermissions(at.Protocol) || !d.Read.Matches(at) {
		return Decision{}, ErrForbidden
	}
	by, ok := d.signing(m, at)
	if !ok {
		return Decision{}, ErrForbidden
	}
	d.on(by...)
	return d, nil
}

// placeOf returns the attributes of a record's message, false for any other kind
// of message, and where it is not certain to which place it belongs.
func placeOf(m *dwn.Message, initial *dwn.Attributes) (dwn.Attributes, bool) {
	at := m.Attributes()
	if initial == nil {
		return at, m.IsInitialWrite()
	}
	first := *initial
	if first.RecordID != at.RecordID {
		return at, false
	}
	switch at.Method {
	case "Write":
		return at, at.Protocol == first.Protocol && at.ProtocolPath == first.ProtocolPath && at.ContextID == first.ContextID
	case "Delete":
		return at.Inherit(first), true
	}
	return at, false
}

// signing reports whether who signed m may have it pushed by the requester, and by which grant,
// none for what the tenant itself signed.
func (d Decision) signing(m *dwn.Message, at dwn.Attributes) (by []Grant, ok bool) {
	signer, delegation, ok := signedBy(m)
	switch owner, owned := ownedBy(m); {
	case !ok || !owned || owner != "" && owner != d.tenant && owner != signer || owner != "" && owner == signer && copied(m):
		return nil, false
	case delegation == "" && signer == d.tenant:
		return nil, true
	case signer != d.signer:
		return nil, false
	}
	for i, scope := range d.Push {
		g := d.rights[i]
		fits := scope.Matches(at) && g.allows(m) && (delegation == "" || g.Delegated && g.ID == delegation)
		if fits && (by == nil || g.Expires > by[0].Expires) {
			by = []Grant{g}
		}
	}
	return by, by != nil
}

// signedBy returns who signed m and the record ID of the grant that made somebody
// else its author, "" if there is none. That ID comes from the grant and its author, so
// a grant of that ID that the tenant gave makes the tenant the author.
func signedBy(m *dwn.Message) (signer, delegation string, ok bool) {
	a, err := m.Authorization()
	if err != nil {
		return "", "", false
	}
	if a.AuthorDelegatedGrant == nil {
		return m.Signer(), "", true
	}
	if !a.AuthorDelegatedGrant.IsInitialWrite() {
		return "", "", false
	}
	return m.Signer(), a.AuthorDelegatedGrant.RecordID(), true
}

// ownedBy returns who made m's ownerSignature, "" if there is none; false if it was made with a
// delegated grant.
func ownedBy(m *dwn.Message) (owner string, ok bool) {
	a, err := m.Authorization()
	if err != nil || a.OwnerDelegatedGrant != nil {
		return "", false
	}
	if a.OwnerSignature == nil {
		return "", true
	}
	h, err := parseHeader(a.OwnerSignature.Protected, "")
	if err != nil {
		return "", false
	}
	owner, _, ok = strings.Cut(h.keyID, "#")
	return owner, ok && owner != ""
}

// copied reports whether m's ownerSignature signs what its author signed: where both are by
// one, anybody can have copied the one from the other.
func copied(m *dwn.Message) bool {
	a, err := m.Authorization()
	return err != nil || a.OwnerSignature != nil && a.OwnerSignature.Payload == a.Signature.Payload
}

// allows reports whether m keeps to what the grant says besides its place: its
// condition on published, and that a grant for one path removes nothing at the paths
// below it, as a delete that prunes does.
func (g Grant) allows(m *dwn.Message) bool {
	name, want := "published", g.Publication == PublicationRequired
	if m.Method() == "Delete" {
		name, want = "prune", false
	}
	if name == "prune" && g.ProtocolPath == "" || name == "published" && g.Publication == "" {
		return true
	}
	descriptor, err := descriptorOf(m)
	if err != nil {
		return false
	}
	have, err := descriptor.flag(name)
	return err == nil && have == want
}
