// Writes datacid.jsonl: sizes of data and the dataCid that the reference gives
// them. Byte i of the data is (7*(i mod 251) + floor(i/1000)) mod 256.
// Node 20: npm i @tbd54566975/dwn-sdk-js@0.5.2, copy this file beside
// node_modules, then: node gen-datacid.mjs > datacid.jsonl (about a minute)
import { Cid, DataStream } from '@tbd54566975/dwn-sdk-js';
const C = 262144;
for (const size of [0, 1, 2, 255, 256, 29999, 30000, 30001, C - 1, C, C + 1, 2 * C - 1, 2 * C, 2 * C + 1, 3 * C + 5, 173 * C, 174 * C - 1, 174 * C, 174 * C + 1, 175 * C, 175 * C + 1, 348 * C, 348 * C + 1, 349 * C, 349 * C + 1, 400 * C + 77]) {
  const data = new Uint8Array(size);
  for (let i = 0; i < size; i++) data[i] = (7 * (i % 251) + Math.floor(i / 1000)) % 256;
  const cid = await Cid.computeDagPbCidFromBytes(data);
  if (cid !== await Cid.computeDagPbCidFromStream(DataStream.fromBytes(data))) throw Error('stream and bytes differ');
  console.log(JSON.stringify({ size, cid }));
}
