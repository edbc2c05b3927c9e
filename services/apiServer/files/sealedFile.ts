import { createCipheriv, createDecipheriv } from "node:crypto";
import { Transform } from "node:stream";

const algorithm = "aes-256-gcm";
const tagBytes = 16;
/** Bytes that are encrypted together. Each part is checked before any byte of it is given out. */
const partBytes = 64 << 10;

/**
 * Encrypts a file while it is written: parts of 64 KiB, each with a tag. The place of a part, and whether it is the last one, are in
 * its nonce, so parts cannot be changed, moved, left out or cut off.
 *
 * @param key 32 bytes that encrypt no other file.
 */
export function sealing(key: Uint8Array): Transform {
  return inParts(partBytes, (part, nonce) => {
    const cipher = createCipheriv(algorithm, key, nonce);
    return Buffer.concat([cipher.update(part), cipher.final(), cipher.getAuthTag()]);
  });
}

/** Decrypts what `sealing` has written. The stream fails at a part that was changed, and at an end that was cut off. */
export function opening(key: Uint8Array): Transform {
  return inParts(partBytes + tagBytes, (part, nonce) => {
    const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
    decipher.setAuthTag(part.subarray(-tagBytes));
    return Buffer.concat([decipher.update(part.subarray(0, -tagBytes)), decipher.final()]);
  });
}

/** The last part is known when the stream ends, so a whole part is kept until another byte follows. */
function inParts(size: number, work: (part: Buffer, nonce: Buffer) => Buffer): Transform {
  let kept: Buffer[] = [];
  let length = 0;
  let number = 0n;
  const next = (part: Buffer, isLast: boolean) => {
    const nonce = Buffer.alloc(12);
    nonce.writeUInt8(isLast ? 1 : 0, 0);
    nonce.writeBigUInt64BE(number, 4);
    number += 1n;
    return work(part, nonce);
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      kept.push(chunk);
      length += chunk.length;
      if (length <= size) return done();
      try {
        let rest = Buffer.concat(kept);
        for (; rest.length > size; rest = rest.subarray(size)) this.push(next(rest.subarray(0, size), false));
        kept = [rest];
        length = rest.length;
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      try {
        done(null, next(Buffer.concat(kept), true));
      } catch (error) {
        done(error as Error);
      }
    },
  });
}
