import { setImmediate } from "node:timers/promises";
import { type Committed, commitmentOf } from "@ngpu/proof/record";
import type { Refusal } from "@ngpu/proof/verify";
import { type WavePartName, waveAnswer, waveChase } from "@ngpu/protocol/waves";
import type { ClaimedDevice } from "@ngpu/waves/claims";
import { chaseHashOf, judgeEvidence, type WaveChain } from "@ngpu/waves/evidence";
import { noShares } from "@ngpu/waves/shares";
import { batchTree } from "@ngpu/waves/tree";
import { type DeviceRef, keyOf, type Shares } from "@ngpu/waves/types";
import { bytesToHex, type Hex, keccak256 } from "viem";

/** Why a measurer states that a device proved nothing. */
export type WaveRefusal = Refusal | "late" | "part_invalid" | "chase_changed" | "not_committed";

/** What became of a device, as this measurer saw it. */
export type WaveResult = DeviceRef & { shares: Shares; refusal?: WaveRefusal; transcriptHash?: Hex };

type Answer = { chase: Committed; work: Committed };
type Received = { chase?: Committed; answer?: Answer; refusal?: WaveRefusal };
type Entry = DeviceRef & Received & { claimed: ClaimedDevice; transcript?: Uint8Array };

/** What of a book outlives its process: a posted root is over exactly these answers. */
export type SavedBook = readonly (DeviceRef & Received)[];

/**
 * A measurer's book of one wave: what nodes answered, the batches that commit to it, and the results. What a node sends
 * is refused with a reason, and concerns no other node.
 */
export function createWaveBook(
  measurerId: number,
  claims: readonly (DeviceRef & { claimed: ClaimedDevice })[],
  saved: SavedBook = [],
) {
  const before = new Map(saved.map((entry) => [keyOf(entry), entry]));
  const entries = new Map<string, Entry>(
    claims.map(({ nodeId, device, claimed }) => {
      const ref = { nodeId, device };
      return [keyOf(ref), { ...before.get(keyOf(ref)), ...ref, claimed }];
    }),
  );
  const batches = () => batchesOf([...entries.values()]);
  return {
    /** Devices that a part is still expected of. */
    open: () => [...entries.values()].filter(({ refusal }) => refusal === undefined),
    /** Takes a part of a device's answer; undefined for one that was not there in time. */
    take(ref: DeviceRef, part: WavePartName, bytes: Uint8Array | undefined): void {
      const entry = entries.get(keyOf(ref));
      if (entry === undefined || entry.refusal !== undefined) return;
      const refusal = bytes === undefined ? "late" : enter(entry, part, bytes);
      if (refusal !== undefined) entry.refusal = refusal;
    },
    /** What to store before a root of it is posted. */
    saved: (): SavedBook =>
      [...entries.values()].map(({ claimed: _, transcript: __, ...received }) => received),
    /** The root of a batch, with all that came in time. */
    chaseRoot: (): Hex => batches().chase.root,
    answersRoot: (): Hex => batches().answers.root,
    /**
     * Recomputes what every device proved. The roots are this measurer's own, as blocks include them. A proof takes a
     * third of a second of the processor, so other work goes on between two.
     */
    async results(chain: Omit<WaveChain, "roots">): Promise<WaveResult[]> {
      const trees = batches();
      const roots = {
        chase: [{ measurerId, root: trees.chase.root }],
        answers: [{ measurerId, root: trees.answers.root }],
      };
      const results: WaveResult[] = [];
      for (const entry of entries.values()) {
        results.push(resultOf(entry, { ...chain, roots }, { measurerId, trees }));
        await setImmediate();
      }
      return results;
    },
  };
}

export type WaveBook = ReturnType<typeof createWaveBook>;

function enter(entry: Entry, part: WavePartName, bytes: Uint8Array): WaveRefusal | undefined {
  if (part === "transcript") {
    entry.transcript = bytes;
    return undefined;
  }
  if (part === "chase") {
    const chase = parsed(waveChase, bytes);
    if (chase !== undefined) entry.chase = chase;
    return chase === undefined ? "part_invalid" : undefined;
  }
  const answer = parsed(waveAnswer, bytes);
  if (answer === undefined) return "part_invalid";
  // The chase was committed to before the work's block: an answer cannot have another.
  if (entry.chase === undefined || chaseHashOf(answer.chase) !== chaseHashOf(entry.chase))
    return "chase_changed";
  entry.answer = answer;
  return undefined;
}

/** The batches over what came in time. */
export function batchesOf(received: SavedBook): Trees {
  const chases = received.flatMap(({ nodeId, device, chase }) =>
    chase === undefined ? [] : [{ nodeId, device, value: chaseHashOf(chase) }],
  );
  const answers = received.flatMap(({ nodeId, device, answer }) =>
    answer === undefined ? [] : [{ nodeId, device, value: commitmentOf(answer) }],
  );
  return { chase: batchTree("chase", chases), answers: batchTree("answers", answers) };
}

type Trees = { chase: ReturnType<typeof batchTree>; answers: ReturnType<typeof batchTree> };

function resultOf(
  { nodeId, device, claimed, answer, transcript, refusal }: Entry,
  chain: WaveChain,
  { measurerId, trees }: { measurerId: number; trees: Trees },
): WaveResult {
  const ref = { nodeId, device };
  if (refusal !== undefined || answer === undefined || transcript === undefined)
    return { ...ref, shares: noShares, refusal: refusal ?? "late" };
  const path = (tree: Trees["chase"]) => ({ measurerId, path: tree.pathOf(ref) ?? [] });
  const evidence = {
    ...ref,
    result: { ...answer, transcript },
    chase: path(trees.chase),
    answers: path(trees.answers),
  };
  const verdict = judgeEvidence(evidence, claimed, chain);
  const transcriptHash = keccak256(bytesToHex(transcript));
  if (verdict.accepted) return { ...ref, shares: verdict.shares, transcriptHash };
  return { ...ref, shares: noShares, refusal: verdict.reason, transcriptHash };
}

function parsed<Value>(
  schema: { safeParse: (value: unknown) => { success: boolean; data?: Value } },
  bytes: Uint8Array,
): Value | undefined {
  try {
    return schema.safeParse(JSON.parse(Buffer.from(bytes).toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
