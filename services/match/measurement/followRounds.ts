import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { byContract } from "@ngpu/contracts-sdk/generations";
import type { Database } from "@ngpu/db/pool";
import { FatalError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { Sender } from "@ngpu/tx-sender/send";
import type { Address } from "viem";
import * as store from "./openRoundStore.ts";

export type RoundOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  sender: Sender;
};

/** Time for a measurement, s: the measurer stops after a minute, and its result takes a few blocks. */
const measureSeconds = 75;

/**
 * Advances all rounds in progress and finalizes those that have ended.
 *
 * @param tried times of earlier attempts
 * @param now Unix seconds, by the chain's clock
 */
export async function followRounds(
  options: RoundOptions,
  tried: Map<string, number>,
  now: number,
): Promise<void> {
  const { pool } = options;
  const done: bigint[] = [];
  for (const round of await store.openRounds(pool)) {
    const end = outcomeOf(round, now);
    if (end !== undefined) {
      await store.moveRound(pool, round.draws, { from: [round.status], ...end });
    } else if (round.status === "requested" && round.known > 0 && round.opens_at <= now) {
      await store.moveRound(pool, round.draws, { from: ["requested"], to: round.probed ? "ready" : "open" });
    } else if (round.status === "open" || round.status === "ready") {
      await store.failOverdueDraws(pool, round.draws, measureSeconds);
      await assignDraws(options, round, now);
    }
    if (round.known > 0 && round.submitted === round.known) done.push(round.round_id);
  }
  await finalize(options, [...new Set([...done, ...(await store.overdueRounds(pool, now))])], tried);
}

type RoundEnd = { to: "done" | "failed"; failure?: string };

/** How a round ended; undefined while it is in progress. */
function outcomeOf(round: store.OpenRound, now: number): RoundEnd | undefined {
  if (round.on_chain === "finalized") return { to: "done" };
  if (round.on_chain === "failed")
    return { to: "failed", failure: "too few results, or results that differ about the node" };
  if (round.known > 0 && round.waiting + round.assigned + round.submitted === 0) {
    return { to: "failed", failure: "no measurer submitted a result" };
  }
  // With a result on the chain, the round still waits for its publication.
  if (round.closes_at <= now && round.submitted === 0) {
    return { to: "failed", failure: `the window closed while the round was ${round.status}` };
  }
  return undefined;
}

/**
 * Assigns draws to their measurers: one at a time while the probe is ready, because concurrent measurements would distort
 * each other. If the probe is not ready, all remaining draws are assigned in the last quarter of the window, the only time in
 * which the contract accepts the result that the node is absent.
 */
async function assignDraws(
  { pool, deployment }: RoundOptions,
  round: store.OpenRound,
  now: number,
): Promise<void> {
  if (round.status === "ready") {
    if (round.assigned === 0) await store.assignNextDraws(pool, round.draws, 1);
    return;
  }
  const lastQuarter = round.closes_at - Math.floor(deployment.parameters.measureWindowSeconds / 4);
  if (now >= lastQuarter) await store.assignNextDraws(pool, round.draws, round.waiting);
}

/** Finalizes rounds that have all results or whose window has closed. */
async function finalize(
  options: RoundOptions,
  roundIds: bigint[],
  tried: Map<string, number>,
): Promise<void> {
  const due = roundIds.filter((roundId) => !tried.has(`finalize:${roundId}`));
  if (due.length === 0) return;
  for (const roundId of due) tried.set(`finalize:${roundId}`, performance.now());
  for (const [at, own] of byContract(options.deployment, "Measure", due, (roundId) => ({ roundId }))) {
    await finalizeAt(options, at, own);
  }
}

async function finalizeAt({ sender, context }: RoundOptions, at: Address, due: bigint[]): Promise<void> {
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
    if (!(error instanceof FatalError) || error.code !== "transaction_reverted") throw error;
    context.logger.debug({ event: "measure_not_final", rounds: due.map(String), error });
  }
}
