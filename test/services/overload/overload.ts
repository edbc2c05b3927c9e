import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { rest } from "@ngpu/runtime/loop";
import { programEnv } from "../../support/programEnv.ts";
import { percentile } from "../bytes/aborts.ts";
import { answerOk, type ByteMarket, openByteMarket } from "../bytes/market.ts";
import type { Counts, Target } from "./attack.ts";

/** Attacks that the API must refuse a part of. */
export const limitedAttacks = ["without a key", "with keys that do not exist", "more than a key may"];

const isRefused = (counts: Counts) => limitedAttacks.every((name) => (counts[name]?.["429"] ?? 0) > 0);

/** Milliseconds between two rounds of the caller: its own limit is ten calls a second. */
const roundPause = 500;

type Call = { name: string; status: number | string; ms: number };

/** Times of a kind of call, in milliseconds. */
type Spread = { count: number; p50Ms: number; p99Ms: number; mostMs: number };

export type Figures = {
  quiet: Record<string, Spread>;
  overloaded: Record<string, Spread>;
  /** Calls of the caller that did not succeed, as text. */
  failed: string[];
  /** Requests of the attackers by attack and status. */
  attack: Counts;
  /** Resident memory of apiServer before and at the end of the attack, in MiB. */
  memoryMib: { before: number; after: number };
};

/** Compares what a partner gets of the API in quiet times and while others overload it. */
export async function measureOverload(rounds: number): Promise<Figures> {
  const market = await openByteMarket({ isApart: true, isLimited: true });
  const [good, hostile] = market.workspaces as [ByteMarket["workspaces"][0], ByteMarket["workspaces"][0]];
  good.container.serve = answerOk;
  hostile.container.serve = (socket) => socket.resume();
  let attack: ReturnType<typeof startAttack> | undefined;
  try {
    const quiet = await call(market, good.id, rounds);
    const before = await residentMib(market);
    attack = startAttack({ url: market.api.url, apiKey: market.other.apiKey, workspaceId: hostile.id });
    const overloaded = await call(market, good.id, rounds);
    // On a busy machine few of the attackers' requests are sent in this time.
    while (!isRefused(await attack.counts())) overloaded.push(...(await call(market, good.id, 1)));
    const after = await residentMib(market);
    const failed = [...quiet, ...overloaded].filter(({ status }) => status !== 200 && status !== "succeeded");
    return {
      quiet: spreads(quiet),
      overloaded: spreads(overloaded),
      failed: failed.map(({ name, status }) => `${name}: ${status}`),
      attack: await attack.counts(),
      memoryMib: { before, after },
    };
  } finally {
    attack?.kill();
    await market.stop();
  }
}

function startAttack(target: Target) {
  const child: ChildProcess = fork(join(import.meta.dirname, "attack.ts"), [JSON.stringify(target)], {
    env: programEnv(),
  });
  return {
    counts: async (): Promise<Counts> => {
      const counts = once(child, "message");
      child.send("counts");
      return (await counts)[0] as Counts;
    },
    kill: () => child.kill("SIGKILL"),
  };
}

/** Rounds of a partner: a read, a task, a chat, and a task in the background to its end. */
async function call(market: ByteMarket, workspaceId: string, rounds: number): Promise<Call[]> {
  const { partner } = market;
  const calls: Call[] = [];
  const timed = async (name: string, work: () => Promise<number | string>) => {
    const started = performance.now();
    const status = await work().catch((error: Error) => error.message);
    calls.push({ name, status, ms: performance.now() - started });
  };
  const task = { workspaceId, path: "/" };
  for (let round = 0; round < rounds; round += 1) {
    await timed("read", async () => (await partner.get("/v1/account")).status);
    await timed("task", async () => {
      const { body } = await partner.post<{ status?: string; code?: string }>("/v1/tasks", task);
      return body.status ?? body.code ?? "no status";
    });
    await timed("chat", async () => {
      const response = await partner.raw("/v1/chat/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: workspaceId, messages: [{ role: "user", content: "hi" }] }),
      });
      await response.arrayBuffer();
      return response.status;
    });
    await timed("background task", () => runInBackground(market, task));
    await rest(roundPause, new AbortController().signal);
  }
  return calls;
}

async function runInBackground({ partner }: ByteMarket, task: object): Promise<string> {
  const { body } = await partner.post<{ id: string; code?: string }>("/v1/tasks", { ...task, wait: false });
  for (;;) {
    const { body: shown } = await partner.get<{ status?: string; code?: string }>(`/v1/tasks/${body.id}`);
    if (shown.status !== "queued" && shown.status !== "running") {
      return shown.status ?? shown.code ?? body.code ?? "no status";
    }
    await rest(200, new AbortController().signal);
  }
}

function spreads(calls: readonly Call[]): Record<string, Spread> {
  const groups = Map.groupBy(calls, ({ name }) => name);
  return Object.fromEntries(
    [...groups].map(([name, group]) => {
      const times = group.map(({ ms }) => ms);
      const of = (share: number) => Math.round(percentile(times, share));
      return [name, { count: times.length, p50Ms: of(0.5), p99Ms: of(0.99), mostMs: of(1) }];
    }),
  );
}

async function residentMib({ api }: ByteMarket): Promise<number> {
  const text = await (await fetch(`${api.internalUrl}/metrics`)).text();
  return Math.round(Number(/^process_resident_memory_bytes\S* (\S+)/m.exec(text)?.[1]) / 2 ** 20);
}
