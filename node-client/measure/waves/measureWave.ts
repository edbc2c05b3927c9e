import { Agent } from "node:http";
import type { WavePartName } from "@ngpu/protocol/waves";
import type { ClaimedDevice } from "@ngpu/waves/claims";
import type { WaveChain } from "@ngpu/waves/evidence";
import type { DeviceRef } from "@ngpu/waves/types";
import type { Hex } from "viem";
import { createWaveBook, type SavedBook, type WaveBook, type WaveResult } from "./book.ts";
import { readPart } from "./readPart.ts";
import type { Transcripts } from "./transcripts.ts";

/** A device that a wave challenges, and where its node answers; null: match does not know, so it answers nowhere. */
export type WaveSubject = DeviceRef & { claimed: ClaimedDevice; at: { url: string; token: string } | null };

/** How far a measurer came before it was restarted: the batches that it has closed. */
export type WaveState = { closed: "chase" | "answers"; book: SavedBook };

export type MeasureWaveOptions = {
  measurerId: number;
  subjects: readonly WaveSubject[];
  /** Resolves when the batch of a part may be posted. */
  opening: (part: "chase" | "answer") => Promise<void>;
  /** Resolves when a part no longer counts: a block before the last one that may include its batch. */
  closing: (part: WavePartName) => Promise<void>;
  /** Posts the root of a batch. What was not included in time counts for nothing, so a failure is no error here. */
  post: (batch: "chase" | "answers", root: Hex) => Promise<void>;
  /** The wave's blocks on the chain, once the audit's is there. */
  chain: () => Promise<Omit<WaveChain, "roots">>;
  /** What was stored; undefined at the first start. */
  saved?: WaveState | undefined;
  /** Stores what a root is over, before it is posted. */
  save: (state: WaveState) => void;
  transcripts: Transcripts;
  /** Nodes may be at addresses that are not public. */
  privateAddresses: boolean;
  signal: AbortSignal;
};

/**
 * Reads the answers of a wave, commits to them by batches, and recomputes what each device proved.
 *
 * @throws The signal's reason once it is aborted: what was not read by then is not stated to be late.
 */
export async function measureWave(options: MeasureWaveOptions): Promise<WaveResult[]> {
  const { measurerId, subjects, opening, post, chain, transcripts, saved, save, signal } = options;
  const book = createWaveBook(measurerId, subjects, saved?.book);
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  try {
    if (saved === undefined) {
      await readAll(book, "chase", agent, options);
      signal.throwIfAborted();
      save({ closed: "chase", book: book.saved() });
    }
    // Nodes that answer at once, with anything, do not make the batch come too early.
    await opening("chase");
    await post("chase", book.chaseRoot());
    if (saved?.closed !== "answers") {
      await readAll(book, "answer", agent, options);
      signal.throwIfAborted();
      save({ closed: "answers", book: book.saved() });
    }
    await opening("answer");
    await post("answers", book.answersRoot());
    const seen = await chain();
    await readAll(book, "transcript", agent, {
      ...options,
      onPart: (bytes) => transcripts.put(bytes),
    });
    signal.throwIfAborted();
    return await book.results(seen);
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
  const { subjects, privateAddresses, onPart } = options;
  const closed = new AbortController();
  const signal = AbortSignal.any([options.signal, closed.signal]);
  const close = () => closed.abort();
  // A chain that cannot be read closes the part, too: what it would include is not known.
  void options.closing(part).then(close, close);
  const expected = new Set(book.open().map(({ nodeId, device }) => `${nodeId}/${device}`));
  await Promise.all(
    subjects.map(async ({ at, ...ref }) => {
      if (!expected.has(`${ref.nodeId}/${ref.device}`)) return;
      const bytes = at === null ? undefined : await read(at, ref.device);
      if (bytes !== undefined) onPart?.(bytes);
      book.take(ref, part, bytes);
    }),
  );
  closed.abort();

  function read({ url, token }: { url: string; token: string }, device: number) {
    return readPart({ agent, url, token, signal, privateAddresses }, device, part).catch(() => undefined);
  }
}
