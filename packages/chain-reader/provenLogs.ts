import { RetryableError } from "@ngpu/runtime/errors";
import { type Hex, numberToHex } from "viem";
import { parseAnswer } from "./parse.ts";
import { type RawReceipt, receiptsRootOf } from "./receiptsRoot.ts";
import type { BlockRef } from "./reconcile.ts";
import { type ChainLog, call, logReader, type RpcClient } from "./rpc.ts";

type Requester = Pick<RpcClient, "request">;

/**
 * Every log of a block, whatever its contract, proven by the root that the block's header has of its receipts. Another endpoint
 * is asked, where there is one, when the first one's receipts do not give that root.
 *
 * @throws RetryableError `rpc_receipts_unproven`, or `rpc_block_missing` when another block stands at its number
 * @throws FatalError `rpc_method_missing` when no endpoint serves receipts
 */
export async function readProvenLogs(client: RpcClient, block: BlockRef): Promise<ChainLog[]> {
  const first = await provenBy(client, block);
  const logs =
    first ?? (client.otherEndpoints === undefined ? undefined : await provenBy(client.otherEndpoints, block));
  if (logs !== undefined) return logs;
  throw new RetryableError("The receipts of a block do not match its receiptsRoot.", {
    code: "rpc_receipts_unproven",
    details: { blockNumber: block.number, blockHash: block.hash },
  });
}

async function provenBy(client: Requester, { number, hash }: BlockRef): Promise<ChainLog[] | undefined> {
  const at = numberToHex(number);
  const ask = (method: string, params: unknown[]): Promise<unknown> =>
    call(() => client.request({ method, params } as never));
  const [header, receipts] = await Promise.all([
    ask("eth_getBlockByNumber", [at, false]),
    ask("eth_getBlockReceipts", [at]),
  ]);
  const { hash: hashAtEndpoint, receiptsRoot } = (header ?? {}) as { hash?: Hex; receiptsRoot?: Hex };
  if (hashAtEndpoint !== hash) {
    throw new RetryableError(`The endpoint has another block ${number}, or none.`, {
      code: "rpc_block_missing",
    });
  }
  return parseAnswer(() => {
    const root = receiptsRootOf(receipts as RawReceipt[]);
    if (root !== receiptsRoot) return undefined;
    const logs = (receipts as { logs: Record<string, unknown>[] }[]).flatMap((receipt) => receipt.logs);
    const read = logReader();
    // The root does not cover where a log stands; the order of the receipts does.
    return logs.map((log, logIndex) => ({ ...read(log), blockNumber: number, blockHash: hash, logIndex }));
  });
}
