import type { ChainClient } from "@ngpu/chain-reader/client";
import { NgpuError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import fc from "fast-check";
import { createPublicClient, custom, fallback, type Hex } from "viem";
import { userOfNonce } from "../../../packages/tx-sender/nonceUse.ts";
import { readReceipt, receiptOf } from "../../../packages/tx-sender/receipts.ts";
import { runs } from "../../support/runs.ts";

const hash: Hex = `0x${"ab".repeat(32)}`;
const other: Hex = `0x${"cd".repeat(32)}`;
const address: Hex = `0x${"11".repeat(20)}`;
const log = {
  address: `0x${"22".repeat(20)}`,
  topics: [`0x${"33".repeat(32)}`],
  data: "0x",
  blockNumber: "0x10",
  logIndex: "0x0",
};
const receipt: Record<string, unknown> = {
  transactionHash: hash,
  blockHash: `0x${"44".repeat(32)}`,
  blockNumber: "0x10",
  status: "0x1",
  gasUsed: "0x5208",
  cumulativeGasUsed: "0x5208",
  effectiveGasPrice: "0x1",
  from: `0x${"55".repeat(20)}`,
  to: `0x${"66".repeat(20)}`,
  logs: [log],
};

/** Endpoints that answer each method as given. */
function clientOf(...endpoints: ((method: string, params: readonly unknown[]) => unknown)[]): ChainClient {
  const transports = endpoints.map((answer) =>
    custom({ request: async ({ method, params }) => answer(method, params as unknown[]) }, { retryCount: 0 }),
  );
  return createPublicClient({ transport: fallback(transports, { retryCount: 0 }) }) as ChainClient;
}
const broken = () => {
  throw new Error("broken");
};

describe("receipts of transactions", () => {
  it("are read from an endpoint that has them, whatever the ones before it answer", async () => {
    const odd = [null, undefined, 7, "", [], {}, { ...receipt, status: null }, { ...receipt, logs: null }];
    for (const answer of odd) {
      const found = await receiptOf(
        clientOf(
          () => answer,
          () => receipt,
        ),
        [hash],
      );
      expect(found?.receipt, JSON.stringify(answer)).to.include({ status: "success", blockNumber: 16n });
    }
    expect(
      (
        await receiptOf(
          clientOf(broken, () => receipt),
          [hash],
        )
      )?.hash,
    ).to.equal(hash);
  });

  it("are missing if an endpoint answers and none has one, and an error if no answer can be used", async () => {
    expect(
      await receiptOf(
        clientOf(broken, () => null),
        [hash, other],
      ),
    ).to.equal(undefined);
    const pending = { ...receipt, blockNumber: null, blockHash: null };
    expect(
      await receiptOf(
        clientOf(() => pending),
        [hash],
      ),
    ).to.equal(undefined);
    for (const client of [clientOf(() => ({})), clientOf(broken, () => 1)]) {
      const error = await receiptOf(client, [hash]).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(NgpuError).and.to.have.property("retryable", true);
    }
  });

  it("are read with any value in any field, or are an error of the endpoint: they never say what they do not have", () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom<unknown>(
        undefined,
        ...["0x", "0x0", "0x01", "0x2", "-0x1", "1", "0xg", `0x${"f".repeat(64)}`, `0x${"f".repeat(65)}`],
        ...[0, 1, -1, 1e308, Number.NaN, [], {}, [null], [[]], [{}], [{ ...log, topics: ["0x1"] }]],
        ...[[{ ...log, data: "0x1" }], [{ ...log, logIndex: "odd", blockNumber: {} }], hash, other, "\u0000"],
      ),
    );
    const field = fc.constantFrom(...Object.keys(receipt), "type", "contractAddress", "blobGasPrice", "root");
    fc.assert(
      fc.property(fc.array(fc.tuple(field, value), { maxLength: 3 }), (changes) => {
        const given = { ...receipt, ...Object.fromEntries(changes) };
        let read: ReturnType<typeof readReceipt>;
        try {
          read = readReceipt(given, hash);
        } catch (error) {
          expect(error).to.be.instanceOf(NgpuError).and.to.have.property("retryable", true);
          return;
        }
        if (read === undefined) {
          expect([given.blockNumber, given.blockHash]).to.include(null);
          return;
        }
        expect(String(given.transactionHash).toLowerCase()).to.equal(hash);
        expect(read.status).to.equal(Number(given.status) === 1 ? "success" : "reverted");
        expect(read.blockNumber).to.equal(BigInt(given.blockNumber as Hex));
        expect(read.gasUsed).to.equal(BigInt(given.gasUsed as Hex));
        expect(read.logs).to.have.length((given.logs as unknown[]).length);
      }),
      { numRuns: runs(1_000) },
    );
  });
});

describe("who used a nonce", () => {
  /** A chain of blocks whose only account sends the given hashes, with nonces from 0. */
  const chainOf = (blocks: readonly (readonly Hex[])[]) => (method: string, params: readonly unknown[]) => {
    const counted = (number: number) => blocks.slice(0, number + 1).flat().length;
    if (method === "eth_blockNumber") return `0x${(blocks.length - 1).toString(16)}`;
    if (method === "eth_getTransactionCount") return `0x${counted(Number(params[1])).toString(16)}`;
    if (method !== "eth_getBlockByNumber") throw new Error(`${method} is not served`);
    const number = Number(params[0]);
    const transactions = (blocks[number] ?? []).map((one, index) => ({
      hash: one,
      from: address.toUpperCase().replace("0X", "0x"),
      nonce: `0x${(counted(number - 1) + index).toString(16)}`,
    }));
    return { number: params[0], transactions: [null, { from: 7 }, ...transactions] };
  };
  const name = (index: number): Hex => `0x${index.toString(16).padStart(64, "0")}`;

  it("is found in the block of the nonce, wherever it is", async () => {
    const blocks = fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(blocks, fc.nat(), fc.nat(), fc.boolean(), async (sizes, at, signed, isOwn) => {
        let next = 0;
        const chain = sizes.map((size) => Array.from({ length: size }, () => name(next++)));
        if (next === 0) return;
        const nonce = at % next;
        const answer = await userOfNonce(clientOf(broken, chainOf(chain)), {
          address,
          nonce: BigInt(nonce),
          hashes: [other, isOwn ? name(nonce) : hash],
          signedBlock: BigInt(signed % (sizes.length + 3)),
        });
        expect(answer).to.equal(isOwn ? "own" : "other");
      }),
      { numRuns: runs(200) },
    );
  });

  it("is unknown without the history or the block", async () => {
    const chain = chainOf([[name(0)], [name(1)]]);
    const used = { address, nonce: 1n, hashes: [name(1)], signedBlock: 0n };
    for (const missing of ["eth_getTransactionCount", "eth_getBlockByNumber"]) {
      for (const answer of [broken, () => null, () => ({})]) {
        const client = clientOf((method, params) => (method === missing ? answer() : chain(method, params)));
        const error = await userOfNonce(client, used).then(
          (user) => user,
          () => "unknown",
        );
        expect(error, missing).to.equal("unknown");
      }
    }
  });
});
