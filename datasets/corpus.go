package datasets

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed" // the shipped set
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/dwn-sync/dwnsync/engine/dwn"
)

//go:embed corpus.jsonl.gz
var corpusLines string

//go:embed corpus-dids.json
var corpusDIDs string

// maxLine is the most bytes that a line of the shipped set may have.
const maxLine = 2 * dwn.MaxMessageSize

// Corpus returns the shipped set in its order: 3000 messages of two tenants, 1500
// each, over two years. They were made with the reference SDK
// (@tbd54566975/dwn-sdk-js 0.5.2), which accepted every one in this order: 1431
// and 1429 of them are retained. There are flat and protocol records with nested
// contexts and roles, updates, deletes and prunes, permission requests, grants and
// revocations, delegated writes, and signatures by Ed25519, secp256k1 and P-256.
//
// Messages are decoded as they are iterated over. Each is checked against the CID
// beside it; the sequence ends after an error, which wraps ErrCorpus. It can be
// iterated over any number of times, concurrently too.
func Corpus() iter.Seq2[Message, error] { return corpusOf(corpusLines) }

// corpusOf returns the messages of a set in its embedded form.
func corpusOf(compressed string) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		file := decompress(compressed)
		defer file.Close()
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, maxLine)
		n := 0
		for lines.Scan() {
			n++
			m, err := corpusMessage(lines.Bytes())
			if err != nil {
				err = fmt.Errorf("%w: line %d: %w", ErrCorpus, n, err)
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Message{}, fmt.Errorf("%w: after line %d: %w", ErrCorpus, n, err))
		}
	}
}

// CorpusJSONLines returns the text of the shipped set: one JSON object a line, with
// the members cid, tenant, kind (the maker's name for what it is), ts
// (messageTimestamp), retained, status (the reference's answer), message, and
// dataBase64 (standard base64, absent if no data came). The caller closes it.
func CorpusJSONLines() io.ReadCloser { return decompress(corpusLines) }

func decompress(compressed string) io.ReadCloser {
	file, err := gzip.NewReader(strings.NewReader(compressed))
	if err != nil {
		return io.NopCloser(failed{fmt.Errorf("%w: %w", ErrCorpus, err)})
	}
	return file
}

// CorpusTenants returns the DIDs of the two tenants of the shipped set, sorted.
func CorpusTenants() []string {
	var dids []string
	for _, k := range corpusKeys() {
		if strings.HasPrefix(k.Name, "tenant-") {
			dids = append(dids, k.DID)
		}
	}
	slices.Sort(dids)
	return dids
}

// CorpusKey returns the private JWK of a tenant of the shipped set, or of another
// DID that signs in it, as JSON text that the caller owns. Its member kid is the
// DID URL of the key. It is false for any other DID.
func CorpusKey(did string) (jwk []byte, ok bool) {
	for _, k := range corpusKeys() {
		if k.DID != did {
			continue
		}
		var text bytes.Buffer
		err := json.Compact(&text, k.PrivateJWK)
		return text.Bytes(), err == nil
	}
	return nil, false
}

// corpusKey is one element of corpus-dids.json.
type corpusKey struct {
	Name       string          `json:"name"`
	DID        string          `json:"did"`
	PrivateJWK json.RawMessage `json:"privateJwk"`
}

// corpusKeys returns whose keys are shipped, none if the file is damaged: then the
// set is damaged in the eyes of whoever looks for its tenants.
func corpusKeys() []corpusKey {
	var keys []corpusKey
	if err := json.Unmarshal([]byte(corpusDIDs), &keys); err != nil {
		return nil
	}
	return keys
}

// corpusMessage reads one line. It keeps nothing of it.
func corpusMessage(line []byte) (Message, error) {
	var entry struct {
		CID      string          `json:"cid"`
		Tenant   string          `json:"tenant"`
		Retained bool            `json:"retained"`
		Message  json.RawMessage `json:"message"`
		Data     []byte          `json:"dataBase64"`
	}
	if err := json.Unmarshal(line, &entry); err != nil {
		return Message{}, err
	}
	m, err := dwn.ParseJSON(entry.Message)
	if err != nil {
		return Message{}, err
	}
	if got := m.CID().String(); got != entry.CID {
		return Message{}, fmt.Errorf("message has CID %s, want %s", got, entry.CID)
	}
	return Message{Tenant: entry.Tenant, Message: m, Data: entry.Data, Retained: entry.Retained}, nil
}

// failed is a reader that has only an error to give.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }
