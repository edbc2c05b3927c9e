import { InputError } from "@ngpu/runtime/errors";

/** Largest body of a request with files for a container, in bytes. */
export const multipartLimit = 32 << 20;
/** Most fields and files of a body. */
const maxParts = 1_000;
/** Longest headers of a part, in bytes. */
const maxHead = 16 << 10;

/** A field or file of a body: where its part begins and ends, delimiters included, and its value. */
type Part = { name: string; isFile: boolean; from: number; valueFrom: number; valueTo: number; to: number };

/**
 * Finds the fields and files of a body. It is passed on as it came, so it is cut, and not parsed and written again.
 *
 * @throws InputError `multipart_invalid` (400).
 */
function partsOf(body: Buffer, contentType: string): Part[] {
  const delimiter = Buffer.from(`--${boundaryOf(contentType)}`);
  const parts: Part[] = [];
  let at = body.indexOf(delimiter);
  // What precedes the first delimiter is no part.
  if (at > 0 && body.toString("latin1", at - 2, at) !== "\r\n")
    throw invalid("It does not begin with its boundary.");
  while (at >= 0) {
    const head = at + delimiter.length;
    const after = body.toString("latin1", head, head + 2);
    if (after === "--") return parts;
    if (after !== "\r\n") throw invalid("A boundary is not followed by the end of its line.");
    const headTo = body.subarray(head, head + maxHead).indexOf("\r\n\r\n");
    const next = body.indexOf(Buffer.concat([Buffer.from("\r\n"), delimiter]), head);
    if (headTo < 0 || next < 0 || head + headTo + 2 > next) throw invalid("A part has no end.");
    if (parts.length >= maxParts) throw invalid(`It has more than ${maxParts} parts.`);
    const valueFrom = head + headTo + 4;
    const named = nameIn(body.toString("utf8", head, head + headTo));
    parts.push({ ...named, from: at, valueFrom, valueTo: Math.max(next, valueFrom), to: next + 2 });
    at = next + 2;
  }
  throw invalid("It has no last boundary.");
}

/** The text of a field; the last one counts. Undefined: there is none. */
export function fieldOf(body: Buffer, contentType: string, name: string): string | undefined {
  const part = partsOf(body, contentType).findLast((one) => one.name === name && !one.isFile);
  return part === undefined ? undefined : body.toString("utf8", part.valueFrom, part.valueTo);
}

/** The body with another value of a field, or without the field. All other bytes stay. */
export function withField(
  body: Buffer,
  contentType: string,
  name: string,
  value: string | undefined,
): Buffer {
  const kept: Buffer[] = [];
  let at = 0;
  for (const part of partsOf(body, contentType)) {
    if (part.name !== name || part.isFile) continue;
    if (value === undefined) kept.push(body.subarray(at, part.from));
    else kept.push(body.subarray(at, part.valueFrom), Buffer.from(value));
    at = value === undefined ? part.to : part.valueTo;
  }
  return Buffer.concat([...kept, body.subarray(at)]);
}

/** What a task shows of a body: its fields, and the names and sizes of its files. */
export function shownParts(body: Buffer, contentType: string): { fields: string[][]; files: object[] } {
  const parts = partsOf(body, contentType);
  const bytesOf = ({ valueFrom, valueTo }: Part) => valueTo - valueFrom;
  return {
    fields: parts
      .filter(({ isFile, ...part }) => !isFile && bytesOf({ isFile, ...part }) <= maxHead)
      .map(({ name, valueFrom, valueTo }) => [
        name,
        body.toString("utf8", valueFrom, valueTo).replaceAll("\0", ""),
      ]),
    files: parts.filter(({ isFile }) => isFile).map((part) => ({ name: part.name, bytes: bytesOf(part) })),
  };
}

function boundaryOf(contentType: string): string {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw invalid("Its content type names no boundary.");
  return boundary;
}

function nameIn(head: string): { name: string; isFile: boolean } {
  const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(head)?.[1] ?? "";
  const name =
    /(?:^|[;\s])name="([^"]*)"/i.exec(disposition)?.[1] ??
    /(?:^|[;\s])name=([^\s;]+)/i.exec(disposition)?.[1];
  if (name === undefined) throw invalid("A part has no name.");
  return { name, isFile: /(?:^|[;\s])filename\*?=/i.test(disposition) };
}

function invalid(what: string): InputError {
  return new InputError(`The body is not valid multipart/form-data. ${what}`, {
    code: "multipart_invalid",
    hint: "Let your HTTP client write the body and its content type (RFC 7578).",
  });
}
