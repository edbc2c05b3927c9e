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

/** Headers of which a message has at most one. Of repeated ones the first counts, as in Node. */
const singleHeaders = new Set([
  ...["age", "authorization", "content-encoding", "content-length", "content-location", "content-type"],
  ...["date", "etag", "expires", "from", "if-modified-since", "if-unmodified-since", "last-modified"],
  ...["location", "max-forwards", "referer", "retry-after", "server", "user-agent"],
]);

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
    else if (!singleHeaders.has(name)) kept.set(name, [before, value].flat());
  }
  return Object.fromEntries(kept);
}

function* pairsOf(raw: readonly string[]): Generator<[string, string]> {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    yield [String(raw[index]).toLowerCase(), String(raw[index + 1])];
  }
}
