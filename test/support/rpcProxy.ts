import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What an endpoint does wrong, each with the chance that a question meets it. `missingLogs` leaves out all logs of some blocks
 * without a word.
 */
export const faultKinds = [
  "timeout",
  "status429",
  "status500",
  "truncated",
  "nullBlock",
  "staleHead",
  "otherHash",
  "missingLogs",
  "rangeTooLarge",
] as const;

export type ProxyFaults = Partial<Record<(typeof faultKinds)[number], number>> & {
  /** Chance that the last of several logs of a block is left out, which nothing but the block's receipts tells. */
  missingOne?: number;
  /** Blocks that the endpoint is behind the chain. */
  behind?: number;
};

type Question = { id: unknown; method: string; params?: unknown[] };
type Answer = { jsonrpc: "2.0"; id: unknown; result?: unknown; error?: { code: number; message: string } };
type Block = { number: string };
type Log = { blockHash: string };
type LogQuery = { fromBlock?: string; toBlock?: string; blockHash?: string };

export type RpcProxy = Awaited<ReturnType<typeof startRpcProxy>>;

/**
 * An endpoint before a real node that misbehaves when it is told to, and says itself which blocks are safe and finalized.
 *
 * @param options.heads How far the safe and the finalized block are behind the newest.
 */
export async function startRpcProxy(options: {
  target: string;
  random: () => number;
  heads: { safe: number; finalized: number };
}) {
  const { target, random, heads } = options;
  const met = Object.fromEntries([...faultKinds, "behind"].map((kind) => [kind, 0]));
  let faults: ProxyFaults = {};
  const chance = (kind: (typeof faultKinds)[number]) => {
    if (random() >= (faults[kind] ?? 0)) return false;
    met[kind] = (met[kind] ?? 0) + 1;
    return true;
  };

  async function upstream(method: string, params: unknown[]): Promise<Pick<Answer, "result" | "error">> {
    const response = await fetch(target, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = (await response.json()) as Answer;
    return error === undefined ? { result } : { error };
  }
  const height = async () => Number((await upstream("eth_blockNumber", [])).result);

  async function answer({ method, params = [] }: Question): Promise<Pick<Answer, "result" | "error">> {
    if (method === "eth_getBlockByNumber") return block(params);
    if (method === "eth_getLogs") return logs(params[0] as LogQuery);
    return upstream(method, params);
  }

  async function block([at, full]: unknown[]) {
    if (chance("nullBlock")) return { result: null };
    const top = (await height()) - (faults.behind ?? 0);
    const stale = at === "latest" && chance("staleHead") ? Math.floor(random() * 20) : 0;
    const depths: Record<string, number> = { latest: stale, ...heads };
    const depth = depths[at as string];
    const number = depth === undefined ? Number(at) : Math.max(0, top - depth);
    if (number > top) return lagging({ result: null });
    return upstream("eth_getBlockByNumber", [hex(number), full]);
  }

  async function logs(query: LogQuery) {
    const behind = faults.behind ?? 0;
    if (query.blockHash !== undefined) {
      if (behind > 0) {
        const found = (await upstream("eth_getBlockByHash", [query.blockHash, false])).result as Block | null;
        if (found !== null && Number(found.number) > (await height()) - behind) {
          return lagging({ error: { code: -32_000, message: "unknown block" } });
        }
      }
      return spoiled(await upstream("eth_getLogs", [query]));
    }
    const from = Number(query.fromBlock);
    const to = Number(query.toBlock);
    if (to - from >= 4 && chance("rangeTooLarge")) {
      return { error: { code: -32_005, message: "query exceeds max block range" } };
    }
    // What it has not seen yet it leaves out without a word.
    const top = behind > 0 ? (await height()) - behind : to;
    if (top < from) return lagging({ result: [] });
    return spoiled(await upstream("eth_getLogs", [{ ...query, toBlock: hex(Math.min(to, top)) }]));
  }

  function spoiled(given: Pick<Answer, "result" | "error">) {
    const list = given.result;
    if (!Array.isArray(list) || list.length === 0) return given;
    if (chance("otherHash")) {
      const other = `0x${"ab".repeat(32)}`;
      return { result: list.map((log: Log, index) => (index === 0 ? { ...log, blockHash: other } : log)) };
    }
    if (faults.missingOne !== undefined && random() < faults.missingOne) {
      const lasts = list.filter(({ blockHash }: Log, at) => blockHash === list[at - 1]?.blockHash);
      const gone = new Set(lasts.filter((log: Log, at) => log.blockHash !== lasts[at + 1]?.blockHash));
      return { result: list.filter((log: Log) => !gone.has(log)) };
    }
    if (chance("missingLogs")) {
      const gone = new Set(list.map((log: Log) => log.blockHash).filter(() => random() < 0.5));
      return { result: list.filter((log: Log) => !gone.has(log.blockHash)) };
    }
    return given;
  }

  function lagging(given: Pick<Answer, "result" | "error">) {
    met.behind = (met.behind ?? 0) + 1;
    return given;
  }

  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = JSON.parse(await read(request)) as Question | Question[];
    // Never answered: the client gives up.
    if (chance("timeout")) return;
    for (const [kind, status] of [
      ["status429", 429],
      ["status500", 500],
    ] as const) {
      if (chance(kind)) return void response.writeHead(status).end();
    }
    const reply = async (question: Question): Promise<Answer> => ({
      jsonrpc: "2.0",
      id: question.id,
      ...(await answer(question)),
    });
    const given = Array.isArray(asked) ? await Promise.all(asked.map(reply)) : await reply(asked);
    const text = JSON.stringify(given);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(chance("truncated") ? text.slice(0, Math.floor(random() * text.length)) : text);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    misbehave: (kinds: ProxyFaults) => {
      faults = kinds;
    },
    /** How often each fault was met. */
    met: () => ({ ...met }),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function hex(number: number): string {
  return `0x${number.toString(16)}`;
}
