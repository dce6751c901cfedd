// Package auth answers who sent something and whether they may: DIDs and their
// keys, the signatures inside DWN messages, the signed tokens of the reference
// server's calls, permission grants, and the gate that decides which tenants a node serves.
//
// # DIDs
//
// A DID is resolved to a [Document], a map from key IDs to public keys that says which
// of them may sign tokens. [Offline] does did:key and did:jwk, which carry their key
// inside themselves; [Web], behind a [Cache], fetches the documents of did:web;
// [Methods] takes the one that a DID's method asks for.
// Keys are Ed25519, P-256 or secp256k1, and the key decides the algorithm: a
// header may only repeat it.
//
// # Tokens
//
// A token is a compact JWS (RFC 7515) in one of two kinds, told apart by typ:
// [TypeInit] inside SYNC_INIT and [TypeRequest] in the one header of the other
// calls. A [Verifier] checks everything but what only its caller has: the caller
// compares the digest in the claims with the bytes it read, and asks [Authorize]
// and a [Gate] whether the signer may act for the tenant.
//
// The bytes of a token are never a key to recognise it by. Base64url text, JSON
// and ECDSA signatures can all be written in more than one way: whoever saw the
// P-256 signature (r, s) also knows (r, n-s), which is as valid. Replays are
// recognised by key ID and jti, both of which are under the signature. For the
// same reason a signed message can get a second CID from a third party; what is
// the same statement has the same descriptor CID and the same signer.
//
// A [ReplayCache] remembers tokens until they expire. Where it cannot know whether one was
// used before, after a restart or when it was full, the token needs a nonce that
// this process gave out ([Verifier.Nonce], [ErrNonce]).
//
// # Grants
//
// Who is not the tenant goes by permission grants, which are DWN messages of the tenant's.
// [ParseGrant] and [ParseRevocation] read those that the reference SDK makes, [MakeGrant] and
// [MakeRevocation] make such. A token names them by record ID, see [CheckGrantIDs]. [Decide] says
// what a request may read and push: of a sync, whose scope one grant has to cover; [DecideEach]
// of a call for one CID. [MayPush] says it of one message. They look nothing up: which grants
// the node holds, and which were revoked, is part of the request.
package auth
