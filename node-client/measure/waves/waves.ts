import { randomBytes } from "node:crypto";
import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { proofWavesAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { MeasureWaveOrder } from "@ngpu/protocol/waves";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { revealHashOf, revealOf } from "@ngpu/waves/reveal";
import { blocksOf, type Stage, stages, type WaveBlocks } from "@ngpu/waves/schedule";
import { bytesToHex, type Hex } from "viem";
import type { Journal } from "../../journal/open.ts";
import { readWaveProgress, type WaveProgress, writeWaveProgress } from "../../journal/waves.ts";
import { deadline, type Outbox } from "../../outbox.ts";
import { type BlockWatch, createBlockWatch, waveChainOf } from "./blockWatch.ts";
import type { ClaimBook } from "./claimBook.ts";
import { measureWave } from "./measureWave.ts";
import { subjectsOf } from "./subjects.ts";
import type { Transcripts } from "./transcripts.ts";

export type MeasuredWavesDependencies = {
  client: ChainClient;
  deployment: Deployment;
  journal: Journal;
  claims: ClaimBook;
  outbox: Pick<Outbox, "submit">;
  send: (message: ClientMessage) => boolean;
  transcripts: Transcripts;
  /** Nodes may be at addresses that are not public. */
  privateAddresses: boolean;
  logger: Logger;
  signal: AbortSignal;
  onMeasured?: (outcome: "measured" | "failed") => void;
};

/** Milliseconds between two times that a reveal is handed over, until the chain has it. */
const revealInterval = 3_000;

type Running = { parts: Map<number, MeasureWaveOrder["nodes"]>; done?: Promise<void> };
type Own = Pick<MeasureWaveOrder, "waveId" | "measurerId" | "fill">;

/**
 * Measures waves: reads answers, posts their roots in time, commits to results, and reveals them when no one can commit any
 * more. Each step is in the journal before it is taken, so a restarted client goes on with what it has committed to.
 */
export function createMeasuredWaves(deps: MeasuredWavesDependencies) {
  const { logger, signal } = deps;
  const running = new Map<number, Running>();
  return {
    /** Takes a part of an order. The wave begins with the last one. */
    take(order: MeasureWaveOrder): void {
      const { waveId, part, parts, nodes } = order;
      const wave: Running = running.get(waveId) ?? { parts: new Map() };
      running.set(waveId, wave);
      wave.parts.set(part, nodes);
      if (wave.done !== undefined || wave.parts.size < parts || signal.aborted) return;
      wave.done = measure(deps, order, [...wave.parts.values()].flat())
        .catch((error: unknown) => {
          logger.warn({ event: "wave_failed", waveId, reason: messageOf(error) });
          deps.onMeasured?.("failed");
        })
        .finally(() => running.delete(waveId));
    },
    /** Resolves when no wave is in progress. */
    idle: async (): Promise<void> => {
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}

async function measure(
  deps: MeasuredWavesDependencies,
  own: Own,
  nodes: MeasureWaveOrder["nodes"],
): Promise<void> {
  const { client, deployment, journal, logger } = deps;
  const blocks = blocksOf(own.fill, deployment.parameters.waves);
  const ended = new AbortController();
  const signal = AbortSignal.any([deps.signal, ended.signal]);
  const watch = createBlockWatch(client, signal);
  // A wave that cannot end holds up no later one.
  void watch.reached(blocks.revealed).then(() => ended.abort());
  const progress = readWaveProgress(journal, own.waveId);
  const committed =
    progress.committed ?? (await commit({ ...deps, signal }, own, { blocks, watch, nodes, progress }));
  await postCommitment(deps, own, committed);
  await reveal({ ...deps, signal }, { blocks, watch }, committed);
  ended.abort();
  logger.info({ event: "wave_ended", waveId: own.waveId });
}

type Committed = NonNullable<WaveProgress["committed"]>;

/** Measures, and stores what is committed to. */
async function commit(
  deps: MeasuredWavesDependencies,
  own: Own,
  given: { blocks: WaveBlocks; watch: BlockWatch; nodes: MeasureWaveOrder["nodes"]; progress: WaveProgress },
): Promise<Committed> {
  const { client, journal, claims, logger, signal, transcripts, privateAddresses } = deps;
  const { blocks, watch, nodes, progress } = given;
  const { waveId, measurerId } = own;
  const ends = { chase: blocks.work, answer: blocks.answered, transcript: transcriptsEnd(blocks) };
  const started = performance.now();
  const results = await measureWave({
    measurerId,
    subjects: subjectsOf(await claims.before(BigInt(blocks.fill)), nodes),
    opening: (part) => watch.reached(part === "chase" ? blocks.chase : blocks.work),
    closing: (part) => watch.closing(ends[part]),
    post: (batch, root) => post(deps, own, batch, root),
    chain: async () => {
      // The block after: an endpoint behind another one has the audit's then.
      await watch.reached(blocks.audit + 1);
      signal.throwIfAborted();
      return waveChainOf(client, blocks);
    },
    saved: progress.state,
    save: (state) => writeWaveProgress(journal, waveId, { state }),
    transcripts,
    privateAddresses,
    signal,
  });
  const salt = bytesToHex(randomBytes(32));
  const received = results.flatMap(({ nodeId, device, transcriptHash: hash }) =>
    hash === undefined ? [] : [{ nodeId, device, hash }],
  );
  const committed = { ...revealOf({ waveId, measurerId }, results, salt), transcripts: received };
  writeWaveProgress(journal, waveId, { ...readWaveProgress(journal, waveId), committed });
  const refusals = results.flatMap(({ refusal }) => refusal ?? []);
  const duration = Math.round(performance.now() - started);
  const reasons = Object.fromEntries(
    [...Map.groupBy(refusals, (reason) => reason)].map(([reason, all]) => [reason, all.length]),
  );
  logger.info({ event: "wave_measured", waveId, devices: results.length, refused: reasons, duration });
  deps.onMeasured?.("measured");
  return committed;
}

/** Half of the time to commit remains to recompute proofs. */
function transcriptsEnd({ audit, committed }: WaveBlocks): number {
  return audit + Math.ceil((committed - audit) / 2);
}

async function post(deps: MeasuredWavesDependencies, own: Own, stage: Stage, root: Hex): Promise<void> {
  const { waveId, measurerId } = own;
  const message = { waveId, measurerId, stage: stages[stage], root, deadline: deadline() };
  await deps.outbox.submit("postWave", message, `wave ${waveId} ${stage}`);
}

async function postCommitment(
  deps: MeasuredWavesDependencies,
  own: Own,
  { reveal }: Committed,
): Promise<void> {
  await post(deps, own, "results", revealHashOf(reveal));
}

/** Hands the results over once no one can commit any more, until the chain has them. */
async function reveal(
  { client, deployment, send, signal }: MeasuredWavesDependencies,
  { blocks, watch }: { blocks: WaveBlocks; watch: BlockWatch },
  { reveal: own, list }: Committed,
): Promise<void> {
  await watch.reached(blocks.committed);
  while (!signal.aborted) {
    send({ type: "waveReveal", ...own, list });
    await rest(revealInterval, signal);
    if (await isRevealed({ client, deployment }, own)) return;
  }
}

/** Stages that a measurer has after its reveal. */
const revealedStages = 4;

async function isRevealed(
  { client, deployment }: Pick<MeasuredWavesDependencies, "client" | "deployment">,
  { waveId, measurerId }: Committed["reveal"],
): Promise<boolean> {
  try {
    const [reached] = await client.readContract({
      address: deployment.contracts.ProofWaves,
      abi: proofWavesAbi,
      functionName: "progressOf",
      args: [waveId, measurerId],
    });
    return reached === revealedStages;
  } catch {
    // An endpoint that does not answer is asked again.
    return false;
  }
}
