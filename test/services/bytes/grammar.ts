import fc from "fast-check";

/** What a container writes, in parts, and how it ends its connection. */
export type Script = { parts: Buffer[]; end: "fin" | "reset" };

/** A response within HTTP/1.1, and what a client must see of it. */
export type ValidCase = {
  script: Script;
  status: number;
  headers: [string, string][];
  body: Buffer;
};

const token = fc
  .string({
    unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+.^_`|~-"),
    minLength: 1,
    maxLength: 16,
  })
  .map((name) => `x-c-${name}`);
const visible = fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f);
const headerValue = fc
  .array(fc.oneof({ weight: 9, arbitrary: visible }, { weight: 1, arbitrary: fc.constantFrom(0x20, 0x09) }), {
    maxLength: 60,
  })
  .map((codes) => String.fromCharCode(...codes).replaceAll(/^[ \t]+|[ \t]+$/g, ""));
const oddHeaders = fc.constantFrom<[string, string]>(
  ["retry-after", "7"],
  ["content-encoding", "gzip"],
  ["x-ratelimit-reset", "1"],
  ["content-language", "de, en"],
  ["link", "<a>; rel=next"],
  ["__proto__", "polluted"],
  ["constructor", "1"],
);
const headerList = fc.array(
  fc.oneof({ weight: 4, arbitrary: fc.tuple(token, headerValue) }, { weight: 1, arbitrary: oddHeaders }),
  {
    maxLength: 12,
  },
);
const manyHeaders = fc
  .integer({ min: 129, max: 600 })
  .map((count) =>
    Array.from({ length: count }, (_none, index): [string, string] => [`x-c-${index}`, `${index}`]),
  );

const status = fc
  .oneof(
    fc.integer({ min: 200, max: 599 }),
    fc.constantFrom(200, 201, 204, 205, 304, 404, 429, 500, 503, 599),
  )
  .filter((code) => code !== 101);
const body = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc
    .integer({ min: 1_000, max: 200_000 })
    .map((length) => new Uint8Array(length).map((_none, index) => index * 7)),
);
const cuts = fc.array(fc.nat(1_000_000), { maxLength: 4 });

const reasons = fc.constantFrom("OK", "", "Not a reason", "\xff\xfe", "a b\tc");
const informational = fc.constantFrom(
  "",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n",
);

function chunked(bytes: Buffer, sizes: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const size of [...sizes.map((one) => 1 + (one % 5_000)), bytes.length]) {
    if (at >= bytes.length) break;
    const part = bytes.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)};ext=1\r\n`), part, Buffer.from("\r\n"));
    at += size;
  }
  return Buffer.concat(parts);
}

export function split(bytes: Buffer, at: readonly number[]): Buffer[] {
  const points = at.map((one) => one % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...points].map((from, index) => bytes.subarray(from, points[index] ?? bytes.length));
}

type Framing = "length" | "chunked" | "close";
type Drawn = {
  status: number;
  headers: [string, string][];
  bytes: Buffer;
  framing: Framing;
  cuts: number[];
  reason: string;
  before: string;
};

const drawn: fc.Arbitrary<Drawn> = fc.record({
  status,
  headers: fc.oneof({ weight: 8, arbitrary: headerList }, { weight: 1, arbitrary: manyHeaders }),
  bytes: body.map((one) => Buffer.from(one)),
  framing: fc.constantFrom<Framing>("length", "chunked", "close"),
  cuts,
  reason: reasons,
  before: informational,
});

const bodiless = (code: number) => code === 204 || code === 304;

