// Writes urls.jsonl: how @tbd54566975/dwn-sdk-js 0.5.2 normalises schema and
// protocol URLs. Node 20: npm i @tbd54566975/dwn-sdk-js@0.5.2, copy this file
// beside node_modules, then: node gen-urls.mjs [number of random texts] > urls.jsonl
import { createHash } from 'node:crypto';
import { normalizeProtocolUrl, normalizeSchemaUrl } from './node_modules/@tbd54566975/dwn-sdk-js/dist/esm/src/utils/url.js';

const fixed = [
  '', ' ', 'example.org', 'Example.ORG', 'EXAMPLE.org/', 'example.org//', 'example.org/a/', 'http://example.org', 'HTTP://Example.Org:80/A/../b',
  'https://example.org:443', 'https://example.org:80', 'http://example.org:443/', 'http://example.org:00080/', 'http://example.org:', 'http://example.org:99999',
  'http://example.org:65535', 'http://example.org:8o', 'localhost', 'localhost:8080', 'localhost:8080/a', '127.0.0.1:80/x', 'http:example.org', 'http:/example.org', 'http:///example.org',
  'http:////example.org', 'https:\\\\example.org\\a\\b', 'http://', 'http:', 'https://', ':', '::', ':a', '//', '//example.org', '/example.org', 'a', 'a:b', 'a:/b', 'a://b', 'a://B/C', 'a:///b', 'a:////b',
  'a:b?x#y', 'a:b ?x', 'a:b #y', 'a:b  ', 'a:b /c', 'a:/./b', 'a:/.//b', 'a:/..//b', 'a:/x/..//b', 'a://h/../..', 'a://', 'a://?x', 'a://@h', 'a://u@h', 'a://u:p@h:80/', 'a://:80', 'a://h:80', 'a://h:0080/x',
  'urn:example:Note', 'URN:Example:Note', 'did:key:z6Mk', 'did:web:example.org#x', 'mailto:a@b.c', 'data:text/plain,hi there?x', 'javascript:alert(1)', 'tag:example.org,2020:x', 'urn:uuid:6E8BC430-9C3A-11D9-9669-0800200C9A66',
  'https://example.org?x=1', 'https://example.org/?x=1#y', 'https://example.org#y', 'https://example.org/a?x=/', 'https://example.org/a/?', 'https://example.org/a/#', 'https://example.org/a b', 'https://example.org/a%20b', 'https://example.org/ä', 'https://example.org/日本/🚀', 'https://example.org/%e4',
  'https://example.org/a/./b/../c', 'https://example.org/a/%2e/b/%2E%2e/c', 'https://example.org/..', 'https://example.org/.', 'https://example.org/a/..', 'https://example.org/a/.', 'https://example.org//a//b//', 'https://example.org/a;b=c,d:e@f!g$h&i\'j(k)l*m+n~o|p^q[r]s{t}u`v"w<x>y\\z', 'https://example.org/%zz%', 'https://example.org/a\tb\nc',
  'https://user@example.org/', 'https://user:pass@example.org/', 'https://:pass@example.org/', 'https://user:@example.org/', 'https://@example.org/', 'https://:@example.org/', 'https://u@v@example.org/', 'https://u:p:q@example.org', 'https://u ser:p/w@example.org', 'https://user@', 'https://@', 'https://ü:ß@example.org',
  'https://exa mple.org', 'https://exa%20mple.org', 'https://exa%41mple.org', 'https://ex%2eample.org', 'https://example.org.', 'https://example..org', 'https://.example.org', 'https://-a.b', 'https://a_b.c', 'https://a*b.c', 'https://a!b', 'https://a$b', "https://a'b", 'https://a(b)', 'https://a+b', 'https://a,b', 'https://a;b', 'https://a=b', 'https://a~b', 'https://a`b', 'https://a{b}', 'https://a"b', 'https://a|b', 'https://a^b', 'https://a<b', 'https://a&b', 'https://a%b', 'https://%', 'https://a%00b', 'https://a%7fb', 'https://a\u007fb', 'https://a\u0000b', 'https://a\u0001b',
  'https://1', 'https://1.2', 'https://1.2.3', 'https://1.2.3.4', 'https://1.2.3.4.', 'https://1.2.3.4..', 'https://1.2.3.4.5', 'https://256.1.1.1', 'https://1.1.1.256', 'https://1.1.256', 'https://1.65536', 'https://1.16777216', 'https://4294967295', 'https://4294967296', 'https://0x7f.1', 'https://0x7f000001', 'https://0X7F.0.0.1', 'https://017700000001', 'https://010.1.1.1', 'https://08.1.1.1', 'https://0x', 'https://0x.0x', 'https://0xg', 'https://1.0xg', 'https://1.2.3.a', 'https://a.1', 'https://a.09', 'https://a.0x1', 'https://a.0xz', 'https://1..2', 'https://..1', 'https://a.1.', 'https://00', 'https://1.2.3.4a', 'https://99999999999999999999', 'https://a.99999999999999999999', 'https://0x99999999999999999', 'https://+1', 'https://1_0', 'https://0b1', 'https://0o7', 'https://0x_1',
  'https://[::1]', 'https://[::1]:443/', 'https://[::1]:8443', 'https://[1:2:3:4:5:6:7:8]', 'https://[1::8]', 'https://[1:0:0:2:0:0:0:3]', 'https://[1:0:0:2:3:0:0:4]', 'https://[1:0:2:3:4:5:6:7]', 'https://[::ffff:1.2.3.4]', 'https://[::1.2.3.4]', 'https://[64:ff9b::1.2.3.4]', 'https://[ABCD::EF]', 'https://[0001::]', 'https://[00001::]', 'https://[::]', 'https://[:]', 'https://[]', 'https://[1]', 'https://[::1', 'https://::1', 'https://[::1]a', 'https://[::1%25eth0]', 'https://[fe80::1%eth0]', 'https://[::1.2.3]', 'https://[::1.2.3.256]', 'https://[::01.2.3.4]', 'https://[1:2:3:4:5:6:7:8:9]', 'https://[1::2::3]', 'https://[1:2:3:4:5:6:7::]', 'https://[1:2:3:4:5:6:7:8::]', 'https://[::1:2:3:4:5:6:7]', 'https://[v1.a]', 'a://[::1]', 'a://[::1]:80/', 'a://[x]', 'https://x[::1]', 'https://u@[::1]:80',
  'a://ä', 'a://A%zzB', 'a://a b', 'a://a<b', 'a://a^b', 'a://a|b', 'a://a%b', 'a://a\\b', 'a://a\u007f', 'a://h/ä b`{}^|', 'a:ä b`{}^|\\"<>', 'a:\\b', 'a:b\\c', 'a://h\\b/c', 'a:..', 'a:./..', 'a:b/../c',
  'file:///a/b', 'file:/a/b', 'file:a', 'file://host/a', 'file://localhost/a', 'file://LOCALHOST', 'file://', 'file:///', 'file:', 'file://h', 'file://h:80/', 'file://u@h/', 'file:////a', 'file://///a', 'file:/..//a', 'file:\\\\h\\a',
  'ws://h:80', 'wss://h:443/', 'wss://h:80', 'ftp://h:21/a', 'ftp://h:22', 'ssh://h:22', 'git+ssh://h/a', 'a+b-c.d:x', '1a:b', '1a://b', 'a_b:c', 'ä:b', '\u212a:b', 'http//example.org', 'http;//a', 'https;', 'http://http://a', 'http://a:b', 'http://a:b@', 'http://a@b@c:1:2',
  '\u0000http://a\u0000', '\u001fhttp://a\u001f ', ' http://a ', 'ht\ntp://a', 'http://a/ ', 'http://a/\u0000', 'http://a/\u007f', 'http://a/\u0080', 'http://a/\ufffd', 'http://a/\ud800', 'http://\ud800', 'a\nb:c', '\n:a', ':\n', 'x\u2028:/y', 'x:/\u2028',
  'http://müller.de', 'http://M\u00dcLLER.de', 'http://faß.de', 'http://日本語.jp', 'http://%e6%97%a5.jp', 'http://xn--mller-kva.de', 'http://XN--MLLER-KVA.de', 'http://a\u00adb', 'http://\uff21.b', 'http://a\u3002b', 'http://１.2.3.4',
  'tbd.website/dwn/permissions', 'https://tbd.website/dwn/permissions', 'https://identity.foundation/dwn/permissions/', 'schema.org/Person', 'https://schema.org/Person/', 'x'.repeat(300), 'http://' + 'x'.repeat(300), 'http://' + 'a.'.repeat(200) + 'b',
];
let counter = 0, pool = Buffer.alloc(0);
const next = (n) => { if (pool.length < 4) pool = createHash('sha256').update('urls:' + counter++).digest(); const v = pool.readUInt32BE(0); pool = pool.subarray(4); return v % n; };
const pieces = ['http:', 'https:', 'a:', 'urn:', 'ws:', 'file:', '/', '//', '///', '\\', ':', '@', '?', '#', '.', '..', '%2e', '%', '%41', '[', ']', '[::1]', '::', '1', '0x', '0', '256', '99999', ':80', ':443', ':21', 'a', 'B', 'exa', '.org', ' ', '\t', '`', '{', '^', '|', '"', '<', '~', '_', '-', "'", '$', 'c', 'C|'];
const random = Array.from({ length: Number(process.argv[2] ?? 200) }, () => Array.from({ length: 1 + next(9) }, () => pieces[next(pieces.length)]).join(''));

