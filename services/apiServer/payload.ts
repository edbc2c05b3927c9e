/** Largest body of a request whose payload goes to a container, in bytes. It is also the most that is buffered of one. */
export const payloadLimit = 16 << 20;

/** Where a member stands in the text of an object: from its name to the end of its value. */
export type MemberSpan = { from: number; valueFrom: number; to: number };

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * Finds the members with this name at the top level of an object. A value that is parsed and serialized again has other bytes:
 * large numbers, escapes and repeated names change. So payloads are cut from the request's own text.
 *
 * @param json UTF-8 text that JSON.parse accepts.
 */
export function membersOf(json: Buffer, name: string): MemberSpan[] {
  const found: MemberSpan[] = [];
  let at = afterSpace(json, 0);
  if (json[at] !== openBrace) return found;
  at = afterSpace(json, at + 1);
  while (at < json.length && json[at] !== closeBrace) {
    const from = at;
    const nameEnd = afterString(json, at);
    const valueFrom = afterSpace(json, afterSpace(json, nameEnd) + 1);
    const to = afterValue(json, valueFrom);
    if (JSON.parse(json.toString("utf8", from, nameEnd)) === name) found.push({ from, valueFrom, to });
    at = afterSpace(json, to);
    if (json[at] === comma) at = afterSpace(json, at + 1);
  }
  return found;
}

/** The bytes of a member's value. Of repeated ones the last counts, as in JSON.parse. */
export function memberValue(json: Buffer, name: string): Buffer | undefined {
  const span = membersOf(json, name).at(-1);
  return span === undefined ? undefined : json.subarray(span.valueFrom, span.to);
}

/** The text with another value of a member, or without the member. All other bytes stay. */
export function withMember(json: Buffer, name: string, value: string | undefined): Buffer {
  const parts: Buffer[] = [];
  let kept = 0;
  for (const span of membersOf(json, name)) {
    if (value !== undefined) {
      parts.push(json.subarray(kept, span.valueFrom), Buffer.from(JSON.stringify(value)));
      kept = span.to;
      continue;
    }
    const next = afterSpace(json, span.to);
    // The member goes with the comma after it, or else with the one before it.
    if (json[next] === comma) {
      parts.push(json.subarray(kept, span.from));
      kept = next + 1;
    } else {
      parts.push(withoutLastComma(Buffer.concat([...parts.splice(0), json.subarray(kept, span.from)])));
      kept = span.to;
    }
  }
  return Buffer.concat([...parts, json.subarray(kept)]);
}

function withoutLastComma(text: Buffer): Buffer {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1])) end -= 1;
  return text[end - 1] === comma ? text.subarray(0, end - 1) : text;
}

const isSpace = (byte: number | undefined) =>
  byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;

function afterSpace(json: Buffer, from: number): number {
  let at = from;
  while (isSpace(json[at])) at += 1;
  return at;
}

function afterString(json: Buffer, from: number): number {
  let at = from + 1;
  while (at < json.length && json[at] !== quote) at += json[at] === backslash ? 2 : 1;
  return at + 1;
}

function afterValue(json: Buffer, from: number): number {
  let depth = 0;
  let at = from;
  while (at < json.length) {
    const byte = json[at];
    if (byte === quote) {
      at = afterString(json, at);
      if (depth === 0) return at;
      continue;
    }
    if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (byte === comma || byte === colon || isSpace(byte))) return at;
    at += 1;
  }
  return at;
}

/**
 * How deep a text is nested, and how many members its outermost object or array has. It reads the bytes once, where a walk over
 * the parsed value takes many times as long.
 */
export function shapeOf(json: Buffer): { depth: number; members: number } {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === quote) at = afterString(json, at) - 1;
    else if (byte === openBrace || byte === openBracket) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if (byte === closeBrace || byte === closeBracket) depth -= 1;
    else if (byte === comma && depth === 1) members += 1;
  }
  return { depth: deepest, members: members + 1 };
}
