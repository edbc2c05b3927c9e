import { RetryableError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import type { CompletenessSource } from "./completeness.ts";
import type { Header } from "./header.ts";
import type { ChainLog } from "./rpc.ts";

/**
 * The logs of the source's contracts by block number, without duplicates, ordered by index.
 *
 * @throws RetryableError `rpc_log_mismatch` if the block hash of a log is not the hash of the block at its number.
 */
export function acceptedLogs(
  source: Pick<CompletenessSource, "addresses">,
  logs: readonly ChainLog[],
  headers: ReadonlyMap<bigint, Header>,
): Map<bigint, ChainLog[]> {
  const wanted = new Set(source.addresses.map((address) => address.toLowerCase()));
  const byBlock = new Map<bigint, ChainLog[]>();
  let number: bigint | undefined;
  let hash: Hex | undefined;
  let list: ChainLog[] = [];
  for (const log of logs) {
    // Logs of a block are nearly always adjacent.
    if (log.blockNumber !== number) {
      number = log.blockNumber;
      hash = headers.get(number)?.hash;
      list = byBlock.get(number) ?? [];
      byBlock.set(number, list);
    }
    if (hash !== log.blockHash) {
      throw new RetryableError("The block hash of a log differs from the hash of the block at its number.", {
        code: "rpc_log_mismatch",
        hint: "Wait: the blocks are read again, from another endpoint if there is one. If it recurs, replace this endpoint.",
        details: { blockNumber: log.blockNumber, blockHash: log.blockHash },
      });
    }
    if (wanted.has(log.address)) list.push(log);
  }
  for (const [block, found] of byBlock) byBlock.set(block, inOrder(found));
  return byBlock;
}

/** The logs of a block without duplicates, ordered by index; nearly always they are already. */
function inOrder(logs: ChainLog[]): ChainLog[] {
  if (logs.every(({ logIndex }, at) => at === 0 || logIndex > (logs[at - 1] as ChainLog).logIndex))
    return logs;
  const once = new Map(logs.map((log) => [log.logIndex, log]));
  return [...once.values()].sort((a, b) => a.logIndex - b.logIndex);
}
