import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

type Call = { id: number; method: string; params?: unknown[] };
type Log = { blockNumber: string };
type Answer = { result?: unknown; error?: { code: number; message: string } };

/** What an endpoint refuses, in the words of a provider. */
export type RpcLimit = {
  /** Asks the real node something else. */
  replace?: (call: Call) => Call;
  /** Refuses a request before it is served. */
  refuse?: (call: Call) => Answer["error"] | undefined;
  /** Changes what the real node answers. */
  change?: (call: Call, result: unknown) => unknown;
  /** Refuses a request because of its result. */
  refuseResult?: (call: Call, result: unknown) => Answer["error"] | undefined;
  /** Refuses an HTTP request as a whole. */
  refuseAll?: (calls: Call[], isBatch: boolean) => HttpAnswer | undefined;
  /** Status of a JSON-RPC error. Default 200. */
  status?: number;
};

type HttpAnswer = { status: number; headers?: Record<string, string>; body: string };

/** Starts a proxy for a real node that imposes a provider's limit. It has no WebSocket. */
export async function startLimitedRpc(target: string, limit: RpcLimit) {
  let refusals = 0;
  const answer = async (call: Call): Promise<Answer> => {
    const error = limit.refuse?.(call);
    if (error !== undefined) return { error };
    const { result: served, ...rest } = await forward(target, limit.replace?.(call) ?? call);
    const result = limit.change === undefined ? served : limit.change(call, served);
    const refused = limit.refuseResult?.(call, result);
    return refused === undefined ? { ...rest, ...(result !== undefined && { result }) } : { error: refused };
  };
  const serve = async (text: string): Promise<HttpAnswer> => {
    const body = JSON.parse(text) as Call | Call[];
    const calls = [body].flat();
    const refused = limit.refuseAll?.(calls, Array.isArray(body));
    if (refused !== undefined) {
      refusals += 1;
      return refused;
    }
    const answers = await Promise.all(
      calls.map(async (call) => ({ jsonrpc: "2.0", id: call.id, ...(await answer(call)) })),
    );
    const failed = answers.filter(({ error }) => error !== undefined).length;
    refusals += failed;
    return {
      status: failed > 0 ? (limit.status ?? 200) : 200,
      body: JSON.stringify(Array.isArray(body) ? answers : answers[0]),
    };
  };
  const server = createServer((request, response) => {
    // An upgrade to a WebSocket is refused, too.
    if (request.method !== "POST") return void response.writeHead(405).end();
    textOf(request)
      .then(serve)
      .then(({ status, headers, body }) =>
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(body),
      )
      .catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Number of refused requests. */
    refusals: () => refusals,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function forward(target: string, { method, params = [] }: Call): Promise<Answer> {
  const response = await fetch(target, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { result, error } = (await response.json()) as Answer;
  return error === undefined ? { result: result ?? null } : { error };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

type Query = { fromBlock?: string; toBlock?: string; blockHash?: string };

/** At most this many blocks in a log query by number. */
export function blocksLimit(most: number, code: number, message: string): RpcLimit {
  return {
    refuse: ({ method, params = [] }) => {
      const { fromBlock, toBlock } = (params[0] ?? {}) as Query;
      if (method !== "eth_getLogs" || fromBlock === undefined || toBlock === undefined) return undefined;
      return Number(toBlock) - Number(fromBlock) + 1 > most ? { code, message } : undefined;
    },
  };
}

/** At most this many logs in an answer. */
export function logsLimit(most: number, code: number, message: string): RpcLimit {
  return {
    refuseResult: ({ method }, result) =>
      method === "eth_getLogs" && (result as Log[]).length > most ? { code, message } : undefined,
  };
}

/** At most this many bytes in an answer to a log query. */
export function bytesLimit(most: number, code: number, message: string): RpcLimit {
  return {
    refuseResult: ({ method }, result) =>
      method === "eth_getLogs" && JSON.stringify(result).length > most ? { code, message } : undefined,
  };
}

/** After this many requests 429 for a period, and again: a client meets it at any speed. */
export function rateLimit(most: number, periodMs: number, headers: Record<string, string>): RpcLimit {
  let refusedSince: number | undefined;
  let served = 0;
  return {
    refuseAll: (calls) => {
      if (refusedSince !== undefined && performance.now() - refusedSince > periodMs) {
        refusedSince = undefined;
        served = 0;
      }
      served += calls.length;
      if (served <= most) return undefined;
      refusedSince ??= performance.now();
      return { status: 429, headers, body: "Too Many Requests" };
    },
  };
}

/** Nothing below a block. */
export function prunedBelow(number: number, error: Answer["error"]): RpcLimit {
  return {
    refuse: ({ method, params: [first] = [] }) => {
      const at = method === "eth_getLogs" ? (first as Query).fromBlock : first;
      const isOld = typeof at === "string" && at.startsWith("0x") && at.length < 66 && Number(at) < number;
      return isOld ? error : undefined;
    },
    // A query by hash names no number.
    refuseResult: ({ method, params: [first] = [] }, result) => {
      const isByHash = method === "eth_getLogs" && (first as Query).blockHash !== undefined;
      return isByHash && (result as Log[]).some((log) => Number(log.blockNumber) < number)
        ? error
        : undefined;
    },
  };
}

const heads = new Set<unknown>(["latest", "safe", "finalized", "pending"]);

/** Nothing above a block, as an archive whose import has stopped: later blocks are unknown, and their logs are left out silently. */
export function endsAt(number: number): RpcLimit {
  const head = `0x${number.toString(16)}`;
  const bounded = (at: unknown) =>
    heads.has(at) || (typeof at === "string" && at.length < 66 && Number(at) > number) ? head : at;
  return {
    replace: (call) => {
      const { method, params: [first, ...rest] = [] } = call;
      if (method === "eth_blockNumber") return { ...call, method: "web3_clientVersion" };
      if (method !== "eth_getLogs") return { ...call, params: [heads.has(first) ? head : first, ...rest] };
      const query = first as Query;
      if (query.blockHash !== undefined) return call;
      return {
        ...call,
        params: [{ ...query, fromBlock: bounded(query.fromBlock), toBlock: bounded(query.toBlock) }],
      };
    },
    change: ({ method, params: [first] = [] }, result) => {
      if (method === "eth_blockNumber") return head;
      const isLater = (result as { number?: string } | null)?.number;
      if (typeof isLater === "string" && Number(isLater) > number) return null;
      if (method !== "eth_getLogs" || !Array.isArray(result)) return result;
      const from = Number((first as Query).fromBlock ?? 0);
      return result.filter(
        (log: Log) => Number(log.blockNumber) <= number && Number(log.blockNumber) >= from,
      );
    },
  };
}
