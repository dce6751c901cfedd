package badger

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/dwn-sync/dwnsync/engine/dwn"
	"github.com/ipfs/go-cid"
)

// layoutVersion is the version of everything described below. A store with a
// higher one is refused.
const layoutVersion = 1

// The storage layout.
//
// A folder holds the file DWNSYNC, which marks it as ours, the folder messages, which
// is Badger's, and the file acknowledged (see the type). Numbers in keys are big-endian, in rows unsigned
// varints in their shortest form. Rows begin with the version of their own form, now
// 1 (the tenant row 2), where they have more than one field.
//
//	rows of the node
//	00                         layout version
//	01 tenant                  tenant row: DID, last position, number of messages, their bytes and those of their data
//	02 upload                  tenant: an upload under way, or chunks that nothing refers to any more
//	03                         number of the last transaction that was acknowledged (see acknowledged)
//	04                         seal key: 32 random bytes
//
//	rows of a tenant, all under 10 tenant
//	m ID 00                    message: position, length, first 256 KiB of its canonical DAG-CBOR
//	m ID part                  its next 256 KiB, part = 1, 2, ...
//	k time ID                  nothing: the keys, in order
//	l position                 arrival log: event, state, key, attributes (see logRow)
//	r record                   the record's initial write (position, ID) and the number of its deletes
//	d record position          nothing: the record's deletes by their position
//	n data size ID             nothing: message ID names this data and states this size
//	w data                     data that is wanted: its size and CID
//	q signer data              data that signer, who is not the tenant, is asked for: its size and CID
//	p signer data              nothing: signer has sent this data
//	x data                     data that is held: its size, and its bytes or the upload that has them
//	c upload index             chunk of 256 KiB of an upload
//	s                          secret of the tenant
//	s label                    secret of a label
//	g record                   nothing: the record is a permission grant
//	v record                   nothing: the tenant has revoked the grant of that record
//	h record                   nothing: a secret of the tenant's was handed out under this grant
//	i                          how far the rows g and v go: a position of the log
//	f name                     saved fold: position, size, the upload that has its bytes, checksum (see foldSum)
//
// tenant is the SHA-256 of the DID, record that of the recordId, data that of
// the binary CID, signer that of its DID, name that of a fold's name, label that of a label, upload 16 random bytes. They have one width each, so no key of one
// tenant, record or CID can be the prefix of another's, whatever DIDs an adversary
// makes. The tenant has all 32 bytes: with 16, two DIDs that share their rows
// could be found by 2^64 work, and tables store the common prefix of neighbouring keys
// once, so the other 16 cost next to nothing.
//
// time is shifted by 2^63, so that bytes sort as keys do. Messages are by ID, not
// by key, because every read asks by ID; the keys are rows of their own without
// values, because a scan reads values and keys from the same blocks. Attributes are in
// the log alone: it only grows, so a position of it is a snapshot that can be read in
// short transactions.
//
// Every value stays below Badger's largest ValueThreshold (1 MiB), so all of
// them live in the LSM tree and the value log stays empty. It is where deleted
// values have come back in earlier versions (badger #2286).
//
// A message's rows, its log entry and the tenant row with the position are
// written in one transaction. So is the row x with the last chunks of an upload,
// after all chunks have been verified: chunks without x are invisible, and those of
// an upload that a crash cut are removed when the store is opened, found by row 02.
// A fold is an upload that the row f shows instead: the transaction that writes f for
// a new one gives the one before its row 02 back, so its chunks go, in a crash too.
//
// The rows g and v are written in the transaction that accepts a grant or a revocation, and
// row i is moved on in each that accepts a message; where it is behind, a scan of the log
// makes up for it (see tenant.indexGrants). Row v is
// what ties a write under a grant to its revocation: the one writes it, the other reads it by
// its key, so Badger lets only one of two such transactions commit.
//
// A message writes row q when it is accepted, unless row p is there, and row p takes the
// place of row q. Whether the data is held plays no part: the two rows tell only what
// the signer did.
//
// Stores of before there were folds, numbers, seal keys, grants, labels and what signers are
// asked for have no rows f, 03, 04, g, v, i, s label, q and p, and versions of before ignore
// them, so the layout's version is the same. What such a version appends to the log, row i
// shows; what its messages name, no signer is asked for.
//
// A tenant row of version 1 has no bytes: they count from the next write on, so what was written
// before does not count against a quota. Versions of before refuse a row of version 2.
const (
	rowLayout       byte = 0x00
	rowTenant       byte = 0x01
	rowUpload       byte = 0x02
	rowAcknowledged byte = 0x03
	rowSeal         byte = 0x04
	rowOwned        byte = 0x10

	kindMessage byte = 'm'
	kindKey     byte = 'k'
	kindLog     byte = 'l'
	kindRecord  byte = 'r'
	kindDelete  byte = 'd'
	kindNames   byte = 'n'
	kindWanted  byte = 'w'
	kindOwed    byte = 'q'
	kindSent    byte = 'p'
	kindData    byte = 'x'
	kindChunk   byte = 'c'
	kindSecret  byte = 's'
	kindFold    byte = 'f'
	kindGrant   byte = 'g'
	kindRevoked byte = 'v'
	kindIndexed byte = 'i'
	kindLent    byte = 'h'
)

