import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { historiesOf, nodesOf } from "@ngpu/rewards/nodeLogs";
import { proofsOf } from "@ngpu/waves/proofs";
import { expect } from "chai";

const key = `0x${"11".repeat(20)}`;
const newKey = `0x${"22".repeat(20)}`;
const wallet = `0x${"aa".repeat(20)}`;
const none = `0x${"00".repeat(20)}`;

const spec = {
  gpuModel: "0x0000000000000000",
  vramMib: 0,
  total: { gpus: 0, cpuMilli: 4_000 },
};

let block = 0n;
const log = (name: string, args: Record<string, unknown>): ChainLog => {
  block += 1n;
  return {
    contract: "ComputeNode",
    generation: 1,
    name,
    args: { nodeId: 1, ...args },
    block,
    logIndex: 0,
    time: Number(block),
  };
};
const registered = (isBound: boolean) =>
  log("NodeRegistered", { key, wallet, isBound, spec, pricePerSecond: 1n, gpuName: "", gpuUuids: [] });

/** The account that the node's rewards go to after these logs. */
function payeeOf(logs: ChainLog[]): string | undefined {
  const window = { from: 0, to: Number(block) + 1 };
  return historiesOf(nodesOf(logs, block), { reached: new Set(), proofs: proofsOf([]) }, window)[0]?.account;
}

describe("the account that a node's rewards go to, from the chain's logs", () => {
  beforeEach(() => {
    block = 0n;
  });

  it("is the node's key while its wallet has not consented, and the wallet from its consent on", () => {
    const logs = [registered(false)];
    expect(payeeOf(logs)).to.equal(key);
    logs.push(log("NodeWalletSet", { wallet }));
    expect(payeeOf(logs)).to.equal(wallet);
  });

  it("is a wallet that consented at the registration", () => {
    expect(payeeOf([registered(true)])).to.equal(wallet);
  });

  it("is the newest key when no wallet is bound any more", () => {
    const logs = [
      registered(true),
      log("NodeKeySet", { key: newKey }),
      log("NodeWalletSet", { wallet: none }),
    ];
    expect(payeeOf(logs)).to.equal(newKey);
  });
});
