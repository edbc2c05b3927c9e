import type { FaultInjector } from "./rpcFaults.ts";

export type RpcCall = { id: unknown; method: string; params?: unknown[] };
type RpcOutcome = { result?: unknown; error?: { code: number; message: string } };
export type RpcResponse = RpcOutcome & { jsonrpc: "2.0"; id: unknown };
type Block = { number: string };
type Log = { blockHash: string };
type LogQuery = { fromBlock?: string; toBlock?: string; blockHash?: string };

export type ResponderOptions = {
  /** URL of the real node. */
  target: string;
  faults: FaultInjector;
  /** Number of blocks that the safe and the finalized block are behind the newest. */
  heads: { safe: number; finalized: number };
};

/** Returns a function that forwards a call to the node and injects faults into the outcome. */
export function createResponder({ target, faults, heads }: ResponderOptions) {
  const upstream = (method: string, params: unknown[]) => forward(target, method, params);
  const height = async () => Number((await upstream("eth_blockNumber", [])).result);

  function lagging(outcome: RpcOutcome): RpcOutcome {
    faults.count("behind");
    return outcome;
  }

  async function block([at, full]: unknown[]): Promise<RpcOutcome> {
    if (faults.chance("nullBlock")) return { result: null };
    const top = (await height()) - faults.behind();
    const stale = at === "latest" && faults.chance("staleHead") ? Math.floor(faults.random() * 20) : 0;
    const depths: Record<string, number> = { latest: stale, ...heads };
    const depth = depths[at as string];
    const number = depth === undefined ? Number(at) : Math.max(0, top - depth);
    if (number > top) return lagging({ result: null });
    return upstream("eth_getBlockByNumber", [hex(number), full]);
  }

  async function logsOfBlock(query: LogQuery): Promise<RpcOutcome> {
    const behind = faults.behind();
    if (behind > 0) {
      const found = (await upstream("eth_getBlockByHash", [query.blockHash, false])).result as Block | null;
      if (found !== null && Number(found.number) > (await height()) - behind) {
        return lagging({ error: { code: -32_000, message: "unknown block" } });
      }
    }
    return spoilLogs(faults, await upstream("eth_getLogs", [query]));
  }

  async function logsOfRange(query: LogQuery): Promise<RpcOutcome> {
    const from = Number(query.fromBlock);
    const to = Number(query.toBlock);
    if (to - from >= 4 && faults.chance("rangeTooLarge")) {
      return { error: { code: -32_005, message: "query exceeds max block range" } };
    }
    // An endpoint that lags silently omits logs of blocks that it does not have.
    const behind = faults.behind();
    const top = behind > 0 ? (await height()) - behind : to;
    if (top < from) return lagging({ result: [] });
    return spoilLogs(faults, await upstream("eth_getLogs", [{ ...query, toBlock: hex(Math.min(to, top)) }]));
  }

  return async ({ method, params = [] }: RpcCall): Promise<RpcOutcome> => {
    if (method === "eth_getBlockByNumber") return block(params);
    if (method !== "eth_getLogs") return upstream(method, params);
    const query = params[0] as LogQuery;
    return query.blockHash === undefined ? logsOfRange(query) : logsOfBlock(query);
  };
}

async function forward(target: string, method: string, params: unknown[]): Promise<RpcOutcome> {
  const response = await fetch(target, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { result, error } = (await response.json()) as RpcResponse;
  return error === undefined ? { result } : { error };
}

/** Injects faults into a list of logs: a wrong block hash or omitted logs. */
function spoilLogs(faults: FaultInjector, outcome: RpcOutcome): RpcOutcome {
  const list = outcome.result;
  if (!Array.isArray(list) || list.length === 0) return outcome;
  if (faults.chance("otherHash")) {
    const other = `0x${"ab".repeat(32)}`;
    return { result: list.map((log: Log, index) => (index === 0 ? { ...log, blockHash: other } : log)) };
  }
  if (faults.omitsOne()) {
    const lasts = list.filter(({ blockHash }: Log, at) => blockHash === list[at - 1]?.blockHash);
    const omitted = new Set(lasts.filter((log: Log, at) => log.blockHash !== lasts[at + 1]?.blockHash));
    return { result: list.filter((log: Log) => !omitted.has(log)) };
  }
  if (faults.chance("missingLogs")) {
    const omitted = new Set(list.map((log: Log) => log.blockHash).filter(() => faults.random() < 0.5));
    return { result: list.filter((log: Log) => !omitted.has(log.blockHash)) };
  }
  return outcome;
}

function hex(number: number): string {
  return `0x${number.toString(16)}`;
}
