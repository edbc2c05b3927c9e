import { join } from "node:path";
import type { ServerMessage } from "@ngpu/protocol/wire";
import { createLogger } from "@ngpu/runtime/logger";
import type { PrivateKeyAccount } from "viem/accounts";
import { openJournal } from "../../../../node-client/journal/open.ts";
import { createClaimBook } from "../../../../node-client/measure/waves/claimBook.ts";
import { openTranscripts } from "../../../../node-client/measure/waves/transcripts.ts";
import { createMeasuredWaves } from "../../../../node-client/measure/waves/waves.ts";
import { createOutbox } from "../../../../node-client/outbox.ts";
import { startSession } from "../../../../node-client/session.ts";
import type { TestMarket } from "../../../support/chain.ts";

export type MeasurerProcess = { received: ServerMessage[]; log: object[]; stop: () => Promise<void> };

/** The part of the measurer's client that measures waves, on a directory that outlives it. It stops as a killed process does. */
export function startMeasurer(
  { client, deployment }: TestMarket,
  given: { account: PrivateKeyAccount; urls: () => readonly string[]; dir: string },
): MeasurerProcess {
  const { account, urls, dir } = given;
  const stopped = new AbortController();
  const { signal } = stopped;
  const log: object[] = [];
  const note = (fields: object) => void log.push(fields);
  const logger = Object.assign(createLogger("measurer", "silent"), { info: note, warn: note });
  const journal = openJournal(join(dir, "journal.sqlite"));
  const received: ServerMessage[] = [];
  const session = startSession({
    role: "measurer",
    account,
    deployment,
    urls,
    version: "test",
    host: undefined,
    logger,
    signal,
    onMessage: (message) => {
      received.push(message);
      if (message.type === "welcome") outbox.resend();
      else if (message.type === "relayed") outbox.recordResult(message);
      else if (message.type === "measureWave") waves.take(message);
    },
  });
  const outbox = createOutbox({ journal, account, deployment, send: session.send, logger });
  const waves = createMeasuredWaves({
    client,
    deployment,
    journal,
    outbox,
    logger,
    signal,
    claims: createClaimBook({ client, deployment, journal }),
    send: session.send,
    transcripts: openTranscripts(join(dir, "transcripts")),
    privateAddresses: true,
  });
  return {
    received,
    log,
    stop: async () => {
      stopped.abort();
      await Promise.all([session.done, waves.idle()]);
      journal.close();
    },
  };
}
