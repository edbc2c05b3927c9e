import { expect } from "chai";
import fc from "fast-check";
import { prefixesOf } from "../../../services/gateway/routing/prefix.ts";
import { createPrefixMemory } from "../../../services/gateway/routing/prefixMemory.ts";
import { type Candidate, rankCandidates } from "../../../services/gateway/routing/rank.ts";
import { createRouter } from "../../../services/gateway/routing/router.ts";

const idle: Candidate<number> = {
  key: 0,
  identity: 0,
  outstanding: 0,
  lastUsed: 0,
  latency: undefined,
  health: "well",
  isNear: true,
  matched: 0,
  remembered: 0,
};
const candidatesOf = (facts: Partial<Candidate<number>>[]) =>
  facts.map((one, key) => ({ ...idle, identity: key * 7_919 + 1, ...one, key }));
const plain = { blocks: 0, session: undefined };

const anyCandidates = fc.array(
  fc.record({
    outstanding: fc.nat(50),
    lastUsed: fc.nat(1_000),
    latency: fc.option(fc.nat(10_000), { nil: undefined }),
    health: fc.constantFrom("well", "trial", "failing"),
    isNear: fc.boolean(),
    matched: fc.nat(10),
    remembered: fc.nat(100),
  }) as fc.Arbitrary<Partial<Candidate<number>>>,
  { maxLength: 10 },
);
const anyAsk = fc.record({
  blocks: fc.nat(10),
  session: fc.option(fc.nat(2 ** 31), { nil: undefined }),
});

describe("gateway: the order of replicas", () => {
  it("contains each replica once", () => {
    fc.assert(
      fc.property(anyCandidates, anyAsk, (facts, ask) => {
        const candidates = candidatesOf(facts);
        expect(rankCandidates(candidates, ask).sort((a, b) => a - b)).to.deep.equal(
          candidates.map(({ key }) => key),
        );
      }),
    );
  });

  it("prefers no replica whose load exceeds the bound, for a prompt or a session", () => {
    fc.assert(
      fc.property(anyCandidates, anyAsk, (facts, ask) => {
        const well = facts.map((one) => ({ ...one, health: "well" as const, isNear: true }));
        const candidates = candidatesOf(well);
        const [best] = rankCandidates(candidates, ask);
        const all = candidates.reduce((sum, { outstanding }) => sum + outstanding, 0);
        const bound = (1.25 * (all + 1)) / candidates.length + 2;
        return best === undefined || (candidates[best]?.outstanding ?? 0) <= bound;
      }),
    );
  });

  it("puts failing replicas last, and tries one that may have recovered with one request", () => {
    const failing = candidatesOf([{ health: "failing" }, { outstanding: 40 }]);
    expect(rankCandidates(failing, plain)).to.deep.equal([1, 0]);
    expect(rankCandidates(candidatesOf([{}, { health: "trial" }]), plain)).to.deep.equal([1, 0]);
    const tried = candidatesOf([{}, { health: "trial", outstanding: 1 }]);
    expect(rankCandidates(tried, plain)).to.deep.equal([0, 1]);
  });

  it("puts replicas of its region first", () => {
    expect(rankCandidates(candidatesOf([{ isNear: false }, { outstanding: 1 }]), plain)).to.deep.equal([
      1, 0,
    ]);
  });

  it("counts the work that waits: a slow replica gets fewer requests", () => {
    const candidates = candidatesOf([
      { latency: 1_000 },
      { latency: 100, outstanding: 2 },
      { latency: 100, outstanding: 3 },
    ]);
    expect(rankCandidates(candidates, plain)[0]).to.equal(1);
  });

  it("sends a prompt to the cache that holds most of it, if it holds half", () => {
    const ask = { blocks: 10, session: undefined };
    expect(
      rankCandidates(candidatesOf([{}, { matched: 6, outstanding: 1 }, { matched: 5 }]), ask)[0],
    ).to.equal(1);
    expect(rankCandidates(candidatesOf([{}, { matched: 4, outstanding: 1 }]), ask)[0]).to.equal(0);
  });

  it("keeps a session at its replica when others come and go", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.integer({ min: 2, max: 9 }), (session, count) => {
        const candidates = candidatesOf(Array.from({ length: count }, () => ({})));
        const ask = { blocks: 0, session };
        const [best, second] = rankCandidates(candidates, ask);
        const without = (key: number | undefined) => candidates.filter((one) => one.key !== key);
        expect(rankCandidates(without(second), ask)[0]).to.equal(best);
        expect(rankCandidates(without(best), ask)[0]).to.equal(second);
      }),
    );
  });
});

