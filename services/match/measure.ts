import { keccak256, stringToHex } from "viem";
import type { Deployment } from "../shared/chain/deployment.ts";
import type { Sender } from "../shared/chain/send.ts";
import { holdLeadership } from "../shared/db/leader.ts";
import type { Database } from "../shared/db/pool.ts";
import { FatalError } from "../shared/errors.ts";
import type { ServiceContext } from "../shared/lifecycle.ts";
import { type Loop, startLoop } from "../shared/loop.ts";
import { chance, drawRound, needsRound } from "./draw.ts";
import { readHead } from "./fleetStore.ts";
import * as store from "./measureStore.ts";

export type MeasureOptions = {
  context: ServiceContext;
  databaseUrl: string;
  pool: Database;
  deployment: Deployment;
  sender: Sender;
  ports: { first: number; last: number };
};

/** How long a transaction's effect may take to be exported before it is sent again, in ms. */
const exportPatienceMs = 15_000;

/**
 * Leads the measurement of all nodes: requests rounds, draws and commits who measures, follows each draw to its end. What
 * there is to do is read from Postgres each time, so a new leader goes on where the old one was killed.
 */
export function startMeasure(options: MeasureOptions): { wake(): void } {
  const { context, databaseUrl } = options;
  let loop: Loop | undefined;
  const lead = async (signal: AbortSignal) => {
    const tried = new Map<string, number>();
    loop = startLoop({ name: "measure", logger: context.logger, signal, interval: 1_000 }, async () => {
      // The contract's windows go by the chain's clock.
      const now = (await readHead(options.pool)).time;
      for (const [key, at] of tried) if (Date.now() - at > exportPatienceMs) tried.delete(key);
      await requestRounds(options, tried, now);
      await drawRounds(options, now);
      await followDraws(options, tried, now);
    });
    await loop.done;
    loop = undefined;
  };
  void holdLeadership({
    ...{ url: databaseUrl, leadership: "measure", logger: context.logger, signal: context.signal },
    lead,
  });
  return { wake: () => loop?.wake() };
}

async function requestRounds(
  { pool, sender, deployment, context }: MeasureOptions,
  tried: Map<string, number>,
  now: number,
): Promise<void> {
  const measurers = await store.liveMeasurers(pool);
  if (measurers.length === 0) return;
  const nodes = (await store.measurableNodes(pool, now))
    .filter((node) => needsRound(node, now, deployment.parameters.measureTtlSeconds))
    .filter((node) => !tried.has(`request:${node.node_id}`))
    .slice(0, 100);
  if (nodes.length === 0) return;
  for (const node of nodes) tried.set(`request:${node.node_id}`, Date.now());
  // The count of rounds so far makes the key: a leader that crashed after sending does not ask twice.
  const key = nodes.map((node) => `${node.node_id}:${node.rounds}`).join(",");
  const { hash, refusals } = await sender.send({
    kind: "measure.request",
    contract: "Measure",
    functionName: "request",
    args: [nodes.map((node) => node.node_id)],
    dedupeKey: `measure.request:${keccak256(stringToHex(key))}`,
  });
  context.logger.info({ event: "measure_requested", nodes: nodes.map((node) => node.node_id), hash });
  for (const { index, error } of refusals) {
    context.logger.warn({ event: "measure_refused", id: nodes[index]?.node_id, reason: error.text });
  }
}

async function drawRounds({ pool, ports, context }: MeasureOptions, now: number): Promise<void> {
  const rounds = await store.undrawnRounds(pool, now);
  if (rounds.length === 0) return;
  const measurers = await store.liveMeasurers(pool);
  const taken = await store.portsInUse(pool);
  for (const round of rounds) {
    const draw = drawRound(round, { now, measurers, ports, taken }, chance);
    if (draw === undefined) continue;
    taken.add(draw.port);
    await store.putDraw(pool, draw);
    context.logger.info({
      event: "measure_drawn",
      roundId: draw.round_id,

      id: draw.node_id,
    });
  }
}

async function followDraws(options: MeasureOptions, tried: Map<string, number>, now: number): Promise<void> {
  const { pool } = options;
  const draws = await store.openDraws(pool);
  await commitDraws(
    options,
    draws.filter((draw) => draw.status === "drawn" && !draw.committed && draw.opens_at > now),
  );
  for (const draw of draws) {
    if (draw.on_chain === "finalized") {
      await store.moveDraw(pool, draw.round_id, { from: [draw.status], to: "done" });
    } else if (draw.submissions > 0) {
      await store.moveDraw(pool, draw.round_id, { from: ["drawn", "committed", "ready"], to: "submitted" });
      await finalize(options, draw, tried, now);
    } else if (draw.closes_at <= now || (!draw.committed && draw.opens_at + 10 < now)) {
      const failure = `the window closed while it was ${draw.status}`;
      await store.moveDraw(pool, draw.round_id, { from: [draw.status], to: "failed", failure });
    } else if (draw.status === "drawn" && draw.committed && draw.opens_at <= now) {
      await store.moveDraw(pool, draw.round_id, { from: ["drawn"], to: "committed" });
    }
  }
}

async function commitDraws(
  { pool, sender, context }: MeasureOptions,
  draws: store.OpenDraw[],
): Promise<void> {
  if (draws.length === 0) return;
  const key = draws.map((draw) => draw.commitment).join(",");
  const { refusals } = await sender.send({
    kind: "measure.commit",
    contract: "Measure",
    functionName: "commitBatch",
    args: [draws.map((draw) => ({ roundId: draw.round_id, commitment: draw.commitment }))],
    dedupeKey: `measure.commit:${keccak256(stringToHex(key))}`,
  });
  for (const { index, error } of refusals) {
    const draw = draws[index];
    if (draw === undefined) continue;
    context.logger.warn({ event: "measure_refused", roundId: draw.round_id, reason: error.text });
    await store.moveDraw(pool, draw.round_id, { from: ["drawn"], to: "failed", failure: error.text });
  }
}

/** Publishes a round as soon as it has its quorum, or else when its window is over. */
async function finalize(
  { sender, context }: MeasureOptions,
  draw: store.OpenDraw,
  tried: Map<string, number>,
  now: number,
): Promise<void> {
  const stage = draw.closes_at < now ? "over" : String(draw.submissions);
  const key = `finalize:${draw.round_id}:${stage}`;
  if (tried.has(key)) return;
  tried.set(key, Date.now());
  try {
    const { refusals } = await sender.send({
      kind: "measure.finalize",
      contract: "Measure",
      functionName: "finalize",
      args: [[draw.round_id]],
    });
    const reason = refusals[0]?.error.text;
    context.logger.info({ event: "measure_finalized", roundId: draw.round_id, id: draw.node_id, reason });
  } catch (error) {
    if (!(error instanceof FatalError) || error.code !== "chain_refused") throw error;
    context.logger.debug({ event: "measure_not_final", roundId: draw.round_id, error });
  }
}
