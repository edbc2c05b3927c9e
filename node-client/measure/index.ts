import { EventEmitter } from "node:events";
import { join } from "node:path";
import type { ServerMessage } from "@ngpu/protocol/wire";
import { createApp, listen } from "@ngpu/runtime/http";
import { runService, type ServiceContext } from "@ngpu/runtime/lifecycle";
import { createLogger } from "@ngpu/runtime/logger";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { createRegistry } from "@ngpu/runtime/metrics";
import type { MeasurerEnv } from "../env.ts";
import { watchNetwork } from "../network.ts";
import { createOutbox, type Outbox } from "../outbox.ts";
import { type Session, startSession } from "../session.ts";
import { startUpdates } from "../updates/updateLoop.ts";
import { version } from "../version.ts";
import { ensureRegistered, handleMessage, type Measurer } from "./measurer.ts";
import { createMeasurerMetrics } from "./metrics.ts";
import { type PreparedMeasurer, prepareMeasurer } from "./prepareMeasurer.ts";
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

/** Milliseconds between readings of what nodes claim. */
const claimsInterval = 600_000;

type MeasurerEvents = { message: [ServerMessage] };

async function startMeasurer(
  context: ServiceContext,
  env: MeasurerEnv,
  prepared: PreparedMeasurer,
): Promise<void> {
  const { logger, signal } = context;
  const { account, journal } = prepared;
  const registry = createRegistry("measurer");
  const events = new EventEmitter<MeasurerEvents>();
  const transcripts = openTranscripts(join(env.MEASURER_DIR, "transcripts"));
  const claims = createClaimBook({ ...prepared, deployment: prepared.network.deployment });
  const measurer = createMeasurer(context, env, {
    ...prepared,
    ...contactOf(context, prepared, events),
    metrics: createMeasurerMetrics(registry),
    transcripts,
    claims,
  });
  const { session } = measurer;
  const registration = startLoop({ name: "registration", logger, signal, interval: 10_000 }, () =>
    ensureRegistered(measurer),
  );
  events.on("message", (message) => handleMessage(measurer, registration, message));
  const loops = [
    session.done,
    registration.done,
    readClaims(measurer, claims).done,
    ...followMarket(measurer),
  ];
  context.onStop("journal", () => journal.close());
  context.onStop("loops", async () => {
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

function createMeasurer(
  context: ServiceContext,
  env: MeasurerEnv,
  parts: PreparedMeasurer &
    Pick<Measurer, "session" | "outbox"> & {
      metrics: ReturnType<typeof createMeasurerMetrics>;
      transcripts: ReturnType<typeof openTranscripts>;
      claims: ClaimBook;
    },
): Measurer {
  const { metrics, transcripts, claims, ...prepared } = parts;
  const waves = createMeasuredWaves({
    ...prepared,
    claims,
    transcripts,
    deployment: prepared.network.deployment,
    logger: context.logger,
    signal: context.signal,
    send: prepared.session.send,
    privateAddresses: env.MEASURER_PRIVATE_ADDRESSES,
    onMeasured: (outcome) => metrics.waves.inc({ outcome }),
  });
  return {
    ...prepared,
    context,
    env,
    measured: metrics.measured,
    waves,
    measurerId: 0,
    queue: Promise.resolve(),
    awaiting: new Set(),
  };
}

/** Follows what the market publishes: its endpoints, and updates of the client. @returns What resolves at the end. */
function followMarket(measurer: Measurer): Promise<unknown>[] {
  const { context, env, account, network, clientConfig, session } = measurer;
  const { logger, signal, fail } = context;
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
    place: measurer.updatePlace,
    api: env.NGPU_API,
    address: account.address,
    region: env.MEASURER_REGION,
    seconds: env.MEASURER_UPDATE_SECONDS,
    isHealthy: session.isOpen,
    context,
  });
  return [watching, updates.done];
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
  { account, network, journal }: PreparedMeasurer,
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
