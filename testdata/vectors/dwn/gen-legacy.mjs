// Writes legacy.jsonl: messages of the older interfaces, made with
// @tbd54566975/dwn-sdk-js 0.2.18. Node 20: npm i @tbd54566975/dwn-sdk-js@0.2.18,
// copy this file and gen-lib.mjs beside node_modules, then:
// node gen-legacy.mjs > legacy.jsonl
import * as sdk from '@tbd54566975/dwn-sdk-js';
import { makeDid, tick, emit, bytes } from './gen-lib.mjs';
const alice = makeDid(sdk, 'alice', 'key', 'Ed25519'), bob = makeDid(sdk, 'bob', 'jwk', 'secp256k1'), carol = makeDid(sdk, 'carol', 'key', 'secp256k1');
const add = (name, message, data) => emit(sdk, '0.2.18', name, message, data);
const protocol = 'https://example.org/protocols/legacy', schema = 'https://example.org/schemas/note', dateExpires = '2031-12-31T23:59:59.999999Z';
const between = { grantedBy: alice.did, grantedTo: bob.did, grantedFor: alice.did };
const scopes = [
  { interface: 'Records', method: 'Read', protocol, contextId: 'bafyreicontext' }, { interface: 'Records', method: 'Read', protocol, protocolPath: 'note/comment' }, { interface: 'Records', method: 'Read', schema },
  { interface: 'Records', method: 'Write', protocol }, { interface: 'Records', method: 'Write', schema }, { interface: 'Records', method: 'Write' }, { interface: 'Records', method: 'Query', protocol }, { interface: 'Records', method: 'Subscribe', protocol },
  { interface: 'Records', method: 'Delete', schema }, { interface: 'Protocols', method: 'Query' },
];
for (const scope of scopes) {
  const request = await sdk.PermissionsRequest.create({ signer: bob.signer, messageTimestamp: tick(), ...between, description: 'Bitte: ' + scope.method + ' 🙏', scope, ...(scope.method === 'Write' ? { conditions: { publication: 'Required' } } : {}) });
  await add('PermissionsRequest ' + scope.interface + '.' + scope.method, request.message);
  const grant = await sdk.PermissionsGrant.create({ signer: alice.signer, messageTimestamp: tick(), dateExpires, ...between, scope, permissionsRequestId: await sdk.Message.getCid(request.message), ...(scope.method === 'Write' ? { conditions: { publication: 'Prohibited' }, description: '' } : {}) });
  await add('PermissionsGrant ' + scope.interface + '.' + scope.method, grant.message);
  const revoke = await sdk.PermissionsRevoke.create({ signer: alice.signer, messageTimestamp: tick(), permissionsGrantId: await sdk.Message.getCid(grant.message) });
  await add('PermissionsRevoke ' + scope.interface + '.' + scope.method, revoke.message);
}
const delegated = await sdk.PermissionsGrant.create({ signer: alice.signer, messageTimestamp: tick(), dateExpires, ...between, delegated: true, scope: { interface: 'Records', method: 'Write', protocol } });
await add('PermissionsGrant delegated', delegated.message);
const delegatedDelete = await sdk.PermissionsGrant.create({ signer: alice.signer, messageTimestamp: tick(), dateExpires, ...between, delegated: true, scope: { interface: 'Records', method: 'Delete', protocol } });
await add('PermissionsGrant delegated delete', delegatedDelete.message);

const definition = { protocol, published: true, types: { note: { schema, dataFormats: ['application/json', 'text/plain'] }, comment: {} }, structure: { note: { $actions: [{ who: 'anyone', can: 'write' }, { who: 'anyone', can: 'read' }], $size: { min: 1, max: 10000.5 }, comment: { $actions: [{ who: 'author', of: 'note', can: 'delete' }] } } } };
await add('ProtocolsConfigure', (await sdk.ProtocolsConfigure.create({ signer: alice.signer, messageTimestamp: tick(), definition })).message);
await add('ProtocolsConfigure by a holder of a grant', (await sdk.ProtocolsConfigure.create({ signer: bob.signer, messageTimestamp: tick(), definition, permissionsGrantId: await sdk.Message.getCid(delegated.message) })).message);
let rules = { $actions: [{ who: 'anyone', can: 'read' }] };
for (let i = 0; i < 10; i++) rules = { ['abcdefghij'[i]]: rules };
await add('ProtocolsConfigure of ten levels', (await sdk.ProtocolsConfigure.create({ signer: alice.signer, messageTimestamp: tick(), definition: { protocol: 'example.org/deep', published: false, types: Object.fromEntries([...'abcdefghij'].map((t) => [t, {}])), structure: rules } })).message);

