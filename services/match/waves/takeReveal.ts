import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { WaveRevealMessage } from "@ngpu/protocol/waves";
import { readHead } from "@ngpu/queries/fleet";
import { InputError } from "@ngpu/runtime/errors";
import { decodeExceptions } from "@ngpu/waves/exceptions";
import { revealHashOf } from "@ngpu/waves/reveal";
import { blocksOf } from "@ngpu/waves/schedule";
import { keccak256 } from "viem";
import type { Session } from "../sessions/session.ts";
import { putReveal, readProgress, type WaveProgress } from "./revealStore.ts";

export type RevealOptions = { pool: Database; deployment: Deployment };

/**
 * Takes what a measurer reveals, if the chain has its commitment to exactly that. Only then does the market pay to publish
 * it. Any other is refused in a message, and the session goes on: the measurer hands it over again.
 *
 * @throws InputError `message_forbidden`
 */
export async function takeReveal(
  { pool, deployment }: RevealOptions,
  session: Session,
  message: WaveRevealMessage,
): Promise<void> {
  if (session.role !== "measurer" || session.subjectId !== message.measurerId) {
    throw new InputError(`A ${session.role} must not reveal results of measurer ${message.measurerId}.`, {
      code: "message_forbidden",
      hint: "Reveal the results of the measurer whose key opened the session.",
    });
  }
  const { type: _, waveId, list, ...own } = message;
  const head = Number((await readHead(pool)).number);
  const progress = await readProgress(pool, waveId, message.measurerId);
  const reason = reasonAgainst(message, progress, { head, deployment });
  if (reason === undefined && progress?.isRevealed === false) await putReveal(pool, waveId, { ...own, list });
  const status = reason === undefined ? ("queued" as const) : ("refused" as const);
  session.send({ type: "relayed", id: `wave ${waveId}`, status, ...(reason !== undefined && { reason }) });
}

function reasonAgainst(
  message: WaveRevealMessage,
  progress: WaveProgress | undefined,
  { head, deployment }: { head: number; deployment: Deployment },
): string | undefined {
  const { waveId, measurerId, exceptions, list } = message;
  if (progress === undefined) return `WaveUnknown(wave ${waveId})`;
  const { committed, revealed } = blocksOf(progress.fillBlock, deployment.parameters.waves);
  // Before, another measurer could still commit to the same.
  if (head < committed || head > revealed)
    return `WaveStageClosed(wave ${waveId}, first ${committed + 1}, last ${revealed})`;
  const { type: _, list: __, ...reveal } = message;
  // The contract keeps the first 27 bytes of a commitment.
  const isCommitted = progress.commitment?.slice(0, 56) === revealHashOf(reveal).slice(0, 56);
  if (!isCommitted) return `WaveNotCommitted(wave ${waveId}, measurer ${measurerId})`;
  if (keccak256(list) !== exceptions || decodeExceptions(list) === undefined)
    return `WaveListInvalid(wave ${waveId}, measurer ${measurerId})`;
  return undefined;
}
