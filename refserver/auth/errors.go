package auth

import (
	"errors"
	"fmt"
	"strings"
)

// What can be wrong, for errors.Is. The text around a sentinel says where and
// what to do; none of them carries token bytes or a whole DID.
var (
	// ErrToken says that a token or another JWS is malformed.
	ErrToken = errors.New("malformed token")
	// ErrSignature says that a signature is not valid for the key or the content it names.
	ErrSignature = errors.New("signature is not valid")
	// ErrExpired says that a token's time is over, has not come, or is too long.
	ErrExpired = errors.New("token is not valid at this time")
	// ErrAudience says that a token was made for another server, method or URL.
	ErrAudience = errors.New("token is for another request")
	// ErrReplay says that a token was used before.
	ErrReplay = errors.New("token was used before; sign a new one for every request")
	// ErrNonce says that a token could have been used and forgotten.
	ErrNonce = errors.New("this server cannot know whether the token was used before; sign a new one with the nonce of its last answer")
	// ErrForbidden says that the signer may not do that for the tenant, whatever is in the way.
	ErrForbidden = errors.New("the signer may not do this for that tenant: sign with a key of the tenant's DID, or name a permission grant that covers it")
	// ErrNotAdmitted says that this node does not serve the tenant, known or not.
	ErrNotAdmitted = errors.New("this node does not serve that tenant; ask its operator to admit it")
	// ErrDID says that a text is not a DID that can be used here.
	ErrDID = errors.New("not a usable DID")
	// ErrUnsupportedMethod says that a DID is of a method that is not resolved here.
	ErrUnsupportedMethod = errors.New("DID method is not supported here; use did:key or did:jwk")
	// ErrUnresolved says that the document of a DID could not be had from where it is
	// kept. It never says why: that would tell a stranger about the network of this node.
	ErrUnresolved = errors.New("the document of the DID could not be fetched; try again in a minute")
	// ErrKey says that a key is malformed, unsafe or of an unsupported kind.
	ErrKey = errors.New("not a usable key")
	// ErrMessage says that a DWN message is not signed as it must be. The kind of
	// fault, one of the others, is joined to it.
	ErrMessage = errors.New("message is not correctly signed")
	// ErrGrant says that a record is no permission grant or revocation that counts.
	ErrGrant = errors.New("not a usable permission grant")
	// ErrAllowList says that a list of admitted tenants is malformed.
	ErrAllowList = errors.New("malformed list of tenants")
)

// unsupported returns the ErrUnsupportedMethod of a DID that passed CheckDID. That did:web is
// off is the choice of who runs a node, so it says how to make the other.
func unsupported(did string) error {
	if strings.HasPrefix(did, "did:web:") {
		return fmt.Errorf("%s: %w, or did:web on a node that runs with -did-web", clip(did), ErrUnsupportedMethod)
	}
	return fmt.Errorf("%s: %w", clip(did), ErrUnsupportedMethod)
}

// clip shortens a DID that passed CheckDID for an error or a log: enough to
// recognise one's own, too little to identify anybody else's.
func clip(did string) string {
	const keep = 8
	colon := strings.IndexByte(did[len("did:"):], ':') + len("did:")
	if len(did) <= colon+1+keep {
		return did[:colon+1] + "…"
	}
	return did[:colon+1+keep] + "…"
}
