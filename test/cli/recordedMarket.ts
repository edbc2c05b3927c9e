import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AbiName } from "@ngpu/contracts-sdk/abis";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { trialCatalogue } from "@ngpu/rewards/catalogue";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { packTerms, type RewardTerms } from "@ngpu/rewards/terms";
import { type Address, type Hex, numberToHex, pad } from "viem";
import { type RawReceipt, receiptsRootOf } from "../../packages/chain-reader/receiptsRoot.ts";
import { eventLog, type ScriptedLog } from "../packages/chain-reader/scriptedChain.ts";
import { deploymentDocument } from "../services/support/deployment.ts";

/** A market whose only node earns exactly `earned` in epoch 1, as a chain's logs record it. Blocks are two seconds apart. */
export const { genesis, slotSeconds, epochSeconds, settlementSeconds } = deploymentDocument.parameters;
export const account = pad("0xacc0", { size: 20 });
const key = pad("0xce1", { size: 20 });
const rate = 10n ** 15n;
const slots = epochSeconds / slotSeconds;
export const earned = 250n * BigInt(slots) * rate;

const terms: RewardTerms = {
  ...defaultTerms({ slotSeconds }),
  // A newcomer has 250 units.
  catalogue: trialCatalogue,
  measurerBasisPoints: 0,
  taskBasisPoints: 0,
  bond: 0n,
  bondEpochs: 0,
  classes: [{ weight: 1_000_000n, rate, ceiling: 2n ** 63n }],
};

const measured = {
  absent: false,
  downMbps: 10,
  upMbps: 10,
  latencyTenthMs: 10,
  portsReachable: 1,
  diskFreeGib: 10,
  diskWriteMibps: 10,
};
const resources = { gpus: 0, cpuMilli: 8_000, memoryMib: 1_024, diskGib: 10, ports: 4 };
const spec = {
  gpuModel: pad("0x", { size: 8 }),
  vramMib: 0,
  computeCapability: 0,
  region: "0x4445",
  total: resources,
};
const word = (digit: string): Hex => `0x${digit.repeat(64)}`;
export const blockAt = (time: number) => Math.ceil((time - genesis) / 2);

export type Placed = { block: number; log: ScriptedLog };

/** A log of one of the market's contracts in a block. */
export const at = (
  block: number,
  contract: AbiName,
  name: string,
  args: Record<string, unknown>,
): Placed => ({
  block,
  log: eventLog(contract, name, args, deploymentDocument.contracts[contract] as Address),
});

/** The logs of the market: registration, terms, a measurement, heartbeats and the root of epoch 1. */
export function marketLogs(root: Hex, total: bigint, dataHash = word("d")): Placed[] {
  const first = Math.ceil(genesis / slotSeconds);
  const heartbeats = Array.from({ length: slots }, (_, place) => {
    const { encoding, bits } = encodeHeartbeats(1, new Set([1]));
    const slot = first + place;
    return at(blockAt((slot + 1) * slotSeconds), "ComputeNode", "HeartbeatsCommitted", {
      slot: BigInt(slot),
      encoding: encoding === "bitmap" ? 0 : 1,
      nodeCount: 1,
      bits,
    });
  });
  const finalized = { roundId: 1n, nodeId: 1, submissions: 1, median: measured, expiresAt: genesis + 9_000 };
  const settled = blockAt(genesis + epochSeconds + settlementSeconds) + 1;
  const registered = {
    nodeId: 1,
    key,
    wallet: account,
    isBound: true,
    spec,
    pricePerSecond: 1n,
    gpuName: "",
    gpuUuids: [],
  };
  return [
    at(1, "Pomc", "TermsSet", { fromEpoch: 1n, terms: packTerms(terms) }),
    at(1, "ComputeNode", "NodeRegistered", registered),
    at(2, "Measure", "MeasureFinalized", finalized),
    ...heartbeats,
    at(settled, "Pomc", "EpochPosted", {
      number: 1n,
      root,
      total,
      dataHash,
      activatesAt: genesis + 9_000,
    }),
  ];
}

/** It may contain anything. */
const anyBloom: Hex = `0x${"f".repeat(512)}`;
const noBloom: Hex = `0x${"0".repeat(512)}`;
const succeeded = { status: "0x1", cumulativeGasUsed: "0x5208", logsBloom: anyBloom } as const;

