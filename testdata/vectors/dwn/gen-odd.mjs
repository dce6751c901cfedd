// Writes odd.jsonl: unusual messages that @tbd54566975/dwn-sdk-js 0.5.2 makes and,
// where parsed is true, also reads back without complaint.
// Node 20: npm i @tbd54566975/dwn-sdk-js@0.5.2, copy this file and gen-lib.mjs
// beside node_modules, then: node gen-odd.mjs > odd.jsonl
// Every run gives the same lines but those of encrypted records.
import * as sdk from '@tbd54566975/dwn-sdk-js';
import { makeDid, tick, emit, bytes, sha } from './gen-lib.mjs';
const alice = makeDid(sdk, 'alice', 'key', 'Ed25519'), bob = makeDid(sdk, 'bob', 'jwk', 'secp256k1'), carol = makeDid(sdk, 'carol', 'key', 'secp256k1');
const protocol = 'https://example.org/protocols/odd', schema = 'https://example.org/schemas/odd', dateExpires = '2031-12-31T23:59:59.999999Z';
async function add(name, message, data, parser) {
  let parsed = false;
  try { if (parser) { await parser.parse(JSON.parse(JSON.stringify(message))); parsed = true; } } catch (e) { console.error(name, e.message.slice(0, 200)); }
  return emit(sdk, '0.5.2', name, message, data, { parsed });
}
async function write(name, who, options, then = async () => { }) {
  const messageTimestamp = options.messageTimestamp ?? tick();
  const w = await sdk.RecordsWrite.create({ signer: who.signer, messageTimestamp, dateCreated: messageTimestamp, dataFormat: 'application/json', ...(options.published ? { datePublished: messageTimestamp } : {}), ...options });
  await then(w);
  return add('RecordsWrite ' + name, w.message, options.data, sdk.RecordsWrite);
}
const data = bytes({ odd: true });
const tags = [
  { n: 0.1 }, { n: -0 }, { n: 1e21 }, { n: 5e-324 }, { n: 9007199254740992 }, { n: -9007199254740993 }, { n: 9007199254740991 }, { n: -1.5 }, { n: 1.7976931348623157e308 }, { n: 1e15 }, { n: 4503599627370497.5 }, { n: 23 }, { n: 24 }, { n: -24 }, { n: -25 }, { n: 65536 }, { n: 4294967296 },
  { nums: [1, 2.5, -0, 1e300, 0] }, { words: ['', 'ä', '日本', '🚀', '\u0000', '\u2028', '"\\/'] }, { yes: true, no: false }, { '': 'empty name' }, { 'ä': 1, 'zz': 2, 'z': 3, '🚀': 4, '日': 5, 'aaaa': 6 }, { '\uffff': 1, '\u{10000}': 2 },
  { half: '\ud800', other: '\udc00x' }, { cid: 'bafyreihluktesmiiq6qoynurvhqu3ik45h5yidxhk226ps2263tyska3mi' }, { '/': 'bafyreihluktesmiiq6qoynurvhqu3ik45h5yidxhk226ps2263tyska3mi' }, { long: 'x'.repeat(5000) }, { 'constructor': 'a', 'toJSON': 'b', 'length': 1 }, { '10': 1, '9': 2, '1': 3 },
];
for (const [i, t] of tags.entries()) await write('tags ' + i, alice, { schema, tags: t, data });
await write('empty data', alice, { data: new Uint8Array(0) });
await write('no data format to speak of', alice, { dataFormat: '', data });
await write('data format beyond ASCII', alice, { dataFormat: 'text/größe; q="🚀"', data });
for (const url of ['urn:example:Note', 'EXAMPLE.org/A b/', 'https://example.org/日本?x#y', 'localhost:8080/x', 'http://1.2', 'example.org//']) {
  try { await write('schema ' + url, bob, { schema: url, data }); } catch (e) { console.error(url, e.message); }
}
await write('earliest time', alice, { messageTimestamp: '0000-01-01T00:00:00.000000Z', data });
await write('year 1', alice, { messageTimestamp: '0001-01-01T00:00:00.000001Z', data });
await write('before 1970', alice, { messageTimestamp: '1969-12-31T23:59:59.999999Z', data });
await write('latest time', alice, { messageTimestamp: '9999-12-31T23:59:59.999999Z', data });
await write('leap second', alice, { messageTimestamp: '2016-12-31T23:59:60.500000Z', data });
await write('leap second on any day', alice, { messageTimestamp: '2023-06-15T23:59:60.999999Z', data });
await write('published false', alice, { schema, published: false, data });
await write('published', carol, { schema, published: true, data });
await write('attested', alice, { schema, attestationSigners: [carol.signer], data });
await write('dataCid given, no data', alice, { schema, dataCid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku', dataSize: 9007199254740991 });
const root = await write('root record', alice, { protocol, protocolPath: 'a', data });
let parent = root;
for (let depth = 2; depth <= 10; depth++) parent = await write('at depth ' + depth, alice, { protocol, protocolPath: Array(depth).fill('a').join('/'), parentContextId: parent.contextId, data });
const grantData = { dateExpires, delegated: true, scope: { interface: 'Records', method: 'Write', protocol } };
async function grant(name, from, to, extra = {}) {
  const content = bytes({ ...grantData, ...extra }), message = await write(name, from, { protocol: sdk.PermissionsProtocol.uri, protocolPath: 'grant', recipient: to.did, tags: { protocol }, data: content });
  return { ...message, encodedData: Buffer.from(content).toString('base64url') };
}
const toBob = await grant('grant, delegated', alice, bob), toCarol = await grant('grant with description', alice, carol, { description: 'für 🚀' });
await write('for alice, delegated', bob, { protocol, protocolPath: 'a', delegatedGrant: toBob, data });
await write('role', bob, { protocol, protocolPath: 'a', protocolRole: 'a/b', data });
await write('grant by name', bob, { protocol, protocolPath: 'a', permissionGrantId: toBob.recordId, data });
await write('kept by the owner', bob, { schema, data }, (w) => w.signAsOwner(alice.signer));
await write('kept by the owner\'s delegate', bob, { protocol, protocolPath: 'a', data }, (w) => w.signAsOwnerDelegate(carol.signer, toCarol));
await write('delegated, attested and kept by a delegate', bob, { protocol, protocolPath: 'a', delegatedGrant: toBob, attestationSigners: [carol.signer], tags: { x: 0.5 }, data }, (w) => w.signAsOwnerDelegate(carol.signer, toCarol));
for (const derivationScheme of ['schemas', 'dataFormats']) await write('encrypted ' + derivationScheme, alice, { schema, data, encryptionInput: { algorithm: sdk.EncryptionAlgorithm.Aes256Ctr, initializationVector: sha('iv').subarray(0, 16), key: sha('key'), keyEncryptionInputs: [{ publicKeyId: bob.keyId, publicKey: bob.publicJwk, derivationScheme }] } });
{ const w = await sdk.RecordsWrite.createFrom({ recordsWriteMessage: root, signer: alice.signer, messageTimestamp: tick(), data: bytes('2') }); await add('RecordsWrite update', w.message, bytes('2'), sdk.RecordsWrite); }
for (const prune of [false, true]) await add('RecordsDelete prune ' + prune, (await sdk.RecordsDelete.create({ signer: alice.signer, messageTimestamp: tick(), recordId: root.recordId, prune })).message, undefined, sdk.RecordsDelete);
const configure = async (name, definition, extra = {}) => add('ProtocolsConfigure ' + name, (await sdk.ProtocolsConfigure.create({ signer: alice.signer, messageTimestamp: tick(), definition, ...extra })).message, undefined, sdk.ProtocolsConfigure);
await configure('empty', { protocol: 'example.org/empty', published: false, types: {}, structure: {} });
await configure('tags and sizes', { protocol, published: true, types: { a: { schema, dataFormats: ['x'] } }, structure: { a: { $size: { min: 0.5, max: 1e21 }, $tags: { $requiredTags: ['t'], $allowUndefinedTags: false, t: { type: 'number', minimum: -0.5, maximum: 1e-7, enum: [0.25, 1e-9] }, u: { type: 'array', items: { type: 'string', enum: ['ä', ''] }, minItems: 1 } } } } });
let rules = { $actions: [{ who: 'anyone', can: ['read'] }], $tags: { t: { type: 'array', contains: { type: 'number', enum: [1, 2.5] } } } };
for (let i = 0; i < 10; i++) rules = { a: rules };
await configure('of ten levels', { protocol: 'example.org/deep', published: false, types: { a: {} }, structure: rules });
await add('MessagesQuery', (await sdk.MessagesQuery.create({ signer: alice.signer, messageTimestamp: tick(), filters: [{ protocol }], cursor: { messageCid: 'x', value: 0.5 } })).message);
await add('RecordsQuery unsigned', (await sdk.RecordsQuery.create({ messageTimestamp: tick(), filter: { schema, tags: { n: { gte: -0.5 } } } })).message);