describe("gateway: prefixes", () => {
  const bodyOf = (text: string) => Buffer.from(JSON.stringify({ model: "m", messages: [text] }));

  it("are equal as far as two prompts are, and no further", () => {
    fc.assert(
      fc.property(fc.nat(30), fc.nat(20), fc.nat(20), (common, one, other) => {
        const block = (name: string, count: number) => name.repeat(64 * count);
        const a = prefixesOf(bodyOf(block("x", common) + block("a", one + 1)));
        const b = prefixesOf(bodyOf(block("x", common) + block("b", other + 1)));
        const equal = a.findIndex((prefix, index) => prefix !== b[index]);
        expect(equal).to.equal(common);
      }),
    );
  });

  it("do not depend on what stands before the prompt", () => {
    const prompt = `"messages":["${"x".repeat(300)}"]}`;
    const [a, b] = [`{${prompt}`, `{"model":"another","seed":1,${prompt}`].map((text) =>
      prefixesOf(Buffer.from(text)),
    );
    expect(a).to.deep.equal(b);
    expect(a).to.have.length.greaterThan(3);
  });
});

describe("gateway: the memory of prefixes", () => {
  it("finds what was added last, and never holds more than its capacity", () => {
    const anyTexts = fc.array(fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(anyTexts, fc.integer({ min: 1, max: 40 }), (texts, capacity) => {
        const memory = createPrefixMemory<string>(capacity);
        for (const text of texts) {
          // An element depends on all before it.
          const prefixes = text.map((_block, index) =>
            text.slice(0, index + 1).reduce((sum, one) => sum * 5 + one + 1, 0),
          );
          memory.add("a", prefixes);
          expect(memory.matched("a", prefixes)).to.equal(Math.min(capacity, prefixes.length));
          expect(memory.size("a")).to.be.at.most(capacity);
        }
      }),
    );
  });
});

describe("gateway: the router", () => {
  it("tries a replica again after a pause that doubles, and forgets its failures with an answer", () => {
    const clock = { now: 0 };
    const router = createRouter<string>({ nameOf: (name) => name, now: () => clock.now });
    const asked = { prefixes: [], session: undefined };
    const failOnce = () => router.begin("a", asked)("failed");
    const first = () => router.rank(["a", "b"], asked)[0];
    for (let times = 0; times < 3; times++) failOnce();
    expect(first()).to.equal("b");
    clock.now += 1_000;
    expect(first()).to.equal("a");
    failOnce();
    clock.now += 1_000;
    expect(first()).to.equal("b");
    clock.now += 1_000;
    router.begin("a", asked)("answered");
    router.begin("b", asked)("answered");
    expect(first()).to.equal("a");
  });

  it("sends the turns of a conversation to one replica while others answer as well", () => {
    const router = createRouter<number>({ nameOf: String });
    const replicas = [0, 1, 2, 3];
    const used = new Map<number, Set<number>>();
    for (let turn = 1; turn <= 6; turn++) {
      for (let conversation = 0; conversation < 20; conversation++) {
        const prefixes = Array.from({ length: 8 * turn }, (_none, index) => conversation * 1_000 + index);
        const asked = { prefixes, session: undefined };
        const best = router.rank(replicas, asked)[0] as number;
        router.begin(best, asked)("answered");
        used.set(conversation, (used.get(conversation) ?? new Set()).add(best));
      }
    }
    expect([...used.values()].every((set) => set.size === 1)).to.equal(true);
    expect(new Set([...used.values()].flatMap((set) => [...set])).size).to.equal(4);
  });
});
