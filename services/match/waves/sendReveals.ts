import { FatalError } from "@ngpu/runtime/errors";
import { type Hex, keccak256, stringToHex } from "viem";
import type { WaveOptions } from "./options.ts";
import { readUnsent, recordSent, type StoredReveal } from "./revealStore.ts";

/** @deadline The receipt of reveals. They are sent again under the same key. */
const receiptMs = 10_000;
/** Bytes of lists in one transaction: far below what endpoints take. */
const mostListBytes = 64 << 10;

/** Sends what measurers have handed over, in as few transactions as its size allows. Each list is published once. */
export async function sendReveals(
  options: WaveOptions,
  waveId: number,
  tried: Map<string, number>,
): Promise<void> {
  const waiting = await readUnsent(options.pool, waveId);
  for (const group of groupsOf(waiting)) await sendGroup(options, waveId, group, tried);
}

async function sendGroup(
  { sender, pool, context, deployment }: WaveOptions,
  waveId: number,
  group: readonly StoredReveal[],
  tried: Map<string, number>,
): Promise<void> {
  const ids = group.map(({ measurerId }) => measurerId);
  const named = `${deployment.contracts.ProofWaves} ${waveId} ${group.map(({ salt }) => salt).join()}`;
  const dedupeKey = `wave.reveal:${keccak256(stringToHex(named))}`;
  if (tried.has(dedupeKey)) return;
  tried.set(dedupeKey, performance.now());
  const reveals = group.map(({ list: _, ...reveal }) => ({ ...reveal, waveId }));
  const lists = [...new Set(group.map(({ list }) => list))];
  const logged = { waveId, measurers: ids };
  try {
    const args = [waveId, reveals, lists] as const;
    const request = { kind: "wave.reveal", contract: "ProofWaves", functionName: "revealBatch" } as const;
    const { refusals } = await sender.send({ ...request, args, dedupeKey, timeoutMs: receiptMs });
    const refused = refusals.map(({ index, error }) => `${ids[index]}: ${error.text}`);
    context.logger.info({ event: "wave_revealed", ...logged, refused });
  } catch (error) {
    if (!(error instanceof FatalError) || error.code !== "transaction_reverted") throw error;
    context.logger.warn({ event: "wave_reveal_refused", ...logged, error });
  }
  await recordSent(pool, waveId, ids);
}

/** Each group's lists are below the limit together; equal ones count once. */
export function groupsOf<Reveal extends { list: Hex }>(reveals: readonly Reveal[]): Reveal[][] {
  const groups: { lists: Set<Hex>; bytes: number; reveals: Reveal[] }[] = [];
  for (const reveal of reveals) {
    const bytes = (reveal.list.length - 2) / 2;
    const fitting = groups.find((one) => one.lists.has(reveal.list) || one.bytes + bytes <= mostListBytes);
    const group = fitting ?? { lists: new Set(), bytes: 0, reveals: [] };
    if (fitting === undefined) groups.push(group);
    if (!group.lists.has(reveal.list)) group.bytes += bytes;
    group.lists.add(reveal.list);
    group.reveals.push(reveal);
  }
  return groups.map((group) => group.reveals);
}
