import { join } from "node:path";
import { createChainClient, requireChain } from "@ngpu/chain-reader/client";
import { measureAbi } from "@ngpu/contracts-sdk/generated/abi";
import { messageOf } from "@ngpu/runtime/errors";
import { createApp, listen } from "@ngpu/runtime/http";
import { runService, type ServiceContext } from "@ngpu/runtime/lifecycle";
import { createLogger, type Logger } from "@ngpu/runtime/logger";
import { startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import { stringToHex, zeroAddress } from "viem";
import type { MeasurerEnv } from "../env.ts";
import { openIdentity } from "../identity.ts";
import { openJournalOf } from "../journal/open.ts";
import { lastBySubject } from "../journal/outbox.ts";
import { learnNetwork, watchNetwork } from "../network.ts";
import { createOutbox, deadline } from "../outbox.ts";
import { startSession } from "../session.ts";
import { version } from "../version.ts";
import { createMeasurerMetrics } from "./metrics.ts";
import { measureRound, type Order } from "./round.ts";

const retryRefused = 30_000;

/** Runs the measurement node until it is stopped. @throws NgpuError when it cannot be started. */
export async function runMeasurer(env: MeasurerEnv): Promise<void> {
  const prepared = await prepareMeasurer(env, createLogger("measurer", env.LOG_LEVEL));
  await runService({ name: "measurer", logLevel: env.LOG_LEVEL }, (context) =>
    startMeasurer(context, env, prepared),
  );
}

async function prepareMeasurer(env: MeasurerEnv, logger: Logger) {
  const dir = env.MEASURER_DIR;
  const account = openIdentity(dir, "measurer");
  const network = await learnNetwork({ api: env.NGPU_API, dir, logger });
  const { deployment } = network;
  // Not by Measure: where that was replaced, results of its last rounds are still to be sent.
  const market = `${deployment.chainId}/${deployment.contracts.ComputeNode.toLowerCase()}`;
  const journal = openJournalOf(join(dir, "journal.sqlite"), market, (to) =>
    logger.warn({ event: "journal_of_another_market", movedTo: to }),
  );
  const client = createChainClient({ rpcUrls: network.rpcUrls, chainId: deployment.chainId });
  await requireChain(client, deployment);
  return { account, network, journal, client };
}

async function startMeasurer(
  context: ServiceContext,
  env: MeasurerEnv,
  { account, network, journal, client }: Awaited<ReturnType<typeof prepareMeasurer>>,
): Promise<void> {
  const { logger, signal } = context;
  const { deployment } = network;
  const registry = createRegistry("measurer");
  const { measured } = createMeasurerMetrics(registry);

  let measurerId = 0;
  // One at a time: two at once would measure each other. Who only looks whether a node is there waits for nobody.
  let queue = Promise.resolve();
  const looking = new Set<Promise<void>>();
  const take = (order: Order) => {
    if (!order.isAwaited) {
      queue = queue.then(() => serve(order));
      return;
    }
    const look = serve(order).finally(() => looking.delete(look));
    looking.add(look);
  };
  const session = startSession({
    role: "measurer",
    account,
    deployment,
    urls: () => network.matchUrls,
    version,
    host: undefined,
    logger,
    signal,
    onMessage: (message) => {
      if (message.type === "welcome") {
        outbox.resend();
        registration.wake();
      } else if (message.type === "relayed") outbox.take(message);
      else if (message.type === "measure") take(message);
    },
  });
  const outbox = createOutbox({ journal, account, deployment, send: session.send, logger });
  const serve = async (order: Order) => {
    const { roundId, measurerId, draw, port, salt, proof } = order;
    if (signal.aborted || order.closesAt * 1000 <= Date.now()) return;
    const started = performance.now();
    try {
      const result = await measureRound(order, deployment.parameters.measureWindowSeconds, { signal });
      logger.info({
        event: "round_measured",
        roundId,
        ...result,
        duration: Math.round(performance.now() - started),
      });
      const message = { roundId, measurerId, draw, port, salt, proof, result, deadline: deadline() };
      await outbox.submit("reveal", message, `round ${roundId}`);
      measured.inc({ outcome: result.absent ? "absent" : "measured" });
    } catch (error) {
      if (signal.aborted) return;
      const reason = messageOf(error);
      logger.warn({ event: "round_failed", roundId, nodeId: order.nodeId, reason });
      measured.inc({ outcome: "failed" });
      session.send({ type: "measureFailed", roundId, reason: reason.slice(0, 500) });
    }
  };
  const registration = startLoop({ name: "registration", logger, signal, interval: 10_000 }, async () => {
    outbox.resend();
    measurerId = await client.readContract({
      address: deployment.contracts.Measure,
      abi: measureAbi,
      functionName: "measurerIdOf",
      args: [account.address],
    });
    if (measurerId !== 0) return;
    const last = lastBySubject(journal, "registerMeasurer").get("registerMeasurer");
    const isOpen = last?.status === "waiting" || last?.status === "queued";
    const isRecent = last !== undefined && Date.now() - (last.settledAt ?? last.createdAt) < retryRefused;
    if (isOpen || isRecent) return;
    await outbox.submit(
      "registerMeasurer",
      {
        key: account.address,
        wallet: env.MEASURER_WALLET ?? zeroAddress,
        region: env.MEASURER_REGION === undefined ? "0x0000" : stringToHex(env.MEASURER_REGION),
        deadline: deadline(),
      },
      "registerMeasurer",
    );
  });
  const watching = watchNetwork({
    api: env.NGPU_API,
    dir: env.MEASURER_DIR,
    network,
    logger,
    signal,
    fail: context.fail,
  });

  context.onStop("journal", () => journal.close());
  context.onStop("loops", async () => {
    await Promise.all([session.done, registration.done, watching, queue, ...looking]);
  });
  const health = () => ({
    ok: true,
    details: { measurerId: measurerId || null, address: account.address, session: session.isOpen() },
  });
  await listen(createApp({ registry, health }), { host: env.HOST, port: env.PORT }, context);
}
