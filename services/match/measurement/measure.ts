import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { measureAbi } from "@ngpu/contracts-sdk/generated/abi";
import { addressFor, byContract } from "@ngpu/contracts-sdk/generations";
import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
import { readHead } from "@ngpu/queries/fleet";
import { FatalError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { Sender } from "@ngpu/tx-sender/send";
import { type Address, keccak256, stringToHex } from "viem";
import { chance, needsRound, prepareRound, sortDraws } from "./draw.ts";
import * as store from "./measureStore.ts";

export type MeasureOptions = {
  context: ServiceContext;
  databaseUrl: string;
  pool: Database;
  client: ChainClient;
  deployment: Deployment;
  sender: Sender;
  ports: { first: number; last: number };
};

/** How long a transaction's effect may take to be exported before it is sent again, in ms. */
const exportPatienceMs = 15_000;
/** A round that drew nobody by then draws nobody. */
const lateSeconds = 5;
/** A measurer gives up by itself after a minute; its result then takes a few blocks. */
const measureSeconds = 75;

/**
 * Leads the measurement of all nodes: requests rounds with secret salts, learns from the chain whom these draw, has the node
 * measured by each in turn, and ends the rounds. What there is to do is read from Postgres each time, so a new leader goes on
 * where the old one was killed.
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
      await followRounds(options, tried, now);
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
  { pool, sender, deployment, context, ports }: MeasureOptions,
  tried: Map<string, number>,
  now: number,
): Promise<void> {
  const measurers = await store.readMeasurers(pool, true);
  if (measurers.length === 0) return;
  const nodes = (await store.measurableNodes(pool, now))
    .filter((node) => needsRound(node, now, deployment.parameters.measureTtlSeconds))
    .filter((node) => !tried.has(`request:${node.node_id}`))
    .slice(0, 100);
  if (nodes.length === 0) return;
  for (const node of nodes) tried.set(`request:${node.node_id}`, Date.now());
  await store.dropUnasked(pool);
  const taken = await store.portsInUse(pool);
  const rounds = nodes.map((node) => {
    const round = prepareRound(node, { ports, taken }, chance);
    taken.add(round.port);
    return round;
  });
  // Before they are sent: a root whose salts are lost would be a round for nothing.
  await store.putRounds(pool, rounds);
  // The count of rounds so far makes the key: a leader that crashed after sending does not ask twice.
  const asked = nodes.map((node) => `${node.node_id}:${node.rounds}`).join(",");
  const key = `${deployment.contracts.Measure}:${asked}`;
  const { hash, refusals } = await sender.send({
    kind: "measure.request",
    contract: "Measure",
    functionName: "request",
    args: [rounds.map(({ node_id, draws }) => ({ nodeId: node_id, draws }))],
    dedupeKey: `measure.request:${keccak256(stringToHex(key))}`,
  });
  context.logger.info({ event: "measure_requested", nodes: nodes.map((node) => node.node_id), hash });
  for (const { index, error } of refusals) {
    const round = rounds[index];
    if (round === undefined) continue;
    context.logger.warn({ event: "measure_refused", id: round.node_id, reason: error.text });
    await store.moveRound(pool, round.draws, { from: ["asked"], to: "failed", failure: error.text });
  }
}

/** Learns whom the deciding block drew. */
async function drawRounds({ pool, client, deployment, context }: MeasureOptions, now: number): Promise<void> {
  const rounds = await store.roundsToDraw(pool, now);
  if (rounds.length === 0) return;
  const measurers = await store.readMeasurers(pool, false);
  for (const round of rounds) {
    const address = addressFor(deployment, "Measure", { roundId: round.round_id });
    const contract = { address, abi: measureAbi } as const;
    const places = await client.readContract({ ...contract, functionName: "draws" });
    const drawn = await Promise.all(
      round.salts
        .slice(0, places)
        .map((salt) =>
          client.readContract({ ...contract, functionName: "drawnBy", args: [round.round_id, salt] }),
        ),
    );
    // A node of the chain that is behind does not know the block yet.
    if (drawn.every((id) => id === 0) && now < round.opens_at + lateSeconds) continue;
    const sorted = sortDraws(round, drawn, measurers);
    await store.putDraws(pool, round.draws, sorted);
    const useful = sorted.filter(({ failure }) => failure === null).length;
    context.logger.info({ event: "measure_drawn", roundId: round.round_id, draws: sorted.length, useful });
  }
}

async function followRounds(options: MeasureOptions, tried: Map<string, number>, now: number): Promise<void> {
  const { pool } = options;
  const done: bigint[] = [];
  for (const round of await store.openRounds(pool)) {
    const end = outcomeOf(round, now);
    if (end !== undefined) {
      await store.moveRound(pool, round.draws, { from: [round.status], ...end });
    } else if (round.status === "asked" && round.known > 0 && round.opens_at <= now) {
      await store.moveRound(pool, round.draws, { from: ["asked"], to: "open" });
    } else if (round.status === "open" || round.status === "ready") {
      await store.failSilent(pool, round.draws, measureSeconds);
      await tell(options, round, now);
    }
    if (round.known > 0 && round.submitted === round.known) done.push(round.round_id);
  }
  await finalize(options, [...new Set([...done, ...(await store.overdueRounds(pool, now))])], tried);
}

type End = { to: "done" | "failed"; failure?: string };

/** How a round ended, if it has. */
function outcomeOf(round: store.OpenRound, now: number): End | undefined {
  if (round.on_chain === "finalized") return { to: "done" };
  if (round.on_chain === "failed") return { to: "failed", failure: "too few results came" };
  if (round.known > 0 && round.waiting + round.told + round.submitted === 0) {
    return { to: "failed", failure: "no draw of it came to a result" };
  }
  // Who has measured still waits for the result to be published.
  if (round.closes_at <= now && round.submitted === 0) {
    return { to: "failed", failure: `the window closed while it was ${round.status}` };
  }
  return undefined;
}

/**
 * One measurer after the other while the probe answers: two at once would measure each other. Where it does not answer, all
 * that are left look for the node in the window's last quarter, in which alone the chain takes their word that it is absent.
 */
async function tell(
  { pool, deployment }: MeasureOptions,
  round: store.OpenRound,
  now: number,
): Promise<void> {
  if (round.status === "ready") {
    if (round.told === 0) await store.tellNext(pool, round.draws, 1);
    return;
  }
  const lastQuarter = round.closes_at - Math.floor(deployment.parameters.measureWindowSeconds / 4);
  if (now >= lastQuarter) await store.tellNext(pool, round.draws, round.waiting);
}

/** Ends rounds that have all their results, or whose window is over. */
async function finalize(
  options: MeasureOptions,
  roundIds: bigint[],
  tried: Map<string, number>,
): Promise<void> {
  const due = roundIds.filter((roundId) => !tried.has(`finalize:${roundId}`));
  if (due.length === 0) return;
  for (const roundId of due) tried.set(`finalize:${roundId}`, Date.now());
  for (const [at, own] of byContract(options.deployment, "Measure", due, (roundId) => ({ roundId }))) {
    await finalizeAt(options, at, own);
  }
}

async function finalizeAt({ sender, context }: MeasureOptions, at: Address, due: bigint[]): Promise<void> {
  try {
    const { refusals } = await sender.send({
      kind: "measure.finalize",
      contract: "Measure",
      at,
      functionName: "finalize",
      args: [due],
    });
    const refused = refusals.map(({ index, error }) => `${due[index]}: ${error.text}`);
    context.logger.info({ event: "measure_finalized", rounds: due.map(String), refused });
  } catch (error) {
    if (!(error instanceof FatalError) || error.code !== "chain_refused") throw error;
    context.logger.debug({ event: "measure_not_final", rounds: due.map(String), error });
  }
}
