import type { ChainClient } from "@ngpu/chain-reader/client";
import { measureAbi } from "@ngpu/contracts-sdk/generated/abi";
import { addressFor } from "@ngpu/contracts-sdk/generations";
import { keccak256, stringToHex } from "viem";
import type { RoundOptions } from "./followRounds.ts";
import { checkDraws, needsRound, prepareRound, randomSource } from "./measurementDraw.ts";
import * as store from "./measureStore.ts";
import { moveRound } from "./openRoundStore.ts";

/** Time after the opening of a round until an empty draw is final, s: the RPC endpoint may be behind. */
const drawGraceSeconds = 5;

/** Requests a round for every node that needs one: at most 100 per call. */
export async function requestRounds(
  { pool, sender, deployment, context, ports }: RoundOptions & { ports: { first: number; last: number } },
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
  for (const node of nodes) tried.set(`request:${node.node_id}`, performance.now());
  await store.dropUnrequested(pool);
  const taken = await store.portsInUse(pool);
  const rounds = nodes.map((node) => {
    const round = prepareRound(node, { ports, taken }, randomSource);
    for (const port of round.ports) taken.add(port);
    return round;
  });
  // Stored before they are sent: without its salts a round is useless.
  await store.putRounds(pool, rounds);
  // The key contains the number of rounds so far: a leader that crashed after sending does not request twice.
  const requested = nodes.map((node) => `${node.node_id}:${node.rounds}`).join(",");
  const key = `${deployment.contracts.Measure}:${requested}`;
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
    await moveRound(pool, round.draws, { from: ["requested"], to: "failed", failure: error.text });
  }
}

/** Reads the draws of rounds from the chain, once the block that determines them exists. */
export async function drawRounds(
  { pool, client, deployment, context }: RoundOptions & { client: ChainClient },
  now: number,
): Promise<void> {
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
    // An RPC endpoint that is behind does not have the block yet.
    if (drawn.every((id) => id === 0) && now < round.opens_at + drawGraceSeconds) continue;
    const sorted = checkDraws(round, drawn, measurers);
    await store.putDraws(pool, round.draws, sorted);
    const useful = sorted.filter(({ failure }) => failure === null).length;
    context.logger.info({ event: "measure_drawn", roundId: round.round_id, draws: sorted.length, useful });
  }
}