type (
	digest   [sha256.Size]byte // of a DID, recordId, CID, name or label
	uploadID [16]byte
)

func dataDigest(c cid.Cid) digest     { return sha256.Sum256(c.Bytes()) }
func recordDigest(text string) digest { return sha256.Sum256([]byte(text)) }
func signerDigest(did string) digest  { return sha256.Sum256([]byte(did)) }
func nameDigest(name string) digest   { return sha256.Sum256([]byte(name)) }

func layoutKey() []byte { return []byte{rowLayout} }

func sealKeyKey() []byte      { return []byte{rowSeal} }
func acknowledgedKey() []byte { return []byte{rowAcknowledged} }

func uploadKey(u uploadID) []byte { return append([]byte{rowUpload}, u[:]...) }

// keyspace builds all keys of one tenant. Nothing else does.
type keyspace digest

func newKeyspace(did string) keyspace { return sha256.Sum256([]byte(did)) }

// tenant returns the key of the tenant row.
func (k keyspace) tenant() []byte { return append([]byte{rowTenant}, k[:]...) }

// prefix returns the start of all of the tenant's keys of one kind, with room for
// the longest.
func (k keyspace) prefix(kind byte) []byte {
	const longest = 1 + sha256.Size + 1 + sha256.Size + 8 + len(dwn.ID{})
	key := append(make([]byte, 0, longest), rowOwned)
	return append(append(key, k[:]...), kind)
}

func (k keyspace) message(id dwn.ID, part byte) []byte {
	return append(append(k.prefix(kindMessage), id[:]...), part)
}

func (k keyspace) key(key dwn.Key) []byte {
	dst := binary.BigEndian.AppendUint64(k.prefix(kindKey), uint64(key.Time)^1<<63)
	return append(dst, key.ID[:]...)
}

// parseKey returns the key in a row's key of kindKey.
func (k keyspace) parseKey(row []byte) (dwn.Key, bool) {
	const head = 1 + sha256.Size + 1
	if len(row) != head+8+len(dwn.ID{}) {
		return dwn.Key{}, false
	}
	time := binary.BigEndian.Uint64(row[head:]) ^ 1<<63
	return dwn.Key{Time: int64(time), ID: dwn.ID(row[head+8:])}, true
}

func (k keyspace) log(position uint64) []byte {
	return binary.BigEndian.AppendUint64(k.prefix(kindLog), position)
}

func (k keyspace) record(r digest) []byte { return append(k.prefix(kindRecord), r[:]...) }

func (k keyspace) deletes(r digest) []byte { return append(k.prefix(kindDelete), r[:]...) }

func (k keyspace) delete(r digest, position uint64) []byte {
	return binary.BigEndian.AppendUint64(k.deletes(r), position)
}

// names returns the start of the keys of all messages that name this data.
func (k keyspace) names(d digest) []byte { return append(k.prefix(kindNames), d[:]...) }

func (k keyspace) namesOfSize(d digest, size int64) []byte {
	return binary.BigEndian.AppendUint64(k.names(d), uint64(size))
}

func (k keyspace) name(d digest, size int64, id dwn.ID) []byte {
	return append(k.namesOfSize(d, size), id[:]...)
}

func (k keyspace) wanted(d digest) []byte { return append(k.prefix(kindWanted), d[:]...) }

// owedBy returns the start of the keys of all data that a signer is asked for.
func (k keyspace) owedBy(signer digest) []byte { return append(k.prefix(kindOwed), signer[:]...) }

func (k keyspace) owed(signer, d digest) []byte { return append(k.owedBy(signer), d[:]...) }

func (k keyspace) sent(signer, d digest) []byte {
	return append(append(k.prefix(kindSent), signer[:]...), d[:]...)
}

func (k keyspace) data(d digest) []byte { return append(k.prefix(kindData), d[:]...) }

func (k keyspace) chunks(u uploadID) []byte { return append(k.prefix(kindChunk), u[:]...) }

func (k keyspace) chunk(u uploadID, index uint32) []byte {
	return binary.BigEndian.AppendUint32(k.chunks(u), index)
}

// secret returns the key of a label's secret, of the tenant's own for an empty label.
func (k keyspace) secret(label []byte) []byte {
	if len(label) == 0 {
		return k.prefix(kindSecret)
	}
	sum := sha256.Sum256(label)
	return append(k.prefix(kindSecret), sum[:]...)
}

func (k keyspace) grant(r digest) []byte { return append(k.prefix(kindGrant), r[:]...) }

func (k keyspace) revoked(r digest) []byte { return append(k.prefix(kindRevoked), r[:]...) }

func (k keyspace) lent(r digest) []byte { return append(k.prefix(kindLent), r[:]...) }

func (k keyspace) indexed() []byte { return k.prefix(kindIndexed) }

func (k keyspace) fold(name digest) []byte { return append(k.prefix(kindFold), name[:]...) }

// lastNumber returns the number that ends a key of kindLog or kindDelete.
func lastNumber(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }
