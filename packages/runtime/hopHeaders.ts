/** Hop-by-hop headers, and headers that each hop sets itself. Neither end of a tunnel forwards them. */
export const hopHeaders: readonly string[] = [
  "connection",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Headers of which a message has at most one; HTTP/2 refuses more. Of repeated ones the first counts, as in Node. */
const singleHeaders = new Set([
  "access-control-allow-credentials",
  "access-control-max-age",
  "access-control-request-method",
  "age",
  "authorization",
  "content-length",
  "content-location",
  "content-md5",
  "content-range",
  "content-type",
  "date",
  "dnt",
  "etag",
  "expires",
  "from",
  "if-modified-since",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "range",
  "referer",
  "retry-after",
  "server",
  "tk",
  "upgrade-insecure-requests",
  "user-agent",
  "x-content-type-options",
]);

/** Lists that Node's HTTP/2 takes in one line only. */
const joinedHeaders = new Set(["content-encoding", "content-language", "if-match", "if-none-match"]);

/** A header is an own property, so that its name can be any token. Repeated headers are a list, in their order. */
export type ForwardedHeaders = Record<string, string | string[]>;

/**
 * The headers of a message that the next hop receives: all but hop-by-hop headers, those named by `connection`, and the
 * excluded ones. Values stay byte for byte.
 *
 * @param raw Names and values in turns, as in `rawHeaders`.
 */
export function forwardedHeaders(raw: readonly string[], excluded: ReadonlySet<string>): ForwardedHeaders {
  const dropped = new Set([...hopHeaders, ...excluded]);
  for (const [name, value] of pairsOf(raw)) {
    if (name !== "connection") continue;
    for (const token of value.toLowerCase().split(",")) dropped.add(token.trim());
  }
  const kept = new Map<string, string | string[]>();
  for (const [name, value] of pairsOf(raw)) {
    if (name.startsWith(":") || dropped.has(name)) continue;
    const before = kept.get(name);
    if (before === undefined) kept.set(name, value);
    else if (joinedHeaders.has(name)) kept.set(name, `${String(before)}, ${value}`);
    else if (!singleHeaders.has(name)) kept.set(name, [before, value].flat());
  }
  return Object.fromEntries(kept);
}

function* pairsOf(raw: readonly string[]): Generator<[string, string]> {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    yield [String(raw[index]).toLowerCase(), String(raw[index + 1])];
  }
}
