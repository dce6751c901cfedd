package auth

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

// MaxGrantData is the most bytes of record data that a grant may have. The
// permissions protocol has the same limit.
const MaxGrantData = 10_000

const (
	grantPath      = "grant"
	revocationPath = "grant/revocation"
)

// What a Records.Write grant may say about published.
const (
	PublicationRequired   = "Required"
	PublicationProhibited = "Prohibited"
)

// Grant is a permission grant: the grantor lets the grantee do one thing in one
// place for some time. Whether it was revoked, it does not say.
type Grant struct {
	ID                string // of the record: what requests name it by
	Permissions       string // dwn.PermissionsURI, which "" stands for, or dwn.NewerPermissionsURI
	Grantor, Grantee  string // DIDs
	Granted, Expires  int64  // microseconds since 1970: good from the first on and before the second
	Interface, Method string // what is allowed, such as "Messages", "Read"
	Protocol          string // normalised URL; "" is everywhere
	ContextID         string // within Protocol, this record and all below it; "" is all
	ProtocolPath      string // within Protocol, exactly this path; "" is all
	Delegated         bool   // the grantee may sign in the grantor's name
	Publication       string // "", PublicationRequired or PublicationProhibited
	Description       string // a text for people
	RequestID         string // of the request that it answers, "" if none
}

// ParseGrant reads a grant from the first write of its record, under either
// permissions protocol, and its record data. It takes what SDK 0.5.2 takes: known
// members only, timestamps in the one form, methods that the interface has, contextId or
// protocolPath but not both, the protocol repeated in the record's tags. It is
// stricter about members given twice, Records without a protocol and a grant for
// nobody. It takes more where Messages.Read names a contextId or protocolPath inside its
// protocol, as the SDK's successors write it. The grantor has to have signed by
// itself, not through a grant.
//
// The caller has verified the signatures, see VerifyMessage. The error is ErrGrant.
func ParseGrant(m *dwn.Message, data []byte) (Grant, error) {
	if len(data) > MaxGrantData {
		return Grant{}, fmt.Errorf("%w: %d bytes of data, at most %d are allowed", ErrGrant, len(data), MaxGrantData)
	}
	descriptor, err := permissionDescriptor(m, grantPath)
	if err == nil {
		err = checkRecordData(m, data)
	}
	var g Grant
	if err == nil {
		g, err = grantRecord(m)
	}
	if err == nil {
		err = g.readData(data)
	}
	if err == nil {
		err = g.checkTag(descriptor["tags"])
	}
	if err != nil {
		return Grant{}, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	return g, nil
}

// grantRecord reads what the record says, without its data.
func grantRecord(m *dwn.Message) (Grant, error) {
	a, err := m.Authorization()
	if err != nil {
		return Grant{}, err
	}
	attr := m.Attributes()
	switch {
	case a.AuthorDelegatedGrant != nil:
		return Grant{}, errors.New("made with a delegated grant; only the grantor itself gives grants")
	case attr.ContextID != attr.RecordID:
		return Grant{}, errors.New("contextId is not the recordId")
	}
	if err := cmp.Or(CheckDID(m.Signer()), CheckDID(attr.Recipient)); err != nil {
		return Grant{}, err
	}
	return Grant{ID: attr.RecordID, Permissions: attr.Protocol, Grantor: m.Signer(), Grantee: attr.Recipient, Granted: attr.Time}, nil
}

// permissionDescriptor returns the descriptor of the first write of a record under
// a permissions protocol at that path.
func permissionDescriptor(m *dwn.Message, path string) (object, error) {
	if err := m.CheckStored(); err != nil {
		return nil, err
	}
	attr := m.Attributes()
	switch {
	case attr.Interface != "Records" || attr.Method != "Write" || !dwn.IsPermissions(attr.Protocol) || attr.ProtocolPath != path:
		return nil, fmt.Errorf("not a record of a permissions protocol at the path %s", path)
	case attr.DataFormat != "application/json":
		return nil, errors.New("dataFormat is not application/json")
	case !m.IsInitialWrite():
		return nil, errors.New("not the first write of its record")
	}
	descriptor, err := descriptorOf(m)
	if err != nil {
		return nil, err
	}
	if string(descriptor["dateCreated"]) != string(descriptor["messageTimestamp"]) {
		return nil, errors.New("dateCreated is not messageTimestamp")
	}
	return descriptor, nil
}

func descriptorOf(m *dwn.Message) (object, error) {
	whole, err := parseObject(m.AppendJSON(nil))
	if err != nil {
		return nil, err
	}
	return parseObject(whole["descriptor"])
}

// checkRecordData fails unless data are what m was signed with. They fit one block.
func checkRecordData(m *dwn.Message, data []byte) error {
	want, ok := m.Data()
	have, err := dataCID(data)
	if err != nil {
		return err
	}
	if !ok || int64(len(data)) != want.Size || have != want.CID {
		return errors.New("data are not those that were signed")
	}
	return nil
}

// readData reads the record data of a grant.
func (g *Grant) readData(data []byte) error {
	obj, err := parseObject(data)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if err := obj.only("dateExpires", "requestId", "description", "delegated", "scope", "conditions"); err != nil {
		return err
	}
	expires, err := obj.must("dateExpires")
	if err != nil {
		return err
	}
	var errs [6]error
	g.Expires, errs[0] = dwn.ParseTime(expires)
	g.RequestID, _, errs[1] = obj.text("requestId")
	g.Description, _, errs[2] = obj.text("description")
	g.Delegated, errs[3] = obj.flag("delegated")
	errs[4] = g.readConditions(obj["conditions"])
	errs[5] = g.readScope(obj["scope"])
	return cmp.Or(errs[:]...)
}

// flag returns the boolean member of that name, false if there is none.
func (obj object) flag(name string) (bool, error) {
	switch string(obj[name]) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, fmt.Errorf("%q is not true or false", name)
}

func (g *Grant) readConditions(text json.RawMessage) error {
	if text == nil {
		return nil
	}
	obj, err := parseObject(text)
	if err == nil {
		err = obj.only("publication")
	}
	if err == nil {
		g.Publication, err = obj.some("publication")
	}
	if err != nil {
		return fmt.Errorf("conditions: %w", err)
	}
	if g.Publication != "" && g.Publication != PublicationRequired && g.Publication != PublicationProhibited {
		return errors.New("conditions: publication is neither Required nor Prohibited")
	}
	return nil
}

// some returns the string member of that name, which is not empty if it is there.
func (obj object) some(name string) (string, error) {
	if _, ok := obj[name]; !ok {
		return "", nil
	}
	return obj.must(name)
}

// checkTag checks the tags of the record, by which nodes find what belongs to a
// protocol.
func (g Grant) checkTag(tags json.RawMessage) error {
	if g.Protocol == "" {
		return nil
	}
	obj, err := parseObject(tags)
	if err == nil {
		var tag string
		if tag, err = obj.must("protocol"); err == nil && tag == g.Protocol {
			return nil
		}
	}
	return errors.New("tags do not name the protocol of the scope")
}

// Live reports whether the grant is good at a time in microseconds since 1970, if
// it was not revoked.
func (g Grant) Live(now int64) bool { return g.Granted <= now && now < g.Expires }

func (g Grant) is(name, method string) bool { return g.Interface == name && g.Method == method }
