package auth

import (
	"cmp"
	"context"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// VerifyMessage returns nil if everything a DWN message says about who signed it
// is true:
//
//   - the author's signature is valid and its payload names this descriptor, for a
//     RecordsWrite this recordId and contextId, and the attestation and encryption
//     that are there, no others;
//   - the owner's signature and the attestation, where there are any, are valid and
//     for this descriptor;
//   - a delegated grant, the author's or the owner's, is itself correctly signed,
//     is a grant that may be delegated, is the one that the payload names, and was given to
//     who signed with it.
//
// It does not ask whether the signer had the right to do so: what a grant covers,
// whether it expired or was revoked, who the tenant is. Messages of the older
// Permissions interface are verified too. A message without authorization is
// refused.
//
// The error is ErrMessage joined with its kind, or the error of the context. Signed
// bytes are not unique, see the package comment.
func VerifyMessage(ctx context.Context, r Resolver, m *dwn.Message) error {
	err := verifyMessage(ctx, r, m, true)
	if err != nil && !isContext(err) {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return err
}

// verifyMessage does the work. The grants inside a message are messages too, but
// carry none themselves: delegation is one step deep.
func verifyMessage(ctx context.Context, r Resolver, m *dwn.Message, mayCarry bool) error {
	a, err := m.Authorization()
	if err != nil {
		return fmt.Errorf("authorization: %w", err)
	}
	if !mayCarry && (a.AuthorDelegatedGrant != nil || a.OwnerDelegatedGrant != nil) {
		return fmt.Errorf("%w: a delegated grant was made with a delegated grant", ErrSignature)
	}
	signer, payload, err := verifyOver(ctx, r, m, a.Signature)
	if err == nil {
		err = checkPayload(m, payload)
	}
	if err == nil {
		err = verifyGrant(ctx, r, delegation{payload, signer, a.AuthorDelegatedGrant, a.AuthorGrantData})
	}
	if err != nil {
		return fmt.Errorf("authorization.signature: %w", err)
	}
	if err := verifyOwner(ctx, r, m, a); err != nil {
		return fmt.Errorf("authorization.ownerSignature: %w", err)
	}
	if a.Attestation != nil {
		if _, _, err := verifyOver(ctx, r, m, *a.Attestation); err != nil {
			return fmt.Errorf("attestation: %w", err)
		}
	}
	return nil
}

// verifyOver verifies a signature whose payload has to name the message's
// descriptor, and returns the signer's DID and the payload.
func verifyOver(ctx context.Context, r Resolver, m *dwn.Message, jws dwn.JWS) (signer string, payload object, err error) {
	env, err := parseEnvelope(jws, "")
	if err != nil {
		return "", nil, err
	}
	if payload, err = parseObject(env.payload); err != nil {
		return "", nil, fmt.Errorf("%w: payload: %w", ErrToken, err)
	}
	if err := payload.names("descriptorCid", m.DescriptorCID().String()); err != nil {
		return "", nil, err
	}
	signer, err = env.verify(ctx, r)
	return signer, payload, err
}

// names fails unless the member of that name is exactly want, or absent if want is
// empty.
func (obj object) names(name, want string) error {
	have, ok, err := obj.text(name)
	if err != nil {
		return fmt.Errorf("%w: payload: %w", ErrToken, err)
	}
	if have != want || ok != (want != "") {
		return fmt.Errorf("%w: %s in the payload is not the message's", ErrSignature, name)
	}
	return nil
}

// checkPayload compares the author's payload with the rest of the message.
func checkPayload(m *dwn.Message, payload object) error {
	var errs []error
	if m.Interface() == "Records" && m.Method() == "Write" {
		errs = append(errs, payload.names("recordId", m.RecordID()), payload.names("contextId", m.ContextID()))
	}
	errs = append(errs, payload.names("attestationCid", text(m.AttestationCID())), payload.names("encryptionCid", text(m.EncryptionCID())))
	return cmp.Or(errs...)
}

// text returns the CID as it stands in a payload, "" for the undefined one.
func text(c cid.Cid) string {
	if !c.Defined() {
		return ""
	}
	return c.String()
}

func verifyOwner(ctx context.Context, r Resolver, m *dwn.Message, a dwn.Authorization) error {
	if a.OwnerSignature == nil {
		if a.OwnerDelegatedGrant != nil {
			return fmt.Errorf("%w: ownerDelegatedGrant without ownerSignature", ErrSignature)
		}
		return nil
	}
	owner, payload, err := verifyOver(ctx, r, m, *a.OwnerSignature)
	if err != nil {
		return err
	}
	return verifyGrant(ctx, r, delegation{payload, owner, a.OwnerDelegatedGrant, a.OwnerGrantData})
}

// delegation is a grant used in a signature: the signature's payload and signer,
// the grant, or nil, and the record data that travels inside it.
type delegation struct {
	payload object
	signer  string
	grant   *dwn.Message
	data    []byte
}

// verifyGrant checks that the payload names the grant, that who signed was given
// it, and the grant's own signature.
func verifyGrant(ctx context.Context, r Resolver, d delegation) error {
	if d.grant == nil {
		return d.payload.names("delegatedGrantId", "")
	}
	if err := d.payload.names("delegatedGrantId", d.grant.CID().String()); err != nil {
		return err
	}
	grantee, err := d.grantee()
	if err != nil {
		return fmt.Errorf("delegated grant: %w", err)
	}
	if grantee != d.signer {
		return fmt.Errorf("%w: the delegated grant was given to somebody else than the signer", ErrSignature)
	}
	if err := verifyMessage(ctx, r, d.grant, false); err != nil {
		return fmt.Errorf("delegated grant: %w", err)
	}
	return nil
}

// grantee returns to whom the grant was given. Any record with a recipient could
// be put in the place of a grant, and with it the recipient in the place of the
// author: so it has to be a grant, and one that was meant to be delegated.
func (d delegation) grantee() (string, error) {
	switch attr := d.grant.Attributes(); {
	case attr.Interface == "Permissions" && attr.Method == "Grant":
		return d.olderGrantee()
	case attr.Interface == "Records" && attr.Method == "Write" && dwn.IsPermissions(attr.Protocol) && attr.ProtocolPath == grantPath:
		if err := d.checkData(); err != nil {
			return "", err
		}
		return attr.Recipient, nil
	}
	return "", fmt.Errorf("%w: it is not a permission grant", ErrSignature)
}

// checkData compares the record data of a grant with the CID that the grantor
// signed; the grant's own CID does not cover it. It has to say that the grant may be delegated.
func (d delegation) checkData() error {
	want, ok := d.grant.Data()
	have, err := dataCID(d.data)
	if err != nil {
		return fmt.Errorf("%w: its data: %w", ErrSignature, err)
	}
	if !ok || len(d.data) > dwn.MaxInlineData || int64(len(d.data)) != want.Size || have != want.CID {
		return fmt.Errorf("%w: its data are not those that were signed", ErrSignature)
	}
	obj, err := parseObject(d.data)
	if err != nil {
		return fmt.Errorf("%w: its data: %w", ErrSignature, err)
	}
	return obj.mayDelegate()
}

// dataCID returns the CID of record data that fit into one block.
func dataCID(data []byte) (cid.Cid, error) {
	return cid.Prefix{Version: 1, Codec: cid.Raw, MhType: multihash.SHA2_256, MhLength: -1}.Sum(data)
}

func (obj object) mayDelegate() error {
	if string(obj["delegated"]) != "true" {
		return fmt.Errorf("%w: it may not be delegated", ErrSignature)
	}
	return nil
}

// olderGrantee reads a Permissions/Grant, whose descriptor says everything.
func (d delegation) olderGrantee() (string, error) {
	whole, err := parseObject(d.grant.AppendJSON(nil))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSignature, err)
	}
	descriptor, err := parseObject(whole["descriptor"])
	if err != nil {
		return "", fmt.Errorf("%w: descriptor: %w", ErrSignature, err)
	}
	if err := descriptor.mayDelegate(); err != nil {
		return "", err
	}
	grantee, err := descriptor.must("grantedTo")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return grantee, nil
}