function headOf({ status: code, headers, bytes, framing, reason, before }: Drawn): string {
  const own: [string, string][] = bodiless(code)
    ? []
    : framing === "length"
      ? [["Content-Length", `${bytes.length}`]]
      : framing === "chunked"
        ? [["Transfer-Encoding", "chunked"]]
        : [];
  const lines = [...headers, ...own].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${before}HTTP/1.1 ${code} ${reason}\r\n${lines}\r\n`;
}

/** Complete responses in every framing. */
export const validCase: fc.Arbitrary<ValidCase> = drawn.map((one) => {
  const hasBody = !bodiless(one.status);
  const framed =
    one.framing === "chunked"
      ? Buffer.concat([chunked(one.bytes, one.cuts), Buffer.from("0\r\n\r\n")])
      : one.bytes;
  const raw = Buffer.concat([Buffer.from(headOf(one), "latin1"), hasBody ? framed : Buffer.alloc(0)]);
  return {
    script: { parts: split(raw, one.cuts), end: "fin" },
    status: one.status,
    headers: one.headers,
    body: hasBody && one.status !== 205 ? one.bytes : Buffer.alloc(0),
  };
});

/** Responses with a valid head whose body breaks off. */
export const cutCase: fc.Arbitrary<Script> = drawn
  .filter(
    (one) => one.framing !== "close" && !bodiless(one.status) && one.status !== 205 && one.bytes.length > 0,
  )
  .chain((one) => {
    const framed =
      one.framing === "chunked"
        ? Buffer.concat([chunked(one.bytes, one.cuts), Buffer.from("0\r\n\r\n")])
        : one.bytes;
    return fc
      .record({ keep: fc.nat(framed.length - 1), end: fc.constantFrom<Script["end"]>("fin", "reset") })
      .map(
        ({ keep, end }): Script => ({
          parts: split(
            Buffer.concat([Buffer.from(headOf(one), "latin1"), framed.subarray(0, keep)]),
            one.cuts,
          ),
          end,
        }),
      );
  });

const heads = fc.constantFrom(
  "HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 1000 X\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 -1 X\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nX-A: 1\r\n folded\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nX-A: a\u0000b\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nX-A: a\rX-B: b\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 200 OK\r\n: empty\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 200 OK\r\n:status: 200\r\nContent-Length: 0\r\n\r\n",
  `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(40_000)}\r\nContent-Length: 0\r\n\r\n`,
  `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(1_001)}Content-Length: 0\r\n\r\n`,
  "HTTP/9.9 200 OK\r\n\r\n",
  "HTP/1.1 200 OK\r\n\r\n",
  "SSH-2.0-OpenSSH_9.2\r\n",
  "\u0000\u0001\u0002",
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "",
  "\r\n\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n".repeat(50),
  `${"HTTP/1.1 102 Processing\r\n\r\n".repeat(101)}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`,
  `${"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n".repeat(5_000)}`,
  "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
);

/** Responses that no client may take for one of the container. */
export const invalidCase: fc.Arbitrary<Script> = fc
  .record({ head: heads, at: cuts, end: fc.constantFrom<Script["end"]>("fin", "reset") })
  .map(({ head, at, end }) => ({ parts: split(Buffer.from(head, "latin1"), at), end }));

/** Anything: a valid or invalid response with bytes changed, removed or inserted. */
export const anyCase: fc.Arbitrary<Script> = fc
  .record({
    base: fc.oneof(
      validCase.map(({ script }) => script),
      cutCase,
      invalidCase,
    ),
    changes: fc.array(fc.tuple(fc.nat(100_000), fc.nat(2), fc.nat(255)), { minLength: 1, maxLength: 6 }),
    at: cuts,
    end: fc.constantFrom<Script["end"]>("fin", "reset"),
  })
  .map(({ base, changes, at, end }) => {
    let bytes = Buffer.concat(base.parts);
    for (const [where, kind, byte] of changes) {
      // Most changes hit the head.
      const index = where % Math.max(1, Math.min(bytes.length, where % 3 === 0 ? 100_000 : 120));
      const removed = kind === 1 ? 0 : 1;
      const added = kind === 2 ? Buffer.alloc(0) : Buffer.from([byte]);
      bytes = Buffer.concat([bytes.subarray(0, index), added, bytes.subarray(index + removed)]);
    }
    return { parts: split(bytes, at), end };
  });
