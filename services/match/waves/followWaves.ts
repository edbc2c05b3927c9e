import { createWaveJudge } from "@ngpu/queries/judgedWaves";
import { readWave, readWaves, type WaveRow } from "@ngpu/queries/waves";
import { FatalError } from "@ngpu/runtime/errors";
import type { SendRequest } from "@ngpu/tx-sender/send";
import { blocksOf, type WaveBlocks } from "@ngpu/waves/schedule";
import type { WaveOptions } from "./options.ts";
import { sendReveals } from "./sendReveals.ts";
import * as store from "./waveStore.ts";

/** @deadline The receipt of a wave's transaction. The wave's next step is looked at again. */
const receiptMs = 10_000;
/** Blocks of which a contract sees the hash for certain. */
const seenBlocks = 250;

/**
 * Advances the waves in progress, each by what the chain lacks of it.
 *
 * @param head The newest exported block.
 * @param tried Times of earlier attempts.
 */
export async function followWaves(
  options: WaveOptions,
  head: number,
  tried: Map<string, number>,
): Promise<void> {
  const { pool, deployment } = options;
  const terms = deployment.parameters.waves;
  const { revealed: length } = blocksOf(0, terms);
  for (const wave of await store.servedWaves(pool, head - length - seenBlocks)) {
    const blocks = blocksOf(wave.fillBlock, terms);
    if (wave.waveId === null) await openAndDraw(options, wave, { blocks, head, tried });
    else await advance(options, { ...wave, waveId: wave.waveId }, { blocks, head, tried });
  }
  await judge(options, head - length - 1);
}

type Now = { blocks: WaveBlocks; head: number; tried: Map<string, number> };

/** Opens a wave on the chain, and reads which measurers it draws. */
async function openAndDraw(options: WaveOptions, wave: store.ServedWave, now: Now): Promise<void> {
  const { pool, deployment, context } = options;
  const row = await openedWave(options, wave);
  if (row === undefined) {
    if (now.head < now.blocks.chase) await sendOnce(options, now, openRequest(options, wave));
    return;
  }
  const { drawn } = await readWave(pool, row, deployment.parameters.waves);
  const ids = drawn.map(({ measurerId }) => measurerId);
  await store.recordDraw(pool, { fillBlock: wave.fillBlock, waveId: row.waveId, drawn: ids });
  context.logger.info({ event: "wave_opened", wave: wave.fillBlock, waveId: row.waveId, drawn: ids });
}

async function openedWave({ pool }: WaveOptions, { fillBlock, fillHash }: store.ServedWave) {
  const rows = await readWaves(pool, BigInt(fillBlock), { before: null, limit: 1 });
  return rows.find((row) => row.fillBlock === fillBlock && row.fillHash === fillHash);
}

async function advance(
  options: WaveOptions,
  wave: store.ServedWave & { waveId: number },
  now: Now,
): Promise<void> {
  const { blocks, head } = now;
  if (head > blocks.audit && head < blocks.audit + seenBlocks) {
    const row = await openedWave(options, wave);
    if (row !== undefined && row.auditHash === null)
      await sendOnce(options, now, recordRequest(options, wave));
  }
  // The last block is tried, too: a reveal that it does not include any more is refused.
  if (head >= blocks.committed && head <= blocks.revealed) await sendReveals(options, wave.waveId, now.tried);
}

type Request = SendRequest<"ProofWaves", "open"> | SendRequest<"ProofWaves", "record">;

function openRequest({ deployment }: WaveOptions, { fillHash }: store.ServedWave): Request {
  const dedupeKey = `wave.open:${deployment.contracts.ProofWaves}:${fillHash}`;
  return { kind: "wave.open", contract: "ProofWaves", functionName: "open", args: [], dedupeKey };
}

function recordRequest({ deployment }: WaveOptions, { fillHash, waveId }: store.ServedWave): Request {
  const dedupeKey = `wave.record:${deployment.contracts.ProofWaves}:${fillHash}`;
  return {
    kind: "wave.record",
    contract: "ProofWaves",
    functionName: "record",
    args: [waveId ?? 0],
    dedupeKey,
  };
}

/** Sends a step of a wave that anyone may take. It is refused where another account was first. */
async function sendOnce({ sender, context }: WaveOptions, { tried }: Now, request: Request): Promise<void> {
  const key = String(request.dedupeKey);
  if (tried.has(key)) return;
  tried.set(key, performance.now());
  try {
    await sender.send({ ...request, timeoutMs: receiptMs } as SendRequest<"ProofWaves", "open">);
  } catch (error) {
    if (!(error instanceof FatalError) || error.code !== "transaction_reverted") throw error;
    context.logger.debug({ event: "wave_step_refused", step: request.kind, error });
  }
}

/** Notes the verdict on waves whose reveals have ended. What counts follows from the chain's events. */
async function judge(options: WaveOptions, until: number): Promise<void> {
  const { pool, context } = options;
  for (const wave of await store.unjudgedWaves(pool, { until, limit: 10 })) {
    const row = await openedWave(options, wave);
    const verdict = row === undefined ? notOpened : await verdictOn(options, row);
    await store.recordVerdict(pool, wave.fillBlock, verdict);
    context.logger.info({ event: "wave_judged", wave: wave.fillBlock, waveId: wave.waveId, ...verdict });
  }
}

async function verdictOn({ pool, deployment }: WaveOptions, row: WaveRow): Promise<store.StoredVerdict> {
  const { verdict } = await createWaveJudge(deployment.parameters.waves)(pool, row);
  const count = (outcome: string) => verdict.devices.filter((device) => device.outcome === outcome).length;
  const counts = { passed: count("passed"), failed: count("failed"), kept: count("kept") };
  return { verdict: verdict.held ? "held" : verdict.reason, ...counts };
}

const notOpened: store.StoredVerdict = { verdict: "not_opened", passed: 0, failed: 0, kept: 0 };
