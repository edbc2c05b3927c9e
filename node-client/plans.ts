import { type ChainLog, type RpcClient, readLogs } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { policies } from "@ngpu/contracts-sdk/enumNames";
import { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { addressesOf } from "@ngpu/contracts-sdk/generations";
import { readImageFacts } from "@ngpu/protocol/imageFacts";
import { workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { RetryableError } from "@ngpu/runtime/errors";
import {
  decodeEventLog,
  getAbiItem,
  type Hex,
  keccak256,
  numberToHex,
  pad,
  toBytes,
  toEventSelector,
} from "viem";
import type { Assignment } from "./leases.ts";
import type { Plan } from "./reconcileFacts.ts";

const published = getAbiItem({ abi: dockerContractAbi, name: "WorkspacePublished" });
const updated = getAbiItem({ abi: dockerContractAbi, name: "WorkspaceUpdated" });
/** @deadline The registry of a workspace's image to serve its manifest. The image is pulled without its size. */
const manifestDeadline = 5_000;

/** A workspace as of its publication or an update, as the journal stores it. */
export type Publication = {
  workspaceId: bigint;
  blockNumber: bigint;
  spec: {
    image: Hex;
    policy: number;
    graceSeconds: number;
    resources: { gpus: number; cpuMilli: number; memoryMib: number; diskGib: number };
    configHash: Hex;
  };
  config: string;
  sizeBytes: bigint | undefined;
};

/** How to run a published workspace. Pure. */
export function planOf({ spec, config, sizeBytes }: Publication): Plan {
  if (keccak256(toBytes(config)) !== spec.configHash)
    return { type: "unrunnable", reason: "config_mismatch" };
  const parsed = parseConfig(config);
  if (parsed === undefined) return { type: "unrunnable", reason: "config_invalid" };
  return {
    type: "runnable",
    reference: `${parsed.image}@sha256:${spec.image.slice(2)}`,
    policy: policies[spec.policy] ?? "exclusive",
    graceSeconds: spec.graceSeconds,
    gpus: spec.resources.gpus,
    cpuMilli: spec.resources.cpuMilli,
    memoryMib: spec.resources.memoryMib,
    diskGib: spec.resources.diskGib,
    config: parsed,
    sizeBytes,
  };
}

function parseConfig(text: string) {
  try {
    return workspaceConfig.parse(JSON.parse(text));
  } catch {
    // The text comes from a partner. Whatever the error, the workspace cannot run, and the lease is reported as failed.
    return undefined;
  }
}

/**
 * Reads a workspace from the chain as of a lease's assignment: its last update before it, or its publication.
 *
 * @throws RetryableError `publication_not_found` when the endpoint does not return it, or the endpoint's error.
 */
export async function readPublication(
  client: RpcClient,
  deployment: Deployment,
  assignment: Pick<Assignment, "workspaceId" | "assignedBlock" | "assignedLog">,
): Promise<Publication> {
  const topics = [
    [toEventSelector(published), toEventSelector(updated)],
    pad(numberToHex(assignment.workspaceId), { size: 32 }),
  ];
  const log = await findLatestLog(client, deployment, topics, {
    block: assignment.assignedBlock,
    log: assignment.assignedLog,
  });
  if (log === undefined) {
    throw new RetryableError(`The RPC endpoint returned no event of workspace ${assignment.workspaceId}.`, {
      code: "publication_not_found",
      hint: "Use an RPC endpoint that serves the logs of older blocks.",
    });
  }
  const { args } = decodeEventLog({ abi: [published, updated], topics: log.topics, data: log.data });
  return {
    workspaceId: args.workspaceId,
    blockNumber: log.blockNumber,
    spec: args.spec,
    config: args.config,
    sizeBytes: await readSize(args.spec.image, args.config),
  };
}

/**
 * The image's compressed size, from its manifest; undefined when the registry does not serve it. Only the disk check and the
 * percentage use it. What was registered on the chain is not used: anyone may register any digest.
 */
async function readSize(image: Hex, config: string): Promise<bigint | undefined> {
  const parsed = parseConfig(config);
  if (parsed === undefined) return undefined;
  const reference = `${parsed.image}@sha256:${image.slice(2)}`;
  // The engine pulls from the same registry, wherever it is.
  const options = { signal: AbortSignal.timeout(manifestDeadline), privateAddresses: true };
  const facts = await readImageFacts(reference, options).catch(() => undefined);
  return facts?.sizeBytes;
}

/** The newest matching log before a position in the chain. The block range shrinks when the endpoint refuses it. */
async function findLatestLog(
  client: RpcClient,
  deployment: Deployment,
  topics: (Hex | Hex[])[],
  until: { block: bigint; log: number },
): Promise<ChainLog | undefined> {
  const { startBlock } = deployment;
  const filter = { addresses: addressesOf(deployment, "DockerContract"), topics };
  let span = 5_000n;
  let largest = 500_000n;
  for (let last = until.block; last >= startBlock; ) {
    const ranges = rangesBelow({ last, startBlock, span });
    try {
      const found = await Promise.all(ranges.map((range) => readLogs(client, filter, range)));
      const logs = found.flat().filter((log) => log.blockNumber < until.block || log.logIndex < until.log);
      if (logs.length > 0) return logs.at(-1);
      last = (ranges[0]?.fromBlock ?? startBlock) - 1n;
      span = span * 2n < largest ? span * 2n : largest;
    } catch (error) {
      const isLimit = error instanceof RetryableError && error.code === "rpc_limit";
      if (span === 1n || (!isLimit && span <= 100n)) throw error;
      span /= isLimit ? 2n : 10n;
      if (isLimit) largest = span;
    }
  }
  return undefined;
}

/** Ranges shorter than this are read several at once. */
const shortSpan = 1_000n;
const shortRanges = 16;

/** The next ranges down from `last`, ascending. */
function rangesBelow({ last, startBlock, span }: { last: bigint; startBlock: bigint; span: bigint }) {
  const ranges: { fromBlock: bigint; toBlock: bigint }[] = [];
  for (let to = last; to >= startBlock && ranges.length < (span < shortSpan ? shortRanges : 1); to -= span) {
    const from = to - span + 1n;
    ranges.unshift({ fromBlock: from > startBlock ? from : startBlock, toBlock: to });
  }
  return ranges;
}
