// Writes numbers.jsonl: odd JSON texts of messages and what the reference makes
// of them: cborHex and cid, or refused. "strict" marks texts that the reference
// takes and dwnsync refuses, "loose" those that it cannot encode and dwnsync can.
// Node 20: npm i @tbd54566975/dwn-sdk-js@0.5.2, copy this file beside
// node_modules, then: node gen-numbers.mjs > numbers.jsonl
import { createHash } from 'node:crypto';
import { Message } from '@tbd54566975/dwn-sdk-js';
import * as cbor from '@ipld/dag-cbor';
console.warn = () => { };
let counter = 0, pool = Buffer.alloc(0);
const next = (n) => { if (pool.length < 4) pool = createHash('sha256').update('numbers:' + counter++).digest(); const v = pool.readUInt32BE(0); pool = pool.subarray(4); return v % n; };
const wrap = (value) => `{"descriptor":{"interface":"Records","method":"Write","messageTimestamp":"2025-01-01T00:00:00.000000Z","x":${value}}}`;

const numbers = ['0', '-0', '0.0', '-0.0', '0e0', '-0e-5', '1', '-1', '1.0', '-1.0', '1e0', '10e-1', '1E1', '1e+1', '0.1', '-0.1', '2.5', '1.5', '23', '24', '-24', '-25', '255', '256', '-256', '-257', '65535', '65536', '-65536', '-65537', '4294967295', '4294967296', '-4294967296', '-4294967297',
  '9007199254740990', '9007199254740991', '9007199254740992', '9007199254740993', '9007199254740994', '9007199254740995', '-9007199254740991', '-9007199254740992', '-9007199254740993', '9007199254740991.0', '9007199254740991.4', '9007199254740990.5', '9007199254740991.5', '4503599627370496.5', '4503599627370497.5', '9223372036854775807', '9223372036854775808', '18446744073709551615', '18446744073709551616', '-9223372036854775808', '-18446744073709551616', '123456789012345678901234567890',
  '1e15', '1e16', '1e20', '1e21', '1e22', '1e23', '1e100', '1.7976931348623157e308', '1.7976931348623158e308', '1.7976931348623159e308', '-1.7976931348623157e308', '1e308', '1e309', '-1e309', '1e999', '-1e999', '1e99999999', '0e99999999', '5e-324', '2.5e-324', '2.4703282292062327e-324', '2.4703282292062328e-324', '4.9e-324', '2.2250738585072014e-308', '2.2250738585072011e-308', '1e-323', '1e-400', '-1e-400', '1e-99999999',
  '3.141592653589793', '0.30000000000000004', '0.1e1', '100e-2', '123456.789e3', '1.23456789012345678901234567890', '65504', '65504.5', '0.5', '0.25', '1e-7', '123e-7', '3.4028234663852886e38', '5.960464477539063e-8'];
const strings = ['""', '"a"', '"bafyreihluktesmiiq6qoynurvhqu3ik45h5yidxhk226ps2263tyska3mi"', '"\\ud800"', '"\\udc00"', '"\\ud800\\ud800x"', '"\\\\ud800\\\\ud800"', '["\\ud800","\\ud800"]', '"\\ud800x\\ud800"', '"\\ud800\\n\\ud800"', '"\\ud83d\\ude80"', '"\\ud83dx\\ude80"', '"\\udc00\\ud800"', '"\\ud800\\u0041"', '"\\ud83d\\ud83d\\ude80"', '"\\ud83d🚀"', '"\\u0000"', '"\\u001f"', '"\\u007f"', '"\\u0080"', '"\\u2028\\u2029"', '"\\ufeff"', '"\\ufffd"', '"\\uffff"', '"\\b\\f\\n\\r\\t\\/\\\\\\""', '"é"', '"e\\u0301"', '"日本語"', '"🚀"', `"${'x'.repeat(23)}"`, `"${'x'.repeat(24)}"`, `"${'x'.repeat(63)}\\ud800"`, `"${'x'.repeat(64)}\\ud800"`, `"${'x'.repeat(70)}\\ud800\\ud83d\\ude80"`, `"${'ä'.repeat(128)}"`, `"${'x'.repeat(256)}"`, `"${'x'.repeat(65536)}"`];
const values = ['null', 'true', 'false', '[]', '{}', '[[]]', '[{}]', '{"a":[]}', '{"a":null}', '[null,true,false,0,"",[],{}]', '{"/":"bafyreihluktesmiiq6qoynurvhqu3ik45h5yidxhk226ps2263tyska3mi"}', '{"/":{"bytes":"AAAA"}}', '{"/":1}', '{"/":null,"bytes":null}', '{"/":"a","bytes":"b"}',
  '{"b":1,"a":2}', '{"aa":1,"b":2}', '{"b":1,"aa":2,"":3}', '{"é":1,"zz":2,"z":3}', '{"\\ud800":1}', '{"Z":1,"a":2,"_":3}', '{"10":1,"9":2,"1":3}', '{"z":1,"日":2,"aaa":3,"aaaa":4,"🚀":5}', '{"\\uffff":1,"\\ud83d\\ude80":2,"\\ufffd":3}', '{"__proto__":1}', '{"__proto__":{"a":1}}', '{"constructor":1,"toJSON":2,"length":3,"hasOwnProperty":4,"asCID":5}', '{"encodedData":"x"}', '{"encodedData":""}', ` {\t"a" :\r\n[ 1 , 2 ] } `,
  '['.repeat(30) + ']'.repeat(30), '{"a":'.repeat(29) + '{}' + '}'.repeat(29), `[${Array.from({ length: 300 }, (_, i) => i).join()}]`, `{${Array.from({ length: 30 }, (_, i) => `"k${i * 7 % 30}":${i}`).join()}}`];