/** What a wallet asks for before it sends. */
const sending: Record<string, unknown> = {
  eth_call: "0x",
  eth_estimateGas: "0x186a0",
  eth_gasPrice: "0x1",
  eth_maxPriorityFeePerGas: "0x1",
  eth_getTransactionCount: "0x0",
};
const mined = {
  ...succeeded,
  blockNumber: "0x1",
  transactionIndex: "0x0",
  from: pad("0x1", { size: 20 }),
  to: pad("0x2", { size: 20 }),
  contractAddress: null,
  gasUsed: "0x5208",
  effectiveGasPrice: "0x1",
  type: "0x2",
  logs: [],
};

export type RecordedMarket = {
  rpcUrl: string;
  deployment: string;
  /** Makes this block the newest one; at first it is one after the last log. */
  setHead(block: number): void;
  /** Replaces all blocks by others with the same logs. */
  reorganize(): void;
  /** Transactions that were sent to it. All succeed, and change nothing. */
  transactions: Hex[];
  close(): Promise<void>;
};

/**
 * Serves the logs over JSON-RPC, and writes the deployment's file. The logs of a block are of one transaction.
 *
 * @param omitted Positions of logs that the endpoint leaves out where it is asked for logs.
 */
export async function serveMarket(
  placed: readonly Placed[],
  omitted: readonly number[] = [],
): Promise<RecordedMarket> {
  let newest = Math.max(...placed.map(({ block }) => block)) + 10;
  let fork = 0n;
  const hashOf = (block: number) => pad(numberToHex((fork << 64n) + BigInt(block + 1)), { size: 32 });
  const byBlock = new Map<number, RawReceipt["logs"]>();
  const receiptsOf = (block: number): RawReceipt[] => {
    const own = byBlock.get(block);
    return own === undefined ? [] : [{ ...succeeded, logs: own }];
  };
  const emptyRoot = receiptsRootOf([]);
  const header = (block: number) => ({
    number: numberToHex(block),
    hash: hashOf(block),
    parentHash: hashOf(block - 1),
    timestamp: numberToHex(genesis + 2 * block),
    logsBloom: byBlock.has(block) ? anyBloom : noBloom,
    baseFeePerGas: "0x1",
    receiptsRoot: byBlock.has(block) ? receiptsRootOf(receiptsOf(block)) : emptyRoot,
  });
  const logs = placed.map(({ block, log }, index) => ({
    ...log,
    blockNumber: numberToHex(block),
    blockHash: hashOf(block),
    transactionHash: hashOf(index + 500),
    logIndex: numberToHex(index),
    transactionIndex: "0x0",
    removed: false,
  }));
  for (const log of logs) {
    const block = Number(log.blockNumber);
    byBlock.set(block, [...(byBlock.get(block) ?? []), log]);
  }
  const transactions: Hex[] = [];
  const answer = (method: string, [first]: [string & { fromBlock: Hex; toBlock: Hex }]) => {
    if (method === "eth_chainId") return numberToHex(deploymentDocument.chainId);
    if (method === "eth_blockNumber") return numberToHex(newest);
    if (method === "eth_getBlockByNumber") return header(first === "latest" ? newest : Number(first));
    if (method === "eth_getBlockReceipts") return receiptsOf(Number(first));
    if (method === "eth_sendRawTransaction") return hashOf(10_000 + transactions.push(first as Hex));
    if (method === "eth_getTransactionReceipt")
      return { ...mined, transactionHash: first, blockHash: hashOf(1) };
    if (method in sending) return sending[method];
    if (method !== "eth_getLogs") return undefined;
    const [from, to] = [Number(first.fromBlock), Number(first.toBlock)];
    return logs
      .filter(
        ({ blockNumber }, index) =>
          Number(blockNumber) >= from && Number(blockNumber) <= to && !omitted.includes(index),
      )
      .map((log) => ({ ...log, blockHash: hashOf(Number(log.blockNumber)) }));
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const one = ({ id, method, params }: { id: number; method: string; params: [never] }) => {
      const result = answer(method, params ?? []);
      const unserved = { code: -32601, message: `The recorded market does not serve ${method}.` };
      return { jsonrpc: "2.0", id, ...(result === undefined ? { error: unserved } : { result }) };
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(Array.isArray(body) ? body.map(one) : one(body)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = await mkdtemp(join(tmpdir(), "ngpu-verify-"));
  const deployment = join(folder, "deployment.json");
  writeFileSync(deployment, JSON.stringify(deploymentDocument));
  return {
    rpcUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    deployment,
    setHead: (block) => {
      newest = block;
    },
    transactions,
    reorganize: () => {
      fork += 1n;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}
