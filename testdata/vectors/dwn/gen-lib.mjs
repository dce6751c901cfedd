// Shared by gen-legacy.mjs and gen-odd.mjs: throw-away keys from fixed names, a
// clock, and the line that is written for a message.
import { createHash } from 'node:crypto';
import { base58btc } from 'multiformats/bases/base58';
import { ed25519 } from '@noble/curves/ed25519';
import { secp256k1 } from '@noble/curves/secp256k1';
import * as cbor from '@ipld/dag-cbor';

const b64u = (bytes) => Buffer.from(bytes).toString('base64url');
export const sha = (text) => new Uint8Array(createHash('sha256').update(text).digest());
export const bytes = (value) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

export function makeDid(sdk, name, method, curve) {
  const secret = sha('dwnsync throw-away key:' + name);
  const ed = curve === 'Ed25519';
  const point = ed ? ed25519.getPublicKey(secret) : secp256k1.getPublicKey(secret, true);
  const full = ed ? null : secp256k1.getPublicKey(secret, false);
  const publicJwk = ed ? { kty: 'OKP', crv: curve, x: b64u(point) } : { kty: 'EC', crv: curve, x: b64u(full.subarray(1, 33)), y: b64u(full.subarray(33)) };
  const multibase = base58btc.encode(Uint8Array.from([...(ed ? [0xed, 1] : [0xe7, 1]), ...point]));
  const did = method === 'key' ? 'did:key:' + multibase : 'did:jwk:' + b64u(JSON.stringify(publicJwk));
  const keyId = method === 'key' ? did + '#' + multibase : did + '#0';
  const algorithm = ed ? 'EdDSA' : 'ES256K';
  return { did, keyId, publicJwk, signer: new sdk.PrivateKeySigner({ privateJwk: { ...publicJwk, d: b64u(secret), alg: algorithm, kid: keyId }, keyId, algorithm }) };
}

let now = Date.UTC(2024, 1, 29, 23, 0, 0);
export const tick = () => new Date(now += 61_001).toISOString().replace('Z', '007Z');

export async function emit(sdk, version, name, message, data, extra = {}) {
  message = JSON.parse(JSON.stringify(message));
  const { encodedData, ...hashed } = message;
  const signerOf = (m) => m.authorization && sdk.Jws.getSignerDid(m.authorization.signature.signatures[0]);
  const author = sdk.Message.getAuthor?.(message) ?? signerOf(message.authorization?.authorDelegatedGrant ?? message); // 0.2.18 has no getAuthor
  const write = message.descriptor.method === 'Write';
  console.log(JSON.stringify({
    name, sdk: '@tbd54566975/dwn-sdk-js@' + version,
    cid: await sdk.Message.getCid(message), descriptorCid: await sdk.Cid.computeCid(message.descriptor),
    ...(message.attestation ? { attestationCid: await sdk.Cid.computeCid(message.attestation) } : {}),
    ...(message.encryption ? { encryptionCid: await sdk.Cid.computeCid(message.encryption) } : {}),
    author: author ?? '', signer: signerOf(message) ?? '',
    ...(write ? { entryId: await sdk.RecordsWrite.getEntryId(author, message.descriptor), isInitialWrite: await sdk.RecordsWrite.isInitialWrite(message) } : {}),
    message, cborHex: Buffer.from(cbor.encode(hashed)).toString('hex'),
    ...(data === undefined ? {} : { dataBase64: Buffer.from(data).toString('base64') }), ...extra,
  }));
  return message;
}
