import { Agent } from "node:http";
import type { WavePartName } from "@ngpu/protocol/waves";
import type { ClaimedDevice } from "@ngpu/waves/claims";
import type { WaveChain } from "@ngpu/waves/evidence";
import type { DeviceRef } from "@ngpu/waves/types";
import type { Hex } from "viem";
import { createWaveBook, type WaveBook, type WaveResult } from "./book.ts";
import { readPart } from "./readPart.ts";
import type { Transcripts } from "./transcripts.ts";

/** A device that a wave challenges, and where its node answers. */
export type WaveSubject = DeviceRef & { claimed: ClaimedDevice; url: string; token: string };

export type MeasureWaveOptions = {
  measurerId: number;
  subjects: readonly WaveSubject[];
  /** Until when each part counts, in Unix milliseconds: a block before the last one that may include its batch. */
  closes: Record<WavePartName, number>;
  /** Posts the root of a batch. What was not included in time counts for nothing, so a failure is no error here. */
  post: (batch: "chase" | "answers", root: Hex) => Promise<void>;
  /** The wave's blocks on the chain, once the audit's is there. */
  chain: () => Promise<Omit<WaveChain, "roots">>;
  transcripts: Transcripts;
  /** Nodes may be at addresses that are not public. */
  privateAddresses: boolean;
  signal: AbortSignal;
};

/** Reads the answers of a wave, commits to them by batches, and recomputes what each device proved. */
export async function measureWave(options: MeasureWaveOptions): Promise<WaveResult[]> {
  const { measurerId, subjects, post, chain, transcripts } = options;
  const book = createWaveBook(measurerId, subjects);
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  try {
    await readAll(book, "chase", agent, options);
    await post("chase", book.chaseRoot());
    await readAll(book, "answer", agent, options);
    await post("answers", book.answersRoot());
    const seen = await chain();
    await readAll(book, "transcript", agent, {
      ...options,
      onPart: (bytes) => transcripts.put(bytes),
    });
    return book.results(seen);
  } finally {
    agent.destroy();
    transcripts.expire();
  }
}

/** Reads a part of every device that has answered so far, all at once: nodes hold requests until the part is there. */
async function readAll(
  book: WaveBook,
  part: WavePartName,
  agent: Agent,
  options: MeasureWaveOptions & { onPart?: (bytes: Uint8Array) => void },
): Promise<void> {
  const { subjects, closes, privateAddresses, onPart } = options;
  const left = Math.max(0, closes[part] - Date.now());
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(left)]);
  const expected = new Set(book.open().map(({ nodeId, device }) => `${nodeId}/${device}`));
  await Promise.all(
    subjects
      .filter(({ nodeId, device }) => expected.has(`${nodeId}/${device}`))
      .map(async ({ url, token, ...ref }) => {
        const probe = { agent, url, token, signal, privateAddresses };
        const bytes = await readPart(probe, ref.device, part).catch(() => undefined);
        if (bytes !== undefined) onPart?.(bytes);
        book.take(ref, part, bytes);
      }),
  );
}
