import type { ChainClient } from "@ngpu/chain-reader/client";
import { readLogRange } from "@ngpu/chain-reader/logRange";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { proofWavesAbi } from "@ngpu/contracts-sdk/generated/abi";
import { addressesOf } from "@ngpu/contracts-sdk/generations";
import { decodeEventLog, type Hex, toEventSelector } from "viem";
import type { Journal } from "../../journal/open.ts";
import { type Claims, readClaims, writeClaims } from "../../journal/waves.ts";

/** Blocks of one request; the endpoint may allow fewer. */
const rangeSize = 2_000n;
/** Blocks below the newest one from which claims are stored: a reorganization is not that deep. */
const unsettled = 256n;

const selector = toEventSelector(
  proofWavesAbi.find((item) => item.type === "event" && item.name === "HardwareClaimed") as never,
);

export type ClaimBook = {
  /** What each node's key claims in the blocks before `block`, read from the chain. */
  before: (block: bigint) => Promise<Claims>;
};

/** What nodes claim, from the chain's logs alone. What was read long ago is in the journal. */
export function createClaimBook(deps: {
  client: ChainClient;
  deployment: Deployment;
  journal: Journal;
}): ClaimBook {
  const { client, deployment, journal } = deps;
  const addresses = addressesOf(deployment, "ProofWaves");
  let reading: Promise<unknown> = Promise.resolve();

  const read = async (fromBlock: bigint, toBlock: bigint): Promise<Claims> => {
    const claims: Claims = new Map();
    for (let from = fromBlock; from <= toBlock; from += rangeSize) {
      const end = from + rangeSize - 1n;
      const range = { fromBlock: from, toBlock: end < toBlock ? end : toBlock };
      const logs = await readLogRange(client, { addresses, topics: [selector] }, range);
      for (const { data, topics } of logs) {
        const { args } = decodeEventLog({ abi: proofWavesAbi, eventName: "HardwareClaimed", data, topics });
        claims.set(args.nodeId, args.devices as readonly Hex[]);
      }
    }
    return claims;
  };
  const before = async (block: bigint): Promise<Claims> => {
    const stored = readClaims(journal) ?? { until: deployment.startBlock - 1n, claims: new Map() };
    const settled = block - unsettled;
    if (settled > stored.until) {
      writeClaims(journal, settled, await read(stored.until + 1n, settled));
      return before(block);
    }
    const later = await read(stored.until + 1n, block - 1n);
    return new Map([...stored.claims, ...later]);
  };
  return {
    before: (block) => {
      // One after the other: each stores what it read.
      const result = reading.then(() => before(block));
      reading = result.catch(() => undefined);
      return result;
    },
  };
}
