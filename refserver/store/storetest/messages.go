package storetest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/engine/dwn/datacid"
	"github.com/dwn-sync/dwnsync/refserver/store"
)

// Sample is a real message and whose node it belongs to.
type Sample struct {
	Tenant string
	store.Entry
	// Large is record data above dwn.MaxInlineData, which Entry has no place for.
	Large []byte
}

// Corpus returns the messages of datasets/corpus.jsonl.gz in the order in which a
// real node accepted them.
func Corpus(tb testing.TB) []Sample {
	tb.Helper()
	return load(tb, filepath.Join("datasets", "corpus.jsonl.gz"))
}

// load reads JSON lines with tenant, message and dataBase64 from a file of the
// project, and leaves out what nodes do not store.
func load(tb testing.TB, name string) []Sample {
	tb.Helper()
	f, err := os.Open(filepath.Join(moduleRoot(tb), name))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var samples []Sample
	for lines := json.NewDecoder(unzipped); lines.More(); {
		var line struct {
			Tenant     string
			Message    json.RawMessage
			DataBase64 *[]byte
		}
		if err := lines.Decode(&line); err != nil {
			tb.Fatal(err)
		}
		m, err := dwn.ParseJSON(line.Message)
		if err != nil {
			tb.Fatal(err)
		}
		if m.CheckStored() != nil {
			continue
		}
		samples = append(samples, sample(line.Tenant, m, line.DataBase64))
	}
	return samples
}

// sample puts data where its size belongs.
func sample(tenant string, m *dwn.Message, data *[]byte) Sample {
	s := Sample{Tenant: tenant, Entry: store.Entry{Message: m}}
	switch named, ok := m.Data(); {
	case !ok || data == nil || int64(len(*data)) != named.Size:
	case named.Size > dwn.MaxInlineData:
		s.Large = *data
	default:
		s.Data = append([]byte{}, *data...)
	}
	return s
}

// moduleRoot returns the folder of go.mod.
func moduleRoot(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.mod above the working directory")
		}
	}
}

// draft describes a message to make. Its signature is not valid: a store trusts
// its caller with that.
type draft struct {
	n         int // makes the message differ from others
	method    string
	author    string
	schema    string
	protocol  string
	path      string // in the protocol; "" means "note"
	parent    string // record
	context   string
	recipient string
	record    string // of an update or a delete; "" begins a record
	signature string // makes another message of the same descriptor
	data      []byte // of a write
	size      *int64 // to lie about the size of data
}

const microsecond0 = 1_735_689_600_000_000 // 2025-01-01

// message makes the message.
func (d draft) message(tb testing.TB) *dwn.Message {
	tb.Helper()
	body := d.body(tb)
	if d.method == "Write" && d.record == "" {
		body["recordId"] = "to be computed"
		id, err := parse(tb, body).EntryID()
		if err != nil {
			tb.Fatal(err)
		}
		body["recordId"] = id.String()
	}
	return parse(tb, body)
}

func (d draft) body(tb testing.TB) map[string]any {
	descriptor := map[string]any{
		"interface": "Records", "method": d.method,
		"messageTimestamp": dwn.FormatTime(microsecond0 + int64(d.n)*1_000),
	}
	body := map[string]any{"descriptor": descriptor, "authorization": map[string]any{"signature": d.signed()}}
	if d.method == "Delete" {
		descriptor["recordId"], descriptor["prune"] = d.record, false
		return body
	}
	c, size, err := datacid.Of(bytes.NewReader(d.data))
	if err != nil {
		tb.Fatal(err)
	}
	if d.size != nil {
		size = *d.size
	}
	descriptor["dataCid"], descriptor["dataSize"] = c.String(), size
	descriptor["dataFormat"] = "text/plain"
	descriptor["dateCreated"] = descriptor["messageTimestamp"]
	setUnlessEmpty(descriptor, "schema", d.schema)
	setUnlessEmpty(descriptor, "recipient", d.recipient)
	if d.protocol != "" {
		descriptor["protocol"], descriptor["protocolPath"], body["contextId"] = d.protocol, cmp.Or(d.path, "note"), cmp.Or(d.context, "c")
	}
	setUnlessEmpty(descriptor, "parentId", d.parent)
	setUnlessEmpty(body, "recordId", d.record)
	return body
}

func (d draft) signed() map[string]any {
	text := base64.RawURLEncoding.EncodeToString
	return map[string]any{
		"payload": text([]byte(`{"descriptorCid":"x"}`)),
		"signatures": []any{map[string]any{
			"protected": text(fmt.Appendf(nil, `{"kid":"did:example:%s#0","alg":"EdDSA"}`, d.author)),
			"signature": text([]byte("signature " + d.signature)),
		}},
	}
}

func setUnlessEmpty(object map[string]any, name, value string) {
	if value != "" {
		object[name] = value
	}
}

func parse(tb testing.TB, body map[string]any) *dwn.Message {
	tb.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := dwn.ParseJSON(text)
	if err != nil {
		tb.Fatalf("%v in %.300s", err, text)
	}
	return m
}

// note makes the n-th message of a kind that nothing is special about.
func note(tb testing.TB, n int) store.Entry {
	tb.Helper()
	data := fmt.Appendf(nil, "note %d", n)
	return store.Entry{Message: draft{n: n, method: "Write", author: "alice", data: data}.message(tb), Data: data}
}

// notes makes the messages from to to-1.
func notes(tb testing.TB, from, to int) []store.Entry {
	tb.Helper()
	var all []store.Entry
	for n := from; n < to; n++ {
		all = append(all, note(tb, n))
	}
	return all
}
