/** Bytes of a block: about as many tokens as an inference engine's cache block has, four bytes each. */
const blockBytes = 64;
/** Blocks of a text that are compared at most. */
const mostBlocks = 1_024;

/**
 * A text's prefixes: one number for each whole block from the beginning, which depends on all blocks before it. Texts with equal
 * numbers at an index begin alike up to there, but for a chance of one in four billion.
 */
export type Prefixes = readonly number[];

/**
 * The prefixes of what an inference engine reads first: the bytes of `messages`, `prompt` or `input`, wherever it is in the body.
 * No tokenizer is needed, since equal texts have equal tokens. A body of another form has those of its own bytes.
 */
export function prefixesOf(body: Uint8Array): Prefixes {
  const from = promptStart(body);
  const count = Math.min(mostBlocks, Math.floor((body.length - from) / blockBytes));
  const prefixes: number[] = [];
  let hash = 0x811c9dc5;
  for (let block = 0; block < count; block++) {
    const start = from + block * blockBytes;
    for (let at = start; at < start + blockBytes; at++) {
      hash = Math.imul(hash ^ (body[at] as number), 0x01000193);
    }
    hash = mixed(hash);
    prefixes.push(hash);
  }
  return prefixes;
}

/** Spreads a change of one bit over all of them. */
export function mixed(hash: number): number {
  let bits = hash | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

const quote = 0x22;
const promptNames = ['"messages"', '"prompt"', '"input"'].map((name) => Buffer.from(name));

/**
 * Where the prompt begins. A name within a text has its quotes escaped, so the first of the names with a colon after it is a member,
 * of the body or of a part of it; both serve to compare.
 */
function promptStart(body: Uint8Array): number {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  for (const name of promptNames) {
    const at = bytes.indexOf(name);
    if (at !== -1 && bytes[at + name.length - 1] === quote) return at + name.length;
  }
  return 0;
}