for (const url of [...fixed, ...random]) {
  let normal = null;
  try { normal = normalizeProtocolUrl(url); if (normal !== normalizeSchemaUrl(url)) throw Error('schema and protocol differ'); } catch (e) { normal = null; }
  // refused: no normal form exists. strict: one does, but dwnsync refuses to guess it.
  let strict = false;
  if (normal !== null) strict = needsStrict(url, normal);
  console.log(JSON.stringify({ url, ...(normal === null ? { refused: true } : { normal }), ...(strict ? { strict: true } : {}) }));
}
// Hosts beyond ASCII need the tables of UTS 46; drive letters are the file scheme's own folklore.
function needsStrict(url, normal) {
  const scheme = normal.slice(0, normal.indexOf(':'));
  if (scheme === 'file') return url.replace(/[\t\n\r]/g, '').trim().slice(5).split(/[?#]/)[0].split(/[\/\\]/).some((s) => /^[a-zA-Z][:|]$/.test(s));
  if (!['http', 'https', 'ws', 'wss', 'ftp'].includes(scheme)) return false;
  const clean = url.replace(/[\t\n\r]/g, '').replace(/^[\u0000- ]+/, '').replace(/^[a-zA-Z]+:/, (m) => /^(https?|wss?|ftp):$/i.test(m) ? '' : m);
  let host = clean.replace(/^[\/\\]+/, '').split(/[\/\\?#]/)[0];
  host = host.slice(host.lastIndexOf('@') + 1);
  try { host = decodeURIComponent(host); } catch { }
  return /[^\u0000-\u007f]/.test(host);
}
