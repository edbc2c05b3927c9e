import { clientMessage } from "@ngpu/protocol/wire";
import { expect } from "chai";
import fc from "fast-check";
import { runs } from "../../support/runs.ts";

const image = `0x${"a".repeat(64)}`;
const examples = [
  {
    type: "hello",
    role: "node",
    key: image,
    time: "1",
    signature: image,
    version: "1",
    host: "node.example",
  },
  { type: "heartbeat", slot: "1", cpuLoad: 0.5, freeDiskGib: 10, running: ["1/0/1"], sickGpus: [] },
  { type: "relay", id: "one", kind: "register", message: {}, signature: image },
  { type: "live", workspaceId: "1", replica: 0, lease: 1, percent: 5, bytesPerSecond: 10 },
  {
    type: "reason",
    workspaceId: "1",
    replica: 0,
    lease: 1,
    fence: image,
    code: "container_exited",
    details: {},
    count: 1,
  },
  {
    type: "secrets",
    workspaceId: "1",
    replica: 0,
    lease: 1,
    fence: `0x${"ab".repeat(8)}`,
    key: image,
    signature: `0x${"ab".repeat(65)}`,
  },
  { type: "probeReady", roundId: "1", port: 42_000 },
  { type: "prefetched", image, outcome: "failed", reason: "no" },
  { type: "probeFailed", roundId: "1", reason: "no" },
  { type: "measureFailed", roundId: "1", reason: "no" },
  {
    type: "waveReveal",
    waveId: 1,
    measurerId: 1,
    results: image,
    transcripts: image,
    exceptions: image,
    salt: image,
    list: "0x",
  },
] as Record<string, unknown>[];

/** A relayed message and a reason's details are checked by their kind: see relayValues.test.ts and reasons.test.ts. */
const checkedElsewhere = ["type", "message", "details"];

/** Whether Postgres can store every part of a message: text without NUL, ids of 63 bits, finite numbers. */
function isStorable(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed() && !value.includes("\0");
  if (typeof value === "bigint") return value >= 0n && value < 10n ** 20n;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isStorable);
  return typeof value !== "object" || value === null || Object.values(value).every(isStorable);
}

const extremes = fc.oneof(
  fc.constantFrom<unknown>(
    "",
    "\0",
    "\ud800",
    "a\0b",
    "x".repeat(100_000),
    "-1",
    "1e9",
    "0x",
    "NaN",
    "99999999999999999999",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "9".repeat(1_000),
    0,
    -0,
    1,
    -1,
    0.5,
    2 ** 16,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    -(2 ** 53),
    Number.MAX_VALUE,
    5e-324,
    null,
    true,
    [],
    {},
    [[]],
    Array(2_000).fill("1/0/1"),
  ),
  fc.string({ unit: "binary" }),
  fc.anything(),
);

describe("messages of a session", () => {
  it("are the ones of the examples", () => {
    const types = clientMessage.options.map((option) => option.shape.type.value);
    expect(examples.map(({ type }) => type)).to.deep.equal(types);
    for (const example of examples) expect(clientMessage.safeParse(example).success).to.equal(true);
  });

  it("are refused or can be stored, with any value in any field", () => {
    for (const example of examples) {
      for (const field of Object.keys(example).filter((name) => !checkedElsewhere.includes(name))) {
        fc.assert(
          fc.property(extremes, (value) => {
            const parsed = clientMessage.safeParse({ ...example, [field]: value });
            expect(!parsed.success || isStorable(parsed.data), `${example.type} ${field}`).to.equal(true);
          }),
          { numRuns: runs(100) },
        );
      }
    }
  });

  it("name sick cards that can be stored, with any value in any field", () => {
    const [, heartbeat] = examples;
    const card = { code: "gpu_lost", id: "GPU-1", name: null, detail: "lost" };
    for (const field of Object.keys(card)) {
      fc.assert(
        fc.property(extremes, (value) => {
          const parsed = clientMessage.safeParse({ ...heartbeat, sickGpus: [{ ...card, [field]: value }] });
          expect(!parsed.success || isStorable(parsed.data), field).to.equal(true);
        }),
        { numRuns: runs(100) },
      );
    }
    const many = { ...heartbeat, sickGpus: Array(65).fill(card) };
    expect(clientMessage.safeParse(many).success).to.equal(false);
  });

  it("have ids that fit Postgres' bigint, and leases that fit those of the chain", () => {
    const refused = (name: string, change: Record<string, unknown>) => {
      const example = examples.find(({ type }) => type === name);
      expect(clientMessage.safeParse({ ...example, ...change }).success, name).to.equal(false);
    };
    for (const name of ["probeReady", "probeFailed", "measureFailed"])
      refused(name, { roundId: String(2n ** 63n) });
    refused("heartbeat", { slot: String(2n ** 63n) });
    refused("live", { workspaceId: String(2n ** 63n) });
    refused("live", { replica: 65_536 });
    refused("live", { lease: 2 ** 31 });
    refused("reason", { workspaceId: String(2n ** 63n) });
    refused("reason", { replica: 65_536 });
    refused("reason", { lease: 2 ** 31 });
  });
});
