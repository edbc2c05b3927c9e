import { RetryableError } from "@ngpu/runtime/errors";
import { type Hex, numberToHex } from "viem";
import { parseResponse } from "./parse.ts";
import { type RawReceipt, receiptsRootOf } from "./receiptsRoot.ts";
import type { BlockRef } from "./reconcile.ts";
import { type ChainLog, call, logReader, type RpcClient } from "./rpc.ts";

type Requester = Pick<RpcClient, "request">;

/**
 * Reads all logs of a block and verifies them against the receiptsRoot of its header. If the receipts of the first
 * endpoint do not match, another endpoint is used if there is one.
 *
 * @throws RetryableError `rpc_receipts_mismatch` if no receipts match; `rpc_block_not_found` if the endpoint does not
 *   have this block at its number.
 * @throws FatalError `rpc_method_unsupported` if no endpoint serves receipts.
 */
export async function readProvenLogs(client: RpcClient, block: BlockRef): Promise<ChainLog[]> {
  const first = await provenBy(client, block);
  const logs =
    first ?? (client.otherEndpoints === undefined ? undefined : await provenBy(client.otherEndpoints, block));
  if (logs !== undefined) return logs;
  throw new RetryableError("The receipts of a block do not match its receiptsRoot.", {
    code: "rpc_receipts_mismatch",
    hint: "Wait: the blocks are read again, from another endpoint if there is one. If it recurs, replace this endpoint.",
    details: { blockNumber: block.number, blockHash: block.hash },
  });
}

async function provenBy(client: Requester, { number, hash }: BlockRef): Promise<ChainLog[] | undefined> {
  const at = numberToHex(number);
  const request = (method: string, params: unknown[]): Promise<unknown> =>
    call(() => client.request({ method, params } as never));
  const [header, receipts] = await Promise.all([
    request("eth_getBlockByNumber", [at, false]),
    request("eth_getBlockReceipts", [at]),
  ]);
  const { hash: hashAtEndpoint, receiptsRoot } = (header ?? {}) as { hash?: Hex; receiptsRoot?: Hex };
  if (hashAtEndpoint !== hash) {
    throw new RetryableError(`The endpoint does not have block ${number} with hash ${hash}.`, {
      code: "rpc_block_not_found",
      hint: "Wait until the endpoint has this block, or add another endpoint to CHAIN_RPC_URLS.",
    });
  }
  return parseResponse(() => {
    const root = receiptsRootOf(receipts as RawReceipt[]);
    if (root !== receiptsRoot) return undefined;
    const logs = (receipts as { logs: Record<string, unknown>[] }[]).flatMap((receipt) => receipt.logs);
    const read = logReader();
    // The root does not cover block and index of a log. The order of the receipts determines them.
    return logs.map((log, logIndex) => ({ ...read(log), blockNumber: number, blockHash: hash, logIndex }));
  });
}
