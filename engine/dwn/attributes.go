package dwn

// Attributes are what scopes select by. Absent ones are "". Schema and Protocol
// are normalised URLs, or the text as it is if it cannot be normalised.
type Attributes struct {
	Interface, Method      string
	Schema                 string
	Protocol, ProtocolPath string
	Recipient              string // DID
	DataFormat             string // media type
	RecordID, ContextID    string
	Author                 string // DID
	Time                   int64  // messageTimestamp, microseconds
}

// Attributes returns what m says of itself. A RecordsDelete says little: what its
// record's initial write adds, Inherit fills in.
func (m *Message) Attributes() Attributes {
	a := Attributes{
		Interface: m.Interface(),
		Method:    m.Method(),
		RecordID:  m.RecordID(),
		ContextID: m.ContextID(),
		Author:    m.Author(),
		Time:      m.time,
	}
	switch {
	case m.is("Records", "Write"):
		a.Schema = normalOrSame(m.descriptor.textOrNone("schema"))
		a.Protocol = normalOrSame(m.descriptor.textOrNone("protocol"))
		a.ProtocolPath = m.descriptor.textOrNone("protocolPath")
		a.Recipient = m.descriptor.textOrNone("recipient")
		a.DataFormat = m.descriptor.textOrNone("dataFormat")
	case m.is("Protocols", "Configure"):
		if definition, err := m.descriptor.object("definition"); err == nil {
			a.Protocol = normalOrSame(definition.textOrNone("protocol"))
		}
	}
	return a
}

// Inherit returns the attributes of a RecordsDelete with those that the reference
// copies from the initial write of its record: schema, protocol and its path,
// recipient and context, not the data format. The delete belongs to the scopes
// that its record belongs to.
func (a Attributes) Inherit(initial Attributes) Attributes {
	a.Schema = initial.Schema
	a.Protocol, a.ProtocolPath = initial.Protocol, initial.ProtocolPath
	a.Recipient = initial.Recipient
	a.ContextID = initial.ContextID
	return a
}

// normalOrSame returns the normal form of a URL, or text if it has none.
func normalOrSame(text string) string {
	if text == "" {
		return ""
	}
	normal, err := NormalizeURL(text)
	if err != nil {
		return text
	}
	return normal
}
