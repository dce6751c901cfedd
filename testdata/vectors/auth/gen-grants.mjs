// Writes grants.jsonl: permission grants and revocations that a DWN of
// @tbd54566975/dwn-sdk-js 0.5.2 was given, and with which status it answered; then
// those of ../dwn/vectors.jsonl.gz and of the corpus in datasets, all of them accepted.
// Node 20: npm i @tbd54566975/dwn-sdk-js@0.5.2, copy this file, keys.json,
// vectors.jsonl.gz and corpus.jsonl.gz beside node_modules, then:
// node gen-grants.mjs > grants.jsonl. Every run gives the same lines.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import * as sdk from '@tbd54566975/dwn-sdk-js';
import { UniversalResolver, DidKey, DidJwk } from '@web5/dids';

const who = Object.fromEntries(JSON.parse(fs.readFileSync('keys.json', 'utf8')).map((k) => [k.name, { ...k, signer: new sdk.PrivateKeySigner({ privateJwk: k.privateJwk, keyId: k.kid, algorithm: k.privateJwk.alg }) }]));
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'grants-'));
const dwn = await sdk.Dwn.create({
  messageStore: new sdk.MessageStoreLevel({ blockstoreLocation: dir + '/m', indexLocation: dir + '/i' }), dataStore: new sdk.DataStoreLevel({ blockstoreLocation: dir + '/d' }),
  eventLog: new sdk.EventLogLevel({ location: dir + '/e' }), resumableTaskStore: new sdk.ResumableTaskStoreLevel({ location: dir + '/t' }), didResolver: new UniversalResolver({ didResolvers: [DidKey, DidJwk] }),
});
let minute = 0;
const next = () => new Date(Date.UTC(2025, 5, 1, 12, minute++)).toISOString().replace('Z', '123Z');
const enc = (value) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const expires = '2031-12-31T23:59:59.999999Z', protocol = 'https://example.org/protocols/notes', context = 'bafyreig5rsgqiwvbxfw5patrewv55lolmorh66psbajdcqpedclwf7cqua';

async function emit(name, by, message, data, made, tenant = by) {
  message = JSON.parse(JSON.stringify(message));
  const refuse = (e) => ({ status: { code: 400, detail: e.message } }); // some malformed data make the SDK throw
  const reply = await dwn.processMessage(tenant.did, structuredClone(message), { dataStream: sdk.DataStream.fromBytes(data) }).catch(refuse);
  const { code, detail } = reply.status;
  console.log(JSON.stringify({ name, by: by.name, cid: await sdk.Message.getCid(message), status: code, ...(code === 202 ? {} : { detail }), made, message, dataBase64: Buffer.from(data).toString('base64') }));
}
async function grant(name, by, options) {
  const g = await sdk.PermissionsProtocol.createGrant({ signer: by.signer, grantedTo: who.bob.did, dateGranted: next(), dateExpires: expires, ...options });
  await emit(name, by, g.recordsWrite.message, g.permissionGrantBytes, true);
  return g;
}
async function revoke(name, by, g, description) {
  const at = next();
  sdk.Time.getCurrentTimestamp = () => at;
  const r = await sdk.PermissionsProtocol.createRevocation({ signer: by.signer, grant: await sdk.PermissionGrant.parse(g.dataEncodedMessage), description });
  await emit(name, by, r.recordsWrite.message, r.permissionRevocationBytes, true, who.alice);
}
// raw writes a record at a path of the protocol with any data, as no helper of the SDK would.
async function raw(name, by, value, options = {}) {
  const t = next(), data = enc(value);
  const w = await sdk.RecordsWrite.create({ signer: by.signer, messageTimestamp: t, dateCreated: t, recipient: who.bob.did, protocol: sdk.PermissionsProtocol.uri, protocolPath: 'grant', dataFormat: 'application/json', data, tags: { protocol }, ...options });
  await emit(name, by, w.message, data, false);
}

const scopes = [
  ...['Read', 'Write', 'Query', 'Subscribe', 'Delete'].map((method) => ({ interface: 'Records', method, protocol })),
  ...['Query', 'Read', 'Subscribe'].flatMap((method) => [{ interface: 'Messages', method }, { interface: 'Messages', method, protocol }]),
  ...['Configure', 'Query'].flatMap((method) => [{ interface: 'Protocols', method }, { interface: 'Protocols', method, protocol }]),
  { interface: 'Records', method: 'Write', protocol, contextId: context }, { interface: 'Records', method: 'Write', protocol, protocolPath: 'note/comment' },
  { interface: 'Messages', method: 'Read', protocol: 'EXAMPLE.org/Notes/?a#b' },
];
const made = [];
for (const scope of scopes) made.push(await grant('grant ' + Object.values(scope).join(' '), who.alice, { scope }));
const write = { interface: 'Records', method: 'Write', protocol };
const full = { requestId: context, description: 'for <Ada> & "日本" 🚀\n\t\\ \u0001', delegated: true, conditions: { publication: 'Required' }, scope: write };
made.push(await grant('grant with everything', who.alice, full));
made.push(await grant('grant that prohibits publication', who.alice, { scope: write, conditions: { publication: 'Prohibited' } }));
for (const name of ['bob', 'carol', 'dave', 'erin']) await grant('grant by ' + name, who[name], { scope: write, grantedTo: who.alice.did });
for (const g of [made[0], made[5], made.at(-2)]) await revoke('revocation', who.alice, g);
await revoke('revocation with a description', who.alice, made[1], 'für <immer> & ever');
await revoke('revocation by another', who.bob, made[2]);

