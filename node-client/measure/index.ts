import { EventEmitter } from "node:events";
import { join } from "node:path";
import { createChainClient, requireChain } from "@ngpu/chain-reader/client";
import type { ServerMessage } from "@ngpu/protocol/wire";
import { messageOf } from "@ngpu/runtime/errors";
import { createApp, listen } from "@ngpu/runtime/http";
import { runService, type ServiceContext } from "@ngpu/runtime/lifecycle";
import { createLogger, type Logger } from "@ngpu/runtime/logger";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import type { Counter } from "prom-client";
import type { MeasurerEnv } from "../env.ts";
import { openJournalOf } from "../journal/open.ts";
import { openIdentity } from "../keys/identity.ts";
import { loadNetwork, watchNetwork } from "../network.ts";
import { createOutbox, deadline, type Outbox } from "../outbox.ts";
import { type Session, startSession } from "../session.ts";
import { applyEndpoints } from "../updates/applyConfig.ts";
import { readClientConfig, updatePlace } from "../updates/place.ts";
import { startUpdates } from "../updates/updateLoop.ts";
import { version } from "../version.ts";
import { measureRound, type Order } from "./measurementRound.ts";
import { createMeasurerMetrics } from "./metrics.ts";
import { readMeasurerId, requestRegistration } from "./registration.ts";
import { type ClaimBook, createClaimBook } from "./waves/claimBook.ts";
import { serveEvidence } from "./waves/evidence.ts";
import { openTranscripts } from "./waves/transcripts.ts";
import { createMeasuredWaves } from "./waves/waves.ts";

/** Runs the measurement node until it is stopped. @throws NgpuError when it cannot be started. */
export async function runMeasurer(env: MeasurerEnv): Promise<void> {
  const prepared = await prepareMeasurer(env, createLogger("measurer", env.LOG_LEVEL));
  await runService({ name: "measurer", logLevel: env.LOG_LEVEL }, (context) =>
    startMeasurer(context, env, prepared),
  );
}

async function prepareMeasurer(env: MeasurerEnv, logger: Logger) {
  const dir = env.MEASURER_DIR;
  const account = await openIdentity({ dir, name: "measurer", passphraseFile: env.MEASURER_PASSPHRASE_FILE });
  const network = await loadNetwork({ api: env.NGPU_API, dir, logger });
  const place = updatePlace();
  const clientConfig = readClientConfig(place);
  applyEndpoints(network, clientConfig);
  const { deployment } = network;
  // Identified by ComputeNode, not Measure: a replaced Measure still receives the results of its last rounds.
  const market = `${deployment.chainId}/${deployment.contracts.ComputeNode.toLowerCase()}`;
  const journal = openJournalOf(join(dir, "journal.sqlite"), market, (to) =>
    logger.warn({ event: "journal_of_another_market", movedTo: to }),
  );
  const client = createChainClient({ rpcUrls: network.rpcUrls, chainId: deployment.chainId });
  await requireChain(client, deployment);
  return { account, network, journal, client, updatePlace: place, clientConfig };
}

/** Milliseconds between readings of what nodes claim. */
const claimsInterval = 600_000;

type MeasurerEvents = { message: [ServerMessage] };

/** The parts of a measurement node and their state. */
type Measurer = Awaited<ReturnType<typeof prepareMeasurer>> & {
  context: ServiceContext;
  env: MeasurerEnv;
  session: Session;
  outbox: Outbox;
  measured: Counter<"outcome">;
  /** 0 until the registration is on the chain. */
  measurerId: number;
  /** Measurements, one at a time: concurrent ones would distort each other. */
  queue: Promise<void>;
  /** Rounds that wait for a node's probe to respond, concurrently. */
  awaiting: Set<Promise<void>>;
  waves: ReturnType<typeof createMeasuredWaves>;
};

