import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { chainChannel } from "@ngpu/db/listen";
import type pg from "pg";
import type { Hex } from "viem";
import { WebSocket } from "ws";
import { type Anvil, startAnvil } from "../../support/anvil.ts";
import { compileEmitter, type EncodedLog, emitterCall } from "../../support/emitter.ts";
import { type Contender, inNewDatabase, spawnIndexer } from "./contenders.ts";
import { emitter, marketEvents } from "./events.ts";
import { countRows, hashRows } from "./rows.ts";

/** Milliseconds from the mining of a block until another session can read its rows. */
export type Lag = {
  p50: number;
  p95: number;
  max: number;
  eventsPerSecond: number;
  blocks: number;
  perBlock: number;
};

const chainId = 31_337;
// Blocks before the measured ones: they create the ids that later events use, and warm up all code.
const openingEvents = 1_100;
const openingBlocks = 60;

/** Runs ngpu on a chain that mines a block of events at a constant interval, and measures the lag from a separate session. */
export async function measureLag(
  contender: Contender,
  cluster: string,
  options: { stateDir: string; emptyFolder: string; blocks: number; perBlock: number; intervalMs: number },
): Promise<Lag> {
  const { blocks, perBlock, intervalMs } = options;
  const anvil = await startAnvil({ stateDir: options.stateDir });
  try {
    const miner = await startMiner(anvil);
    return await inNewDatabase(contender, cluster, async (client, url) => {
      const task = {
        rpcUrl: anvil.url,
        chainId,
        address: emitter,
        startBlock: "1",
        emptyFolder: options.emptyFolder,
      };
      const abort = new AbortController();
      const last = `${Number.MAX_SAFE_INTEGER}`;
      const ended = spawnIndexer(
        contender,
        { ...task, last, databaseUrl: url, mode: contender.mode },
        abort.signal,
      );
      try {
        const mined = await watchHeads(anvil.url);
        await Promise.race([untilSeen(client, BigInt(await anvil.rpc<Hex>("eth_blockNumber"))), ended]);
        const seen = await watchRows(client);
        for (let block = 0; block < openingBlocks; block++) await miner.mine(perBlock);
        const first = miner.last() + 1n;
        for (let block = 0; block < blocks; block++) {
          const next = performance.now() + intervalMs;
          mined.note(await miner.mine(perBlock));
          await sleep(Math.max(0, next - performance.now()));
        }
        while (Number.isNaN(seen.at(miner.last()))) await sleep(10);
        const stored = countRows(await hashRows(client, "chain"));
        if (stored !== miner.events()) throw new Error(`${stored} of ${miner.events()} events are stored.`);
        const lags: number[] = [];
        for (let number = first; number <= miner.last(); number++)
          lags.push(seen.at(number) - mined.at(number));
        mined.stop();
        return {
          ...summary(lags),
          eventsPerSecond: Math.round((1_000 * perBlock) / intervalMs),
          blocks,
          perBlock,
        };
      } finally {
        abort.abort();
        await ended.catch(() => undefined);
      }
    });
  } finally {
    await anvil.stop();
  }
}

async function startMiner({ rpc }: Anvil) {
  await rpc("anvil_setCode", [emitter, compileEmitter()]);
  const [from] = await rpc<Hex[]>("eth_accounts");
  await rpc("evm_mine");
  const events = marketEvents(Number.MAX_SAFE_INTEGER);
  let sent = 0;
  let last = BigInt(await rpc<Hex>("eth_blockNumber"));
  /** @returns The block's number, and the time of anvil's response. */
  async function mine(count: number): Promise<{ number: bigint; at: number }> {
    const logs = Array.from({ length: count }, () => events.next().value as EncodedLog);
    const data = emitterCall(logs);
    await rpc("eth_sendTransaction", [{ from, to: emitter, data, gas: "0xe00000", gasPrice: "0x0" }]);
    await rpc("evm_mine");
    sent += count;
    last += 1n;
    return { number: last, at: performance.now() };
  }
  for (let done = 0; done < openingEvents; done += 100) await mine(100);
  return { mine, last: () => last, events: () => sent };
}

/** Records when a block is first visible outside anvil: in the response to its miner, or in a subscriber's notification. */
async function watchHeads(url: string) {
  const times = new Map<bigint, number>();
  const note = ({ number, at }: { number: bigint; at: number }) => {
    times.set(number, Math.min(at, times.get(number) ?? at));
  };
  const socket = new WebSocket(url.replace(/^http/, "ws"));
  socket.on("message", (data) => {
    const at = performance.now();
    const { params } = JSON.parse(String(data));
    if (params !== undefined) note({ number: BigInt(params.result.number), at });
  });
  await once(socket, "open");
  socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: ["newHeads"] }));
  return { note, at: (number: bigint) => times.get(number) ?? Number.NaN, stop: () => socket.terminate() };
}

/** Records when a separate session can first read each block. The session is notified as a service is. */
async function watchRows(client: pg.Client) {
  const times = new Map<bigint, number>();
  let noted = await tip(client);
  let polling: Promise<void> = Promise.resolve();
  const poll = async () => {
    const number = await tip(client);
    const at = performance.now();
    for (; noted < number; noted++) times.set(noted + 1n, at);
  };
  await client.query(`listen ${chainChannel}`);
  client.on("notification", () => {
    polling = polling.then(poll);
  });
  return { at: (number: bigint) => times.get(number) ?? Number.NaN };
}

async function tip(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query<{ number: string }>({
    name: "tip",
    text: "select max(number) as number from chain.block",
  });
  return BigInt(rows[0]?.number ?? 0);
}

async function untilSeen(client: pg.Client, number: bigint): Promise<void> {
  for (;;) {
    const { rows } = await client.query("select to_regclass('chain.block') is not null as there");
    if (rows[0].there === true && (await tip(client)) >= number) return;
    await sleep(20);
  }
}

function summary(lags: number[]): Pick<Lag, "p50" | "p95" | "max"> {
  if (lags.some(Number.isNaN)) throw new Error("A block was never reported by a new head.");
  const sorted = lags.toSorted((a, b) => a - b);
  const at = (share: number) => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return Math.round(value * 100) / 100;
  };
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}
