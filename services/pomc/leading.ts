import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
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
  sender: Sender;
  deployment: Deployment;
  terms: Parameters<typeof closeEpochs>[0]["terms"];
  registry: Registry;
  logger: Logger;
  signal: AbortSignal;
};

/** In shorter epochs, a lease's settlement would not be exported in time. */
const shortestReceiptSeconds = 6;

type Metrics = ReturnType<typeof createPomcMetrics>;

/** Closes epochs, commits receipts and posts uptime while this instance is the leader. `wake` runs the epochs loop immediately. */
export function leadPomc(options: LeaderOptions): { wake(): void; done: Promise<void> } {
  const { databaseUrl: url, logger, signal } = options;
  const metrics = createPomcMetrics(options.registry);
  let epochs: Loop | undefined;
  const lead = async (leading: AbortSignal) => {
    metrics.leading.set(1);
    epochs = startEpochs(options, metrics, leading);
    await Promise.all([
      epochs.done,
      startReceipts(options, leading).done,
      startUptime(options, leading).done,
    ]);
    metrics.leading.set(0);
  };
  const done = holdLeadership({ url, leadership: "pomc", logger, signal, lead });
  return { wake: () => epochs?.wake(), done };
}

function startEpochs(options: LeaderOptions, { posted, owed }: Metrics, signal: AbortSignal): Loop {
  const { pool, sender, deployment, terms, logger } = options;
  const lastReported = { owed: 0n };
  return startLoop({ name: "epochs", logger, signal, interval: 2_000 }, async () => {
    await closeEpochs({ database: pool, deployment, terms, logger, signal });
    const number = await postEpoch({ pool, sender, deployment, logger });
    if (number !== undefined) posted.set(number);
    await watchPrevious({ pool, deployment, logger, gauge: owed, lastReported });
  });
}

function startReceipts({ pool, sender, deployment, logger }: LeaderOptions, signal: AbortSignal): Loop {
  const every = Math.max(shortestReceiptSeconds, deployment.parameters.epochSeconds);
  return startLoop(
    { name: "receipts", logger, signal, interval: 2_000 },
    receiptRound({ pool, sender, deployment, logger, every, settlementTimeout: 2 * every }),
  );
}

function startUptime({ pool, sender, deployment, logger }: LeaderOptions, signal: AbortSignal): Loop {
  return startLoop({ name: "uptime", logger, signal, interval: 2_000 }, () =>
    uptimeRound({ pool, sender, deployment, logger }),
  );
}