async function write(name, who, options, owner) {
  const messageTimestamp = options.messageTimestamp ?? tick(), { fresh = true, ...rest } = options;
  const w = await sdk.RecordsWrite.create({ signer: who.signer, messageTimestamp, ...(fresh ? { dateCreated: messageTimestamp } : {}), dataFormat: 'application/json', ...(options.published ? { datePublished: messageTimestamp } : {}), ...rest });
  if (owner) await w.signAsOwner(owner.signer);
  return add('RecordsWrite ' + name, w.message, options.data);
}
const flat = await write('flat', alice, { schema, data: bytes({ a: 1 }) });
await write('flat, secp256k1 did:jwk', bob, { schema: 'schema.org/Person/', data: bytes('x') });
await write('flat, secp256k1 did:key, published', carol, { published: true, data: bytes({ p: true }) });
await write('empty data', alice, { data: new Uint8Array(0) });
await write('recipient', alice, { recipient: bob.did, schema, data: bytes({ to: 1 }) });
await write('kept by the owner', bob, { schema, data: bytes({ keep: 1 }) }, alice);
const note = await write('of a protocol', alice, { protocol, protocolPath: 'note', schema, data: bytes({ n: 1 }) });
await write('child', alice, { protocol, protocolPath: 'note/comment', parentContextId: note.contextId, parentId: note.recordId, data: bytes({ c: 1 }) });
await write('with a role', bob, { protocol, protocolPath: 'note', schema, protocolRole: 'friend', data: bytes({ r: 1 }) });
await write('with a grant', bob, { schema, permissionsGrantId: await sdk.Message.getCid(delegated.message), data: bytes({ g: 1 }) });
await write('for alice, delegated', bob, { protocol, protocolPath: 'note', schema, delegatedGrant: delegated.message, data: bytes({ d: 1 }) });
await write('attested', alice, { schema, attestationSigners: [carol.signer], data: bytes({ at: 1 }) });
{ const update = await sdk.RecordsWrite.createFrom({ recordsWriteMessage: flat, signer: alice.signer, messageTimestamp: tick(), data: bytes({ a: 2 }) }); await add('RecordsWrite update', update.message, bytes({ a: 2 })); }
await add('RecordsDelete', (await sdk.RecordsDelete.create({ signer: alice.signer, messageTimestamp: tick(), recordId: flat.recordId })).message);
await add('RecordsDelete for alice, delegated', (await sdk.RecordsDelete.create({ signer: bob.signer, messageTimestamp: tick(), recordId: note.recordId, delegatedGrant: delegatedDelete.message })).message);
await add('EventsGet', (await sdk.EventsGet.create({ signer: alice.signer, messageTimestamp: tick() })).message);
await add('EventsGet with cursor', (await sdk.EventsGet.create({ signer: alice.signer, messageTimestamp: tick(), cursor: { messageCid: 'bafyreia', value: 12.5 } })).message);
await add('EventsQuery', (await sdk.EventsQuery.create({ signer: alice.signer, messageTimestamp: tick(), filters: [{ protocol }, { interface: 'Records', method: 'Write', dateUpdated: { from: '2024-01-01T00:00:00.000000Z' } }] })).message);
await add('EventsSubscribe', (await sdk.EventsSubscribe.create({ signer: alice.signer, messageTimestamp: tick(), filters: [{ schema }] })).message);
await add('MessagesGet', (await sdk.MessagesGet.create({ signer: alice.signer, messageTimestamp: tick(), messageCids: [await sdk.Message.getCid(flat), await sdk.Message.getCid(note)] })).message);
await add('RecordsQuery', (await sdk.RecordsQuery.create({ signer: alice.signer, messageTimestamp: tick(), filter: { schema, dataSize: { gt: 0.5, lte: 1e6 } } })).message);
await add('RecordsRead', (await sdk.RecordsRead.create({ signer: alice.signer, messageTimestamp: tick(), filter: { recordId: flat.recordId } })).message);