const good = { dateExpires: expires, scope: write };
const odd = {
  'members in another order': { scope: { protocol, method: 'Write', interface: 'Records' }, dateExpires: expires }, 'delegated false': { ...good, delegated: false }, 'empty conditions': { ...good, conditions: {} },
  'white space': JSON.stringify(good, null, 2), 'empty description': { ...good, description: '' }, 'expired before granted': { ...good, dateExpires: '2020-01-01T00:00:00.000000Z' },
  'no dateExpires': { scope: write }, 'dateExpires in milliseconds': { ...good, dateExpires: '2031-12-31T23:59:59.999Z' }, 'dateExpires with an offset': { ...good, dateExpires: '2031-12-31T23:59:59.999999+00:00' }, 'dateExpires a number': { ...good, dateExpires: 1 },
  'dateExpires no day': { ...good, dateExpires: '2031-02-30T00:00:00.000000Z' }, 'no scope': { dateExpires: expires }, 'scope a text': { ...good, scope: 'all' }, 'empty scope': { ...good, scope: {} }, 'unknown member': { ...good, schema: 'https://example.org' },
  'unknown member of the scope': { ...good, scope: { ...write, schema: 'https://example.org' } }, 'unknown interface': { ...good, scope: { ...write, interface: 'Permissions' } }, 'no interface': { ...good, scope: { method: 'Write', protocol } }, 'unknown method': { ...good, scope: { ...write, method: 'Count' } },
  'method of another interface': { ...good, scope: { interface: 'Messages', method: 'Write', protocol } }, 'Records without protocol': { ...good, scope: { interface: 'Records', method: 'Write' } }, 'contextId and protocolPath': { ...good, scope: { ...write, contextId: context, protocolPath: 'note' } },
  'Protocols with contextId': { ...good, scope: { interface: 'Protocols', method: 'Query', protocol, contextId: context } }, 'Messages.Query with contextId': { ...good, scope: { interface: 'Messages', method: 'Query', protocol, contextId: context } },
  'Messages.Read with contextId': { ...good, scope: { interface: 'Messages', method: 'Read', protocol, contextId: context } }, 'Messages.Read with protocolPath': { ...good, scope: { interface: 'Messages', method: 'Read', protocol, protocolPath: 'note' } },
  'protocol not normalised': { ...good, scope: { ...write, protocol: 'https://example.org/protocols/notes/' } }, 'protocol a number': { ...good, scope: { ...write, protocol: 1 } }, 'protocol null': { ...good, scope: { ...write, protocol: null } }, 'contextId a number': { ...good, scope: { ...write, contextId: 1 } },
  'condition unknown': { ...good, conditions: { attestation: 'Required' } }, 'condition of another value': { ...good, conditions: { publication: 'required' } }, 'conditions null': { ...good, conditions: null }, 'delegated a text': { ...good, delegated: 'true' }, 'delegated null': { ...good, delegated: null },
  'description a number': { ...good, description: 1 }, 'requestId null': { ...good, requestId: null }, 'an array': [good], 'no JSON': 'grant', 'nothing': '', 'null': 'null', 'dateExpires twice': `{"dateExpires":"2020-01-01T00:00:00.000000Z",${JSON.stringify(good).slice(1)}`,
};
for (const [name, value] of Object.entries(odd)) await raw(name, who.alice, value);
await raw('10000 bytes', who.alice, { ...good, description: 'x'.repeat(10000 - JSON.stringify({ ...good, description: '' }).length) });
await raw('10001 bytes', who.alice, { ...good, description: 'x'.repeat(10001 - JSON.stringify({ ...good, description: '' }).length) });
await raw('no recipient', who.alice, good, { recipient: undefined });
await raw('recipient no DID', who.alice, good, { recipient: 'bob' });
await raw('no tag', who.alice, good, { tags: undefined });
await raw('tag of another protocol', who.alice, good, { tags: { protocol: 'https://example.org/other' } });
await raw('another dataFormat', who.alice, good, { dataFormat: 'text/plain' });
await raw('published', who.alice, good, { published: true, datePublished: '2025-06-01T00:00:00.000000Z' });
await raw('under an unknown path', who.alice, good, { protocolPath: 'permit' });
await raw('a request', who.alice, { delegated: false, scope: write }, { protocolPath: 'request' });
await raw('by another on a tenant that is not asked', who.dave, good);
await raw('a grant in another protocol', who.alice, good, { protocol, protocolPath: 'grant', tags: undefined });
await raw('revocation of nothing', who.alice, {}, { recipient: undefined, protocolPath: 'grant/revocation', parentContextId: context, tags: undefined });
await raw('revocation without parent', who.alice, {}, { recipient: undefined, protocolPath: 'grant/revocation', tags: undefined });

const lines = (file) => zlib.gunzipSync(fs.readFileSync(file)).toString().trim().split('\n').map((line) => JSON.parse(line));
const known = Object.fromEntries(Object.values(who).map((k) => [k.did, k.name]));
for (const file of ['vectors.jsonl.gz', 'corpus.jsonl.gz']) for (const v of lines(file)) {
  const d = v.message.descriptor;
  if (d.protocol !== sdk.PermissionsProtocol.uri || v.status !== 202 || file[0] === 'c' && d.protocolPath === 'request') continue;
  console.log(JSON.stringify({ name: `${file.split('.')[0]}: ${v.name ?? v.kind}`, by: known[v.author ?? sdk.Message.getAuthor(v.message)], cid: v.cid, status: v.status, made: false, message: v.message, dataBase64: v.dataBase64 }));
}
await dwn.close();
fs.rmSync(dir, { recursive: true });
