package badger

import (
	"encoding/binary"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/dwn-sync/dwnsync/refserver/store"
	"github.com/ipfs/go-cid"
)

// tenantRow is what is known of a tenant as a whole.
type tenantRow struct {
	last  uint64 // newest position of the log, 0 before the first
	count uint64 // messages
	bytes int64  // see store.Quota; 0 in the rows of before they were counted
	did   string
}

// tenantRowVersion is that of a row with bytes. Without any it is rowVersion.
const tenantRowVersion = 2

func (r tenantRow) append(dst []byte) []byte {
	version := byte(rowVersion)
	if r.bytes != 0 {
		version = tenantRowVersion
	}
	dst = binary.AppendUvarint(append(dst, version), r.last)
	dst = binary.AppendUvarint(dst, r.count)
	if r.bytes != 0 {
		dst = binary.AppendUvarint(dst, uint64(r.bytes))
	}
	return appendText(dst, r.did)
}

func parseTenantRow(row []byte) (tenantRow, error) {
	f := &fields{rest: row}
	version := f.byte()
	f.bad = f.bad || version != rowVersion && version != tenantRowVersion
	r := tenantRow{last: f.number(), count: f.number()}
	if version == tenantRowVersion {
		r.bytes = f.size()
		f.bad = f.bad || r.bytes == 0
	}
	r.did = string(f.text())
	return r, f.end("tenant")
}

func (r tenantRow) usage() store.Usage {
	return store.Usage{Messages: int64(r.count), Bytes: r.bytes}
}

// messageRow is part 0 of a message. first aliases the row it was read from.
type messageRow struct {
	position uint64
	length   int64 // of the whole message
	first    []byte
}

func (r messageRow) append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, rowVersion), r.position)
	return append(binary.AppendUvarint(dst, uint64(r.length)), r.first...)
}

func parseMessageRow(row []byte) (messageRow, error) {
	f := versioned(row)
	r := messageRow{position: f.number(), length: f.size(), first: f.all()}
	f.bad = f.bad || r.length > dwn.MaxMessageSize || int64(len(r.first)) != min(r.length, chunkSize)
	return r, f.end("message")
}

// recordRow is what deletes of a record have to find.
type recordRow struct {
	position uint64 // of the initial write with the lowest ID, 0 while there is none
	initial  dwn.ID
	deletes  uint64
}

func (r recordRow) append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, rowVersion), r.position)
	return binary.AppendUvarint(append(dst, r.initial[:]...), r.deletes)
}

func parseRecordRow(row []byte) (recordRow, error) {
	f := versioned(row)
	r := recordRow{position: f.number(), initial: f.array32(), deletes: f.number()}
	return r, f.end("record")
}

// dataRow makes data visible. inline aliases the row it was read from; nil means
// that the bytes are chunks of upload.
type dataRow struct {
	size   int64
	inline []byte
	upload uploadID
}

const (
	formInline byte = iota
	formChunks
)

func (r dataRow) append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, rowVersion), uint64(r.size))
	if r.inline == nil {
		return append(append(dst, formChunks), r.upload[:]...)
	}
	return append(append(dst, formInline), r.inline...)
}

func parseDataRow(row []byte) (dataRow, error) {
	f := versioned(row)
	r := dataRow{size: f.size()}
	switch f.byte() {
	case formInline:
		r.inline = f.all()
		f.bad = f.bad || int64(len(r.inline)) != r.size || r.size > dwn.MaxInlineData
	case formChunks:
		r.upload = f.array16()
		f.bad = f.bad || r.size <= dwn.MaxInlineData
	default:
		f.bad = true
	}
	return r, f.end("data")
}

// foldRow is what is known of a saved fold, whose bytes are the chunks of upload.
type foldRow struct {
	position uint64
	size     int64
	upload   uploadID
	sum      digest // see foldSum
}

func (r foldRow) append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, rowVersion), r.position)
	dst = binary.AppendUvarint(dst, uint64(r.size))
	return append(append(dst, r.upload[:]...), r.sum[:]...)
}

func parseFoldRow(row []byte) (foldRow, error) {
	f := versioned(row)
	r := foldRow{position: f.number(), size: f.size(), upload: f.array16(), sum: f.array32()}
	return r, f.end("fold")
}

// wantedRow is the value of a row of kindWanted.
func appendWanted(dst []byte, w store.Wanted) []byte {
	dst = binary.AppendUvarint(append(dst, rowVersion), uint64(w.Size))
	return append(dst, w.CID.Bytes()...)
}

func parseWanted(row []byte) (store.Wanted, error) {
	f := versioned(row)
	size := f.size()
	c, err := cid.Cast(f.all())
	f.bad = f.bad || err != nil
	return store.Wanted{CID: c, Size: size}, f.end("wanted data")
}

func appendSecret(dst []byte, s store.Secret) []byte {
	dst = binary.AppendUvarint(append(dst, rowVersion), s.Generation)
	return append(append(dst, s.ID[:]...), s.Key[:]...)
}

func parseSecret(row []byte) (store.Secret, error) {
	f := versioned(row)
	s := store.Secret{Generation: f.number(), ID: f.array16(), Key: f.array32()}
	return s, f.end("secret")
}

// appendIndexed appends the row that says to which position the rows g and v go.
func appendIndexed(dst []byte, to uint64) []byte {
	return binary.AppendUvarint(append(dst, rowVersion), to)
}

func parseIndexed(row []byte) (uint64, error) {
	f := versioned(row)
	to := f.number()
	return to, f.end("indexed grants")
}
