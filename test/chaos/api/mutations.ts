import fc from "fast-check";
import type { FuzzRequest } from "./requests.ts";
import { oddText, oddValue } from "./values.ts";

type Requests = fc.Arbitrary<FuzzRequest>;

/** A JSON body with one value replaced, removed or added, or with other text in its place. */
export function mutatedBody(plain: Requests): Requests {
  const inside = fc
    .tuple(plain, fc.nat(), fc.constantFrom("replace", "remove", "add"), oddValue, oddText)
    .map(([request, index, kind, value, name]) => ({
      ...request,
      body: changed(request.body ?? "{}", index, kind, value, name),
      headers: { "content-type": "application/json", ...request.headers },
    }));
  const text = fc.tuple(plain, fc.constantFrom(...oddBodies)).map(([request, make]) => ({
    ...request,
    body: make(request.body ?? "{}"),
    headers: { "content-type": "application/json", ...request.headers },
  }));
  return fc.oneof({ weight: 4, arbitrary: inside }, { weight: 1, arbitrary: text });
}

const oddBodies: ((body: string) => string)[] = [
  () => "",
  () => "null",
  () => "[]",
  () => '"text"',
  () => "0",
  () => '{"__proto__":{"a":1},"constructor":1,"toString":2}',
  (body) => body.slice(0, Math.floor(body.length / 2)),
  (body) => `${body}}`,
  (body) => `\ufeff${body}`,
  (body) => body.replace("{", '{"a":NaN,'),
  (body) => body.replace("{", '{"":0,'),
  // A member twice.
  (body) => body.replace(/^\{("[^"]+":)/, "{$1null,$1"),
  (body) => `${"[".repeat(50_000)}${body}`,
  (body) => body.replaceAll(/[\d.]+/g, (digits) => `${digits}${"0".repeat(400)}`),
  (body) => `${" ".repeat(300_000)}${body}`,
];

/** Changes one place of a JSON text. */
function changed(body: string, index: number, kind: string, value: unknown, name: string): string {
  const root = { root: JSON.parse(body) as unknown };
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const visit = (holder: object) => {
    for (const key of Object.keys(holder)) {
      places.push({ holder: holder as Record<string, unknown>, key });
      const inner = (holder as Record<string, unknown>)[key];
      if (typeof inner === "object" && inner !== null) visit(inner);
    }
  };
  visit(root);
  const place = places[index % places.length];
  if (place === undefined) return body;
  const inner = place.holder[place.key];
  if (kind === "add" && typeof inner === "object" && inner !== null) {
    Object.defineProperty(inner, name, { value, enumerable: true, configurable: true, writable: true });
  } else if (kind === "remove" && place.holder !== root) delete place.holder[place.key];
  else place.holder[place.key] = value;
  return JSON.stringify(root.root) ?? "";
}

const oddHeaders: Record<string, string[]> = {
  "content-type": [
    "text/plain",
    "application/json; charset=utf-16",
    "application/json;;;",
    "multipart/form-data",
    "a",
  ],
  "content-encoding": ["gzip", "br", "deflate", "zip", "identity", "gzip, gzip", ""],
  accept: ["image/png", "*/*;q=0", "application/json;q=0.1, text/*", "a", ";;;", ""],
  "accept-encoding": ["identity;q=0", "*;q=0", "gzip"],
  authorization: [
    "Bearer",
    "Bearer x",
    "Basic YTpi",
    `Bearer ngpu_${"0".repeat(16)}_${"0".repeat(64)}`,
    "\u00ff",
  ],
  "idempotency-key": ["", " ", "a b", "a".repeat(101), "\u00e9"],
  "x-request-id": ["", "a b", "a".repeat(129), "\u00e9", "ok-1"],
  "x-ngpu-timeout": ["0", "-1", "1e9", "abc", "", "0x10"],
  "x-ngpu-total-timeout": ["0", "14401", "1.5", " 7 "],
  "if-none-match": ["*", 'W/"a"', "a"],
  "if-modified-since": ["Thu, 01 Jan 2099 00:00:00 GMT", "never"],
  range: ["bytes=0-0", "bytes=9999999-", "bytes=-1,-2", "lines=1"],
  expect: ["100-continue", "200-ok"],
  host: ["other.example", "[::1", "a b", "\u00e9", "127.0.0.1:99999"],
  "x-forwarded-for": ["1.2.3.4, 5.6.7.8", "not an address"],
  "x-http-method-override": ["DELETE"],
  origin: ["null", "https://app.example", "\u00ff"],
  cookie: ["a=b; c=%", "="],
  te: ["trailers, deflate;q=0.5"],
  upgrade: ["websocket", "h2c"],
  connection: ["close", "keep-alive, x-request-id", "upgrade"],
};
const junk = Object.entries(oddHeaders).flatMap(([name, values]) => values.map((value) => ({ name, value })));

/** A request with odd headers. A write keeps no valid body. */
export function mutatedHeaders(plain: Requests, isWrite: boolean): Requests {
  const random = fc.record({
    name: fc.stringMatching(/^x-[a-z0-9!#$%&'*+.^_`|~-]{1,20}$/),
    value: fc.stringMatching(/^[\x21-\x7e\xa0-\xff]{0,60}$/),
  });
  const long = fc.constantFrom(
    ...[1_000, 12_000, 20_000].map((length) => ({ name: "x-long", value: "a".repeat(length) })),
  );
  const header = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...junk) },
    { weight: 2, arbitrary: random },
    { weight: 1, arbitrary: long },
  );
  return fc.tuple(plain, fc.array(header, { minLength: 1, maxLength: 3 })).map(([request, added]) => ({
    ...request,
    ...(isWrite && request.body !== undefined ? { body: "{}" } : {}),
    headers: { ...request.headers, ...Object.fromEntries(added.map(({ name, value }) => [name, value])) },
  }));
}

const oddQueries = [
  "limit=1&limit=2",
  "after=1&after=2",
  "limit[]=1",
  "limit[a]=1",
  "limit=",
  "limit",
  "=",
  "&&&",
  "%",
  "%zz=1",
  "limit=%00",
  "limit=1e3",
  "limit=-1",
  "limit=0x10",
  "limit=%EF%BC%91",
  "after=%F0%9F%98%80",
  "after=%C0%AF",
  "__proto__=1",
  "constructor[prototype]=1",
  `after=${"9".repeat(300)}`,
  `${"a".repeat(6_000)}=1`,
  "unknown=1",
  "amount=1&amount=2",
  `amount=${"9".repeat(40)}`,
  "deadline=1e400",
  "expiry=-1",
  Array.from({ length: 1_500 }, (_one, index) => `a${index}=1`).join("&"),
];

/** A request with another query. */
export function mutatedQuery(plain: Requests): Requests {
  const query = fc.oneof(
    fc.constantFrom(...oddQueries),
    fc
      .tuple(fc.constantFrom("limit", "after", "amount", "scope", "x"), oddText)
      .map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed()).slice(0, 6_000)}`),
  );
  return fc.tuple(plain, query, fc.boolean()).map(([request, text, joins]) => ({
    ...request,
    path: `${joins ? request.path : request.path.split("?")[0]}${joins && request.path.includes("?") ? "&" : "?"}${text}`,
  }));
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"];
const oddParts = [
  "%",
  "%zz",
  "%00",
  "%2e%2e",
  "%2F",
  "%c0%af",
  "%ff",
  "..",
  ".",
  ";a=b",
  "*",
  "%F0%9F%98%80",
  "\\",
  "|",
];
const oddPaths: ((path: string) => string)[] = [
  (path) => `${path}/`,
  (path) => `/${path}`,
  (path) => path.toUpperCase(),
  (path) => `${path}/${"a".repeat(7_000)}`,
  (path) => path.replace(/[^/]+$/, "2147483648"),
  (path) => path.replace(/[^/]+$/, "9".repeat(21)),
  (path) => path.replace("/v1", "/v2"),
  (path) => path.replace("/v1", "/v1/."),
  (path) => path.replace(/[^/]+$/, "-1"),
];

/** A request with another path or method. */
export function mutatedPath(plain: Requests): Requests {
  const part = fc.oneof(
    fc.constantFrom(...oddParts),
    oddText.map((text) => encodeURIComponent(text.toWellFormed()).slice(0, 6_000)),
  );
  const last = fc.tuple(plain, part).map(([request, text]) => ({
    ...request,
    path: request.path.replace(/[^/?]+(?=\?|$)/, () => text),
  }));
  const whole = fc
    .tuple(plain, fc.constantFrom(...oddPaths))
    .map(([request, change]) => ({ ...request, path: change(request.path) }));
  const method = fc
    .tuple(plain, fc.constantFrom(...methods))
    .map(([request, name]) => ({ ...request, method: name }));
  return fc.oneof(last, whole, method);
}
