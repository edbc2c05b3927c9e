import { maxWaveDevices, waveAnswer, waveMessage } from "@ngpu/protocol/waves";
import { serverMessage } from "@ngpu/protocol/wire";
import { expect } from "chai";
import fc from "fast-check";

const order = {
  type: "wave",
  nodeId: 1,
  image: "market.example/ngpu/probe@sha256:00",
  port: 42_000,
  token: "a-token-that-match-gave",
  blocks: { fill: 100, chase: 115, work: 145, answered: 151, audit: 152 },
  milliseconds: { chase: 60_000, work: 12_000 },
  claims: [{ device: 0, bytes: String(2n ** 33n) }],
  closesAt: 1_800_000_000,
};
const hash = `0x${"ab".repeat(32)}`;
const committed = { lanes: 512, legs: 3, root: hash };

/** Least and most of each number, and what is beyond. */
const bounds: readonly [path: string, least: number | bigint, most: number | bigint][] = [
  ["nodeId", 1, 2 ** 32 - 1],
  ["port", 1_024, 65_535],
  ["closesAt", 0, 2 ** 40],
  ["milliseconds.chase", 1, 600_000],
  ["milliseconds.work", 1, 600_000],
  ["claims.0.device", 0, 255],
  ["claims.0.bytes", 2n ** 22n, 2n ** 42n],
];

/** The order with another value at a path. */
function changed(path: string, value: unknown): unknown {
  const copy = structuredClone(order) as Record<string, unknown>;
  const names = path.split(".");
  const last = names.pop() ?? "";
  const at = names.reduce((inner, name) => inner[name] as Record<string, unknown>, copy);
  at[last] = value;
  return copy;
}

const isWave = (value: unknown) => waveMessage.safeParse(value).success;

describe("the order of a wave", () => {
  it("is a message of match, with its bytes as an integer", () => {
    const parsed = serverMessage.parse(order);
    expect(parsed).to.deep.include({ type: "wave", claims: [{ device: 0, bytes: 2n ** 33n }] });
  });

  for (const [path, least, most] of bounds) {
    it(`has ${path} from ${least} to ${most}`, () => {
      const text = (value: number | bigint) => (typeof value === "bigint" ? String(value) : value);
      const step = (value: number | bigint, by: 1 | -1) =>
        typeof value === "bigint" ? String(value + BigInt(by)) : value + by;
      expect(isWave(changed(path, text(least))), "least").to.equal(true);
      expect(isWave(changed(path, text(most))), "most").to.equal(true);
      for (const value of [step(least, -1), step(most, 1), null, "", "x", [], {}, 0.5, Number.NaN, -1])
        expect(isWave(changed(path, value)), String(value)).to.equal(false);
    });
  }

  it("has its blocks in the order of the chain, not too far apart", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { minLength: 5, maxLength: 5 }), (numbers) => {
        const [fill = 0, chase = 0, work = 0, answered = 0, audit = 0] = numbers;
        const isOrdered = fill < chase && chase < work && work < answered && answered < audit;
        expect(isWave({ ...order, blocks: { fill, chase, work, answered, audit } })).to.equal(isOrdered);
      }),
    );
    expect(isWave({ ...order, blocks: { ...order.blocks, audit: 100 + 10_001 } })).to.equal(false);
  });

  it("names each device once, and so many at most", () => {
    const claims = (count: number, of = (index: number) => index) =>
      Array.from({ length: count }, (_, index) => ({ device: of(index), bytes: "4194304" }));
    expect(isWave({ ...order, claims: claims(maxWaveDevices) })).to.equal(true);
    expect(isWave({ ...order, claims: claims(maxWaveDevices + 1) })).to.equal(false);
    expect(isWave({ ...order, claims: [] })).to.equal(false);
    expect(isWave({ ...order, claims: claims(2, () => 3) })).to.equal(false);
  });

  it("has no other fields, tokens or images than it may", () => {
    expect(isWave({ ...order, command: "sh" })).to.equal(false);
    for (const token of ["", "short", "x".repeat(129), "with a space in it…", "a".repeat(15)])
      expect(isWave({ ...order, token }), token).to.equal(false);
    for (const image of ["\0", "x".repeat(501), "\ud800"])
      expect(isWave({ ...order, image })).to.equal(false);
  });
});

describe("the answer of a wave", () => {
  const isAnswer = (value: unknown) => waveAnswer.safeParse(value).success;

  it("has lanes, legs and a root for both parts, within the proof's limits", () => {
    expect(isAnswer({ chase: committed, work: committed })).to.equal(true);
    const values = [0, -1, 2 ** 20 + 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "1", null, undefined];
    for (const name of ["lanes", "legs"] as const)
      for (const value of values)
        expect(isAnswer({ chase: { ...committed, [name]: value }, work: committed }), `${name}`).to.equal(
          false,
        );
    const roots = ["", "0x", hash.toUpperCase(), `${hash}00`, hash.slice(0, -1), 7, null];
    for (const root of roots)
      expect(isAnswer({ chase: committed, work: { ...committed, root } }), String(root)).to.equal(false);
  });

  it("is refused whatever else it is", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(isAnswer(value)).to.equal(false);
      }),
    );
  });
});
