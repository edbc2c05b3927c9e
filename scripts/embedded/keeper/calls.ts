/** The fields of a JSON-RPC call that the keeper reads. */
export type RpcCall = { id?: unknown; method: string; params?: unknown[] };
export type RpcError = { code: number; message: string };
export type RpcAnswer = { jsonrpc: "2.0"; id: unknown } & ({ result: unknown } | { error: RpcError });

/**
 * Effect of a call on the chain: `read` changes nothing; `write` changes state and is journaled; `automine` sets when
 * blocks are made; `heads` manages subscriptions; `clock` would change the time or the history, which only the keeper
 * may do.
 */
export type CallKind = "read" | "write" | "automine" | "heads" | "clock";

const writes = new Set([
  "eth_sendRawTransaction",
  "eth_sendTransaction",
  "hardhat_dropTransaction",
  "hardhat_impersonateAccount",
  "hardhat_setBalance",
  "hardhat_setCode",
  "hardhat_setCoinbase",
  "hardhat_setNonce",
  "hardhat_setStorageAt",
  "hardhat_stopImpersonatingAccount",
]);
const reads = new Set(["hardhat_getAutomine", "hardhat_metadata"]);
const heads = new Set(["eth_subscribe", "eth_unsubscribe"]);

export function kindOf(method: string): CallKind {
  if (writes.has(method)) return "write";
  if (heads.has(method)) return "heads";
  if (reads.has(method)) return "read";
  if (method === "evm_setAutomine") return "automine";
  return /^(evm|hardhat|anvil)_/.test(method) ? "clock" : "read";
}

/** Parses a request body; undefined when it is not a JSON-RPC request. */
export function parseCalls(body: string): { calls: RpcCall[]; isBatch: boolean } | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  const calls = Array.isArray(parsed) ? parsed : [parsed];
  const isCall = (one: unknown): one is RpcCall =>
    typeof one === "object" && one !== null && "method" in one && typeof one.method === "string";
  return calls.length > 0 && calls.every(isCall) ? { calls, isBatch: Array.isArray(parsed) } : undefined;
}

export function refuse(call: Pick<RpcCall, "id">, code: number, message: string): RpcAnswer {
  return { jsonrpc: "2.0", id: call.id ?? null, error: { code, message } };
}

export function answer(call: Pick<RpcCall, "id">, result: unknown): RpcAnswer {
  return { jsonrpc: "2.0", id: call.id ?? null, result };
}

/** Timestamp of the next block: now, but never before the previous block. */
export function nextTimestamp(nowMs: number, last: number): number {
  return Math.max(Math.floor(nowMs / 1000), last);
}