async function startMeasurer(
  context: ServiceContext,
  env: MeasurerEnv,
  prepared: Awaited<ReturnType<typeof prepareMeasurer>>,
): Promise<void> {
  const { logger, signal, fail } = context;
  const { account, network, journal } = prepared;
  const registry = createRegistry("measurer");
  const events = new EventEmitter<MeasurerEvents>();
  const contact = contactOf(context, prepared, events);
  const metrics = createMeasurerMetrics(registry);
  const deployment = network.deployment;
  const transcripts = openTranscripts(join(env.MEASURER_DIR, "transcripts"));
  const claims = createClaimBook({ ...prepared, deployment });
  const measurer: Measurer = {
    ...prepared,
    ...contact,
    context,
    env,
    measured: metrics.measured,
    waves: createMeasuredWaves({
      ...{ ...prepared, ...contact, claims, transcripts, deployment, logger, signal },
      send: contact.session.send,
      privateAddresses: env.MEASURER_PRIVATE_ADDRESSES,
      onMeasured: (outcome) => metrics.waves.inc({ outcome }),
    }),
    measurerId: 0,
    queue: Promise.resolve(),
    awaiting: new Set(),
  };
  const { session } = measurer;
  const registration = startLoop({ name: "registration", logger, signal, interval: 10_000 }, () =>
    ensureRegistered(measurer),
  );
  events.on("message", (message) => handleMessage(measurer, registration, message));
  const reading = readClaims(measurer, claims);
  const { clientConfig } = prepared;
  const watching = watchNetwork({
    api: env.NGPU_API,
    dir: env.MEASURER_DIR,
    network,
    clientConfig,
    logger,
    signal,
    fail,
  });
  const updates = startUpdates({
    place: prepared.updatePlace,
    api: env.NGPU_API,
    address: account.address,
    region: env.MEASURER_REGION,
    seconds: env.MEASURER_UPDATE_SECONDS,
    isHealthy: session.isOpen,
    context,
  });
  context.onStop("journal", () => journal.close());
  context.onStop("loops", async () => {
    const loops = [session.done, registration.done, reading.done, watching, updates.done];
    await Promise.all([...loops, measurer.queue, ...measurer.awaiting, measurer.waves.idle()]);
  });
  const health = () => ({
    ok: true,
    details: {
      measurerId: measurer.measurerId || null,
      address: account.address,
      session: session.isOpen(),
    },
  });
  const app = createApp({ registry, health });
  serveEvidence(app, { journal, transcripts }, logger);
  await listen(app, { host: env.HOST, port: env.PORT }, context);
}

/** Reads what nodes claim now and then, so that a wave finds little to read. */
function readClaims({ context, client }: Measurer, claims: ClaimBook): Loop {
  const { logger, signal } = context;
  return startLoop({ name: "claims", logger, signal, interval: claimsInterval }, async () => {
    await claims.before(await client.getBlockNumber());
  });
}

function contactOf(
  { logger, signal }: ServiceContext,
  { account, network, journal }: Awaited<ReturnType<typeof prepareMeasurer>>,
  events: EventEmitter<MeasurerEvents>,
): { session: Session; outbox: Outbox } {
  const { deployment } = network;
  const session = startSession({
    role: "measurer",
    account,
    deployment,
    urls: () => network.matchUrls,
    version,
    host: undefined,
    logger,
    signal,
    onMessage: (message) => events.emit("message", message),
  });
  const outbox = createOutbox({ journal, account, deployment, send: session.send, logger });
  return { session, outbox };
}

function handleMessage(measurer: Measurer, registration: Loop, message: ServerMessage): void {
  const { outbox } = measurer;
  if (message.type === "welcome") {
    outbox.resend();
    registration.wake();
  } else if (message.type === "relayed") outbox.recordResult(message);
  else if (message.type === "measure") enqueue(measurer, message);
  else if (message.type === "measureWave") measurer.waves.take(message);
}

function enqueue(measurer: Measurer, order: Order): void {
  const { awaiting } = measurer;
  if (!order.awaitProbe) {
    measurer.queue = measurer.queue.then(() => serve(measurer, order));
    return;
  }
  const attempt = serve(measurer, order).finally(() => awaiting.delete(attempt));
  awaiting.add(attempt);
}

/** Measures a node and submits the result. A round that cannot be measured is reported to match. */
async function serve(
  { context, env, network, session, outbox, measured }: Measurer,
  order: Order,
): Promise<void> {
  const { logger, signal } = context;
  const { roundId, measurerId, draw, port, salt, proof } = order;
  if (signal.aborted || order.closesAt * 1000 <= Date.now()) return;
  const started = performance.now();
  try {
    const { measureWindowSeconds } = network.deployment.parameters;
    const result = await measureRound(order, measureWindowSeconds, {
      signal,
      privateAddresses: env.MEASURER_PRIVATE_ADDRESSES,
    });
    const duration = Math.round(performance.now() - started);
    logger.info({ event: "round_measured", roundId, ...result, duration });
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
}

/** Reads the measurer's id from the chain. Registers it if it has none. */
async function ensureRegistered(measurer: Measurer): Promise<void> {
  measurer.outbox.resend();
  measurer.measurerId = await readMeasurerId(measurer);
  if (measurer.measurerId === 0) await requestRegistration(measurer);
}
