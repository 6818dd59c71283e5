#!/usr/bin/env node
// Decrypts one object of a Ringvault that its host encrypted, with nothing but Node 18: docs/storage-format.md, "Encrypted
// objects". restore-by-hand.py calls it; by itself:
//   RINGVAULT_DATA_KEY=<base64 of the data key> node decrypt-object.mjs <SHA-256 of the object's name> <from file> <to file>
// Exit code: 0 where every chunk is what was encrypted, 1 where not: nothing of what was written counts then.
import { createDecipheriv, hkdfSync } from 'node:crypto';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

const [HEADER, CHUNK, TAG] = [512, 65_536 + 16, 16];
const [name, from, to] = process.argv.slice(2);

function read(file, length) {
  const buffer = Buffer.alloc(length);
  let got = 0;
  for (let more = -1; more !== 0 && got < length; got += more)
    more = readSync(file, buffer, got, length - got);
  return buffer.subarray(0, got);
}

try {
  const [source, target] = [openSync(from, 'r'), openSync(to, 'w')];
  const header = read(source, HEADER);
  if (header.length < HEADER || header.toString('latin1', 0, 8) !== 'RVENC\0\0\x01')
    throw new Error('no header');
  const dataKey = Buffer.from(process.env.RINGVAULT_DATA_KEY ?? '', 'base64');
  const key = hkdfSync('sha256', dataKey, header.subarray(480), `ringvault/object/${name}`, 32);
  let chunk = read(source, CHUNK);
  for (let index = 0; chunk !== undefined; index += 1) {
    const next = chunk.length === CHUNK ? read(source, CHUNK) : Buffer.alloc(0);
    const isLast = next.length === 0;
    if (chunk.length < TAG) throw new Error(`chunk ${index} is cut`);
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(index, 7);
    nonce[11] = isLast ? 1 : 0;
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key), nonce, { authTagLength: TAG });
    decipher.setAuthTag(chunk.subarray(-TAG));
    const plain = decipher.update(chunk.subarray(0, -TAG));
    decipher.final();
    for (let at = 0; at < plain.length; ) at += writeSync(target, plain, at);
    chunk = isLast ? undefined : next;
  }
  closeSync(target);
} catch (error) {
  console.error(`${from}: it cannot be decrypted as object ${name}: ${error.message}`);
  process.exit(1);
}
