import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
import { createWaveProofs } from "@ngpu/queries/judgedWaves";
import type { Logger } from "@ngpu/runtime/logger";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { Sender } from "@ngpu/tx-sender/send";
import type { Registry } from "prom-client";
import { closeEpochs } from "./close.ts";
import { createPomcMetrics } from "./metrics.ts";
import { postEpoch, watchPrevious } from "./post.ts";
import { receiptRound } from "./taskReceipts/commit.ts";
import { uptimeRound } from "./uptime/round.ts";

type LeaderOptions = {
  databaseUrl: string;
  pool: Database;
  /** Posts epochs and uptime; undefined: this process posts neither. */
  epochSender: Sender | undefined;
  /** Posts task receipts, with another key; undefined: this process posts none. */
  receiptSender: Sender | undefined;
  deployment: Deployment;
  registry: Registry;
  logger: Logger;
  signal: AbortSignal;
};

/** In shorter epochs, a lease's settlement would not be exported in time. */
const shortestReceiptSeconds = 6;

type Metrics = ReturnType<typeof createPomcMetrics>;

/**
 * Closes epochs and posts uptime, and commits receipts, while this instance leads the one or the other. `wake` runs the epochs
 * loop immediately.
 */
export function leadPomc(options: LeaderOptions): { wake(): void; done: Promise<void> } {
  const { epochSender, receiptSender, databaseUrl: url, logger, signal } = options;
  const metrics = createPomcMetrics(options.registry);
  let epochs: Loop | undefined;
  const leadEpochs = async (sender: Sender, leading: AbortSignal) => {
    metrics.leading.set(1);
    epochs = startEpochs({ ...options, sender }, metrics, leading);
    await Promise.all([epochs.done, startUptime({ ...options, sender }, leading).done]);
    metrics.leading.set(0);
  };
  const done = Promise.all([
    epochSender &&
      holdLeadership({
        url,
        logger,
        signal,
        leadership: "pomc",
        lead: (leading) => leadEpochs(epochSender, leading),
      }),
    receiptSender &&
      holdLeadership({
        url,
        logger,
        signal,
        leadership: "receipts",
        lead: (leading) => startReceipts({ ...options, sender: receiptSender }, leading).done,
      }),
  ]);
  return { wake: () => epochs?.wake(), done: done.then(() => undefined) };
}

type Sending = LeaderOptions & { sender: Sender };

function startEpochs(options: Sending, { posted, owed }: Metrics, signal: AbortSignal): Loop {
  const { pool, sender, deployment, logger } = options;
  const lastReported = { owed: 0n };
  const proofs = createWaveProofs(deployment.parameters.waves);
  return startLoop({ name: "epochs", logger, signal, interval: 2_000 }, async () => {
    await closeEpochs({ database: pool, deployment, proofs, logger, signal });
    const number = await postEpoch({ pool, sender, deployment, logger });
    if (number !== undefined) posted.set(number);
    await watchPrevious({ pool, deployment, logger, gauge: owed, lastReported });
  });
}

function startReceipts({ pool, sender, deployment, logger }: Sending, signal: AbortSignal): Loop {
  const every = Math.max(shortestReceiptSeconds, deployment.parameters.epochSeconds);
  return startLoop(
    { name: "receipts", logger, signal, interval: 2_000 },
    receiptRound({ pool, sender, deployment, logger, every, settlementTimeout: 2 * every }),
  );
}

function startUptime({ pool, sender, deployment, logger }: Sending, signal: AbortSignal): Loop {
  return startLoop({ name: "uptime", logger, signal, interval: 2_000 }, () =>
    uptimeRound({ pool, sender, deployment, logger }),
  );
}
