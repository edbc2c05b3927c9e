import { expect } from "chai";
import fc from "fast-check";
import { type NodeFacts, shareEmission } from "../../../services/pomc/score.ts";

const emission = 1_000n * 10n ** 18n;

function node(overrides: Partial<NodeFacts>): NodeFacts {
  return {
    nodeId: 1,
    account: "0x0000000000000000000000000000000000000001",
    gpus: 0,
    vramMib: 0,
    cpuMilli: 2_000,
    memoryMib: 8_192,
    slotsPresent: 5,
    portsReachable: 1,
    ...overrides,
  };
}

const anyNode = fc.record({
  nodeId: fc.integer({ min: 1, max: 1_000 }),
  account: fc.integer({ min: 1, max: 6 }).map((n) => `0x${n.toString(16).padStart(40, "0")}`),
  gpus: fc.integer({ min: 0, max: 8 }),
  vramMib: fc.integer({ min: 0, max: 200_000 }),
  cpuMilli: fc.integer({ min: 0, max: 256_000 }),
  memoryMib: fc.integer({ min: 0, max: 2_000_000 }),
  slotsPresent: fc.integer({ min: 0, max: 60 }),
  portsReachable: fc.option(fc.integer({ min: 0, max: 4 })),
});

describe("sharing an epoch's emission", () => {
  it("grants all of it to a single node", () => {
    expect(shareEmission([node({})], emission).map((share) => share.amount)).to.deep.equal([emission]);
  });

  it("grants nothing to a node that has no valid measurement, is unreachable or is absent", () => {
    const nodes = [
      node({ nodeId: 1, portsReachable: null }),
      node({ nodeId: 2, portsReachable: 0 }),
      node({ nodeId: 3, slotsPresent: 0 }),
    ];
    expect(shareEmission(nodes, emission)).to.deep.equal([]);
  });

  it("weighs units by the slots a node was present in", () => {
    const account = (n: number) => `0x${n.toString(16).padStart(40, "0")}`;
    // Four accounts, so that the cap is a quarter for each.
    const nodes = [1, 2, 3, 4].map((n) =>
      node({ nodeId: n, account: account(n), slotsPresent: n === 1 ? 3 : 4 }),
    );
    const [first, second] = shareEmission(nodes, emission);
    // Three of fifteen parts, and four of fifteen parts, capped at a quarter.
    expect(first?.amount).to.equal((emission * 3n) / 15n);
    expect(second?.amount).to.equal(emission / 4n);
  });

  it("never grants more than the emission, nor an account more than its cap", () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyNode, { selector: (n) => n.nodeId, maxLength: 40 }), (nodes) => {
        const shares = shareEmission(nodes, emission);
        const total = shares.reduce((sum, share) => sum + share.amount, 0n);
        const accounts = new Map<string, bigint>();
        for (const share of shares) {
          accounts.set(share.account, (accounts.get(share.account) ?? 0n) + share.amount);
        }
        const cap = emission / BigInt(Math.max(1, Math.min(4, accounts.size)));
        expect(total <= emission).to.equal(true);
        for (const amount of accounts.values()) expect(amount <= cap).to.equal(true);
      }),
    );
  });

  it("does not depend on the order in which nodes are read", () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyNode, { selector: (n) => n.nodeId, maxLength: 20 }), (nodes) => {
        expect(shareEmission([...nodes].reverse(), emission)).to.deep.equal(shareEmission(nodes, emission));
      }),
    );
  });
});