const random = [];
for (let i = 0; i < 150; i++) { // any bits of a float64, printed by JavaScript and by hand
  const view = new DataView(new ArrayBuffer(8)); view.setUint32(0, next(2 ** 32 - 1)); view.setUint32(4, next(2 ** 32 - 1));
  const f = view.getFloat64(0); if (Number.isFinite(f)) random.push(String(f), f.toExponential(20));
  random.push(String(next(2 ** 32 - 1) * (1 + next(2 ** 22)) * (next(2) ? 1 : -1)), `${next(1e9)}${next(1e9)}${next(1e9)}`.slice(0, 14 + next(6)), `${next(1000)}.${next(1e9)}e${next(40) - 20}`);
}
const refused = [wrap('1e999'), wrap('01'), wrap('1.'), wrap('.5'), wrap('+1'), wrap('NaN'), wrap('Infinity'), wrap('undefined'), wrap('0x10'), wrap('1_0'), wrap("'a'"), wrap('"\t"'), wrap('"\\x41"'), wrap('"\\u12"'), wrap('[1,]'), wrap('{"a":1,}'), wrap('{a:1}'), wrap('[1 2]'), wrap('1') + '1', wrap('1').slice(0, -1), '\ufeff' + wrap('1'), wrap('/**/1'), wrap('{"a" 1}'), wrap('tru'), ''];
const strict = [
  ['a member given twice', wrap('{"a":1,"a":2}')], ['a member given twice', wrap('{"a":1,"\\u0061":1}')], ['two members become one', wrap('{"\\ud800":1,"\\ud801":2}')],
  ['deeper than 32', wrap('['.repeat(31) + ']'.repeat(31))], ['no object', '[]'], ['no object', '1'], ['no object', 'null'], ['no descriptor', '{}'], ['no descriptor', '{"descriptor":[]}'], ['no method', '{"descriptor":{"interface":"Records","messageTimestamp":"2025-01-01T00:00:00.000000Z"}}'], ['no time', '{"descriptor":{"interface":"Records","method":"Write"}}'], ['no time', '{"descriptor":{"interface":"Records","method":"Write","messageTimestamp":"2025-02-30T00:00:00.000000Z"}}'],
];
for (const t of ['"\\ud800\\ud800"', '"x\\ud83d\\udBFF"', '{"\\ud800\\ud800":1}', '["a","\\\\\\ud800\\ud800\\ud800"]']) strict.push(['ends in two first halves of surrogate pairs', wrap(t)]);
const loose = [['taken for a CID by mistake', wrap('{"/":"x","bytes":"x"}')], ['taken for a CID by mistake', wrap('{"/":1,"bytes":1}')]];
async function line(text, extra = {}) {
  let out;
  try {
    const message = JSON.parse(text);
    const { encodedData, ...rest } = message ?? {};
    out = { cid: await Message.getCid(rest), cborHex: Buffer.from(cbor.encode(message !== null && typeof message === 'object' && !Array.isArray(message) ? rest : message)).toString('hex') };
  } catch (e) { out = { refused: e.message.slice(0, 100) }; }
  console.log(JSON.stringify({ text, ...out, ...extra }));
}
for (const v of [...numbers, ...strings, ...values, ...random]) await line(wrap(v));
for (const data of ['"aGk"', '""', 'null', '0', '{"a":1}']) await line(wrap('1').replace(/}$/, `,"encodedData":${data}}`));
for (const text of refused) await line(text);
for (const [reason, text] of strict) await line(text, { strict: reason });
for (const [reason, text] of loose) await line(text, { loose: reason });
