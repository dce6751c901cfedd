package datasets

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"

	"github.com/fxamacker/cbor/v2"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
)

// Generate returns valid signed messages of the one tenant that [GeneratedKey]
// names, in the order of their times: a ProtocolsConfigure, then records with and
// without protocol, nested up to three deep, some with recipient, tags or
// publication, their updates with and without new data, and deletes, some of them
// prunes. The tenant signs all of them with Ed25519. Each is what the reference SDK
// (@tbd54566975/dwn-sdk-js 0.5.2) would make, which accepts them in this order.
//
// The same options give the same bytes on every platform and in every version of
// Go. Messages are made as they are iterated over; memory does not grow with their
// number, because a record changes only within the next 256 messages. The sequence
// can be iterated over any number of times, concurrently too. It yields one error
// that wraps ErrOptions, and ends, if the options are invalid or the time of the
// next message is beyond the year 9999.
func Generate(opt GenerateOptions) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		g, err := newGenerator(opt)
		if err != nil {
			yield(Message{}, err)
			return
		}
		for i := range g.n {
			m, err := g.message(i)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// generator makes the messages of one iteration.
type generator struct {
	settings
	planner    planner
	random     random // of contents and times
	cbor       cbor.EncMode
	key        key
	header     string // of the key's signatures
	recipients []string
	now        int64               // time of the latest message, microseconds
	records    [2 * window]*record // by the index of the message that begins them
}

// record is what later messages need to know of a record.
type record struct {
	id, context string // context is "" outside the protocol
	descriptor  object // of the latest write
}

func newGenerator(opt GenerateOptions) (*generator, error) {
	s, err := opt.settings()
	if err != nil {
		return nil, err
	}
	mode, err := cbor.EncOptions{Sort: cbor.SortLengthFirst, ShortestFloat: cbor.ShortestFloatNone}.EncMode()
	if err != nil {
		return nil, err
	}
	g := &generator{
		settings: s,
		planner:  planner{settings: s, random: newRandom(s.seed, "plan")},
		random:   newRandom(s.seed, "content"),
		cbor:     mode,
		key:      generatedKey(s.seed, 0),
		now:      s.start,
	}
	g.header = g.key.header()
	for number := range uint64(4) {
		g.recipients = append(g.recipients, generatedKey(s.seed, 1+number).did)
	}
	return g, nil
}

// message makes message i. It must be called with 0, 1, 2 and so on.
func (g *generator) message(i int) (Message, error) {
	if i > 0 {
		g.now += g.gap()
	}
	now, err := timestamp(g.now)
	if err != nil {
		return Message{}, err
	}
	s := g.planner.step(i)
	var body object
	var data []byte
	switch s.kind {
	case configure:
		body, err = g.configure(now)
	case remove, prune:
		body, err = g.remove(s, now)
	case begin:
		body, data, err = g.begin(i, s, now)
	default:
		body, data, err = g.change(s, now)
	}
	if err != nil {
		return Message{}, err
	}
	raw, err := g.cbor.Marshal(body)
	if err != nil {
		return Message{}, err
	}
	m, err := dwn.ParseCBOR(raw)
	return Message{Tenant: g.key.did, Message: m, Data: data, Retained: s.retained}, err
}

// gap returns the microseconds to the next message. Seven of eight are a quarter
// of the interval in the mean, the eighth is 25 quarters.
func (g *generator) gap() int64 {
	if g.random.chance(8) {
		return 1 + g.random.below(g.interval*25/2)
	}
	return 1 + g.random.below(max(g.interval/2, 1))
}

func (g *generator) configure(now string) (object, error) {
	d := object{
		"interface": "Protocols", "method": "Configure", "messageTimestamp": now,
		"definition": definition(),
	}
	return g.signed(object{"descriptor": d}, d)
}

func (g *generator) remove(s step, now string) (object, error) {
	d := object{
		"interface": "Records", "method": "Delete", "messageTimestamp": now,
		"recordId": g.record(s.record).id, "prune": s.kind == prune,
	}
	return g.signed(object{"descriptor": d}, d)
}

// begin makes the initial write of a record: its ID is the CID of the descriptor
// with the author added.
func (g *generator) begin(i int, s step, now string) (object, []byte, error) {
	d := object{"interface": "Records", "method": "Write", "messageTimestamp": now, "dateCreated": now}
	g.describe(d, s.form)
	var parent record
	least := 0
	if s.parent >= 0 {
		parent = *g.record(s.parent)
		d["parentId"] = parent.id
		least = 1
	}
	data, err := g.newData(d, least)
	if err != nil {
		return nil, nil, err
	}
	entry := maps.Clone(d)
	entry["author"] = g.key.did
	r := &record{descriptor: d}
	if r.id, err = g.cid(entry); err != nil {
		return nil, nil, err
	}
	switch s.form {
	case flat:
	case page:
		r.context = r.id
	default:
		r.context = parent.context + "/" + r.id
	}
	g.records[i%len(g.records)] = r
	body, err := g.write(r)
	return body, data, err
}

// change makes an update of a record. Tags stay only if they are given again, as
// with the reference SDK.
func (g *generator) change(s step, now string) (object, []byte, error) {
	r := g.record(s.record)
	r.descriptor = maps.Clone(r.descriptor)
	r.descriptor["messageTimestamp"] = now
	delete(r.descriptor, "tags")
	same := s.kind == retag && r.descriptor["dataSize"] != 0
	if same || g.random.chance(3) {
		r.descriptor["tags"] = g.tags()
	}
	var data []byte
	var err error
	if !same {
		if data, err = g.newData(r.descriptor, 1); err != nil {
			return nil, nil, err
		}
	}
	body, err := g.write(r)
	return body, data, err
}

// record returns the record that message i begins.
func (g *generator) record(i int) *record { return g.records[i%len(g.records)] }

// newData makes at least that many bytes of data for a descriptor, and names them
// in it. Messages that may have to be dropped later, which are updates and writes
// of records with parents, must not have empty data: the reference (0.5.2) looks for
// such a message by a wrong CID, because its Message.getCid takes an empty
// encodedData for none and leaves it in, and so never drops it.
func (g *generator) newData(d object, least int) ([]byte, error) {
	data := g.data(d["dataFormat"].(string), least)
	c, _, err := datacid.Of(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	d["dataCid"], d["dataSize"] = c.String(), len(data)
	return data, nil
}

// write returns the write with the record's latest descriptor.
func (g *generator) write(r *record) (object, error) {
	body := object{"descriptor": r.descriptor, "recordId": r.id}
	if r.context != "" {
		body["contextId"] = r.context
	}
	return g.signed(body, r.descriptor)
}

// signed adds to a message the signature over its descriptor d and, for a write,
// its record and context. Payload members are in the order of the reference SDK.
func (g *generator) signed(body, d object) (object, error) {
	descriptor, err := g.cid(d)
	if err != nil {
		return nil, err
	}
	payload := fmt.Appendf(nil, `"descriptorCid":%q`, descriptor)
	if id, ok := body["recordId"]; ok {
		payload = fmt.Appendf(nil, `"recordId":%q,%s`, id, payload)
	}
	if context, ok := body["contextId"]; ok {
		payload = fmt.Appendf(payload, `,"contextId":%q`, context)
	}
	text := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "{%s}", payload))
	signature := ed25519.Sign(g.key.secret, []byte(g.header+"."+text))
	body["authorization"] = object{"signature": object{
		"payload": text,
		"signatures": []any{object{
			"protected": g.header,
			"signature": base64.RawURLEncoding.EncodeToString(signature),
		}},
	}}
	return body, nil
}

// cid returns the text of the CID of an object.
func (g *generator) cid(o object) (string, error) {
	raw, err := g.cbor.Marshal(o)
	if err != nil {
		return "", err
	}
	return dwn.CIDOf(sha256.Sum256(raw)).String(), nil
}
