import { decodeDevice } from "@ngpu/waves/claims";
import {
  averagedBlocks,
  beginsAt,
  blocksOf,
  blockTime,
  nextAfter,
  type WaveTerms,
} from "@ngpu/waves/schedule";
import { type RandomSource, randomSource } from "../measurement/measurementDraw.ts";
import type { WaveOptions } from "./options.ts";
import * as store from "./waveStore.ts";

/** As the proof's own limits. A claim of another size proves nothing. */
const provable = { least: 2n ** 22n, most: 2n ** 42n };

/**
 * Stores the wave that one of the last blocks begins, with the nodes that it challenges. They begin at once: their fill
 * waits for no transaction.
 */
export async function beginWaves(
  { pool, deployment, ports, context }: WaveOptions,
  head: number,
): Promise<void> {
  const terms = deployment.parameters.waves;
  const openable = head - terms.fillBlocks;
  const last = await store.lastFillBlock(pool, openable);
  const from = Math.max(openable, last === undefined ? 0 : nextAfter(blocksOf(last, terms)));
  const blocks = await store.readBlocks(pool, { from, to: head, stride: terms.stride });
  const first = blocks.find((block) => beginsAt(block, terms));
  if (first === undefined) return;
  const blockMs = await readBlockTime({ pool }, head, terms);
  // What is claimed in or after the first block is too late: its hash is known there.
  const claiming = await store.claimingNodes(pool, first.number - 1);
  const nodes = placesOf(claiming, { ports, taken: await store.takenPorts(pool) }, randomSource);
  const wave = { fillBlock: first.number, fillHash: first.hash, blockMs, beganAt: first.time };
  await store.putWave(pool, wave, nodes);
  context.logger.info({ event: "wave_begun", wave: first.number, nodes: nodes.length, blockMs });
}

/** Milliseconds between two of the last blocks. */
async function readBlockTime({ pool }: Pick<WaveOptions, "pool">, head: number, { stride }: WaveTerms) {
  const from = head - Math.max(averagedBlocks, 2 * stride);
  const blocks = await store.readBlocks(pool, { from, to: head, stride: 1 });
  return blockTime(blocks[0], blocks.at(-1));
}

/** Where each node answers: a port that no other node of its host has, and a token. */
export function placesOf(
  nodes: readonly store.ClaimingNode[],
  { ports, taken }: { ports: { first: number; last: number }; taken: ReadonlySet<string> },
  random: RandomSource,
): store.WaveNode[] {
  const used = new Set(taken);
  const span = ports.last - ports.first + 1;
  return nodes.flatMap(({ nodeId, host, devices }) => {
    const claims = devices.flatMap((word, device) => {
      const { bytes } = decodeDevice(word).figures;
      return bytes < provable.least || bytes > provable.most ? [] : [{ device, bytes: String(bytes) }];
    });
    if (claims.length === 0) return [];
    let offset = random.below(span);
    for (let step = 0; step < span && used.has(`${host}:${ports.first + offset}`); step += 1)
      offset = (offset + 1) % span;
    const port = ports.first + offset;
    used.add(`${host}:${port}`);
    return [{ nodeId, host, port, token: random.bytes(24).slice(2), claims }];
  });
}
