// A node client without a chain: the real reconciler, engine and journal with a view from the test. It kills itself at a given
// step. Run as a program: agent.ts <json>.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createChainClient } from "@ngpu/chain-reader/client";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { createLogger } from "@ngpu/runtime/logger";
import { privateKeyToAccount } from "viem/accounts";
import { openEngine } from "../../../node-client/docker/engine.ts";
import { createDownloadPriority } from "../../../node-client/downloadPriority.ts";
import { openJournal } from "../../../node-client/journal/open.ts";
import { openOutbox } from "../../../node-client/journal/outbox.ts";
import { putPublication } from "../../../node-client/journal/workspaces.ts";
import { type Assignment, publicationKey } from "../../../node-client/leases.ts";
import { createObservedState } from "../../../node-client/observedState.ts";
import { createOutbox } from "../../../node-client/outbox.ts";
import type { Publication } from "../../../node-client/plans.ts";
import { createReasonReporter } from "../../../node-client/reasons/reasonReporter.ts";
import { createReconciler } from "../../../node-client/reconcile.ts";
import { createLeaseSecrets } from "../../../node-client/secrets/leaseSecrets.ts";
import { missing } from "../../../node-client/secrets/secretClient.ts";
import { createSecretFiles } from "../../../node-client/secrets/secretFiles.ts";
import { openHostShell } from "../../../node-client/walls/hostShell.ts";
import { createWalls } from "../../../node-client/walls/walls.ts";
import { engineSocket } from "../../../scripts/embedded/dockerEngine.ts";
import { deploymentDocument } from "../../services/support/deployment.ts";

export type AgentOrder = {
  dir: string;
  market: string;
  key: `0x${string}`;
  publication: Publication;
  /** Publications of other workspaces than that one. */
  others?: Publication[];
  assignments: Assignment[];
  /** Kill itself at the n-th start or end of an action, from 1; 0: never. */
  killAt: number;
  /** Seconds since the last contact with the chain or match. */
  secondsSinceContact: number;
  /** Run until this code was reported, null: that the lease runs; undefined: until nothing happens for a while. */
  awaits?: string | null;
  /** End as soon as the awaited code was reported: what fails is tried again without end. */
  endsWhenSaid?: boolean;
  /** Run until every lease has reported that it runs, or why not. */
  awaitsAll?: boolean;
  /** Secrets by name, as the market would answer; undefined: it says that none is set. */
  secrets?: Record<string, string>;
};

/** BigInts are encoded as "123n". */
export const encode = (value: unknown) =>
  JSON.stringify(value, (_name, item) => (typeof item === "bigint" ? `${item}n` : item));
const decode = (text: string) =>
  JSON.parse(text, (_name, item) =>
    typeof item === "string" && /^\d+n$/.test(item) ? BigInt(item.slice(0, -1)) : item,
  );

/** On a busy machine a container may start for longer than a silent health path is left alone. */
export const isStart = ({ code, details }: { code: string | null; details?: unknown }) =>
  code === "health_failing" && (details as { status?: number }).status === undefined;

async function run(order: AgentOrder): Promise<void> {
  const deployment = parseDeployment(deploymentDocument);
  const account = privateKeyToAccount(order.key);
  const journal = openJournal(join(order.dir, "journal.sqlite"));
  const publications = new Map((order.others ?? []).map((one) => [one.workspaceId, one]));
  for (const lease of order.assignments) {
    const publication = publications.get(lease.workspaceId) ?? order.publication;
    putPublication(journal, publicationKey(lease), publication);
  }
  const logger = createLogger("agent", "silent");
  const engine = openEngine({
    socket: engineSocket(process.env.DOCKER_HOST),
    market: order.market,
    node: account.address,
  });
  const reasons: ClientMessage[] = [];
  let steps = 0;
  let lastStep = Date.now();
  const reconciler = createReconciler({
    engine,
    dataDir: "/",
    client: createChainClient({ rpcUrls: ["http://127.0.0.1:9"], chainId: deployment.chainId }),
    deployment,
    journal,
    observed: createObservedState(),
    outbox: createOutbox({ journal, account, deployment, send: () => false, logger }),
    downloadPriority: createDownloadPriority(),
    logger,
    signal: new AbortController().signal,
    gpus: () => [],
    reasons: createReasonReporter({ engine, send: (message) => reasons.push(message) > 0, logger }),
    sickGpus: () => [],
    walls: createWalls({ engine, shell: openHostShell(engine), logger }),
    secrets: createLeaseSecrets(
      {
        fetch: async () => {
          if (order.secrets === undefined) throw missing(["TOKEN"]);
          return new Map(Object.entries(order.secrets).map(([name, text]) => [name, Buffer.from(text)]));
        },
      },
      createSecretFiles(`${engine.market}-${engine.node}`),
    ),
    view: () => ({ assignments: order.assignments, rounds: new Map() }),
    lastContactAt: () => Date.now() - order.secondsSinceContact * 1000,
    onDone: () => {},
    onProgress: () => {},
    onAction: (action) => {
      if (action === "check") return;
      steps += 1;
      lastStep = Date.now();
      if (steps === order.killAt) process.kill(process.pid, "SIGKILL");
    },
  });
  const said = () => reasons.filter((one) => one.type === "reason");
  const isAwaited = () =>
    ("awaits" in order && !said().some(({ code }) => code === order.awaits)) ||
    (order.awaitsAll &&
      !order.assignments.every((lease) =>
        said().some((one) => one.workspaceId === lease.workspaceId && !isStart(one)),
      ));
  // The reconciler's pauses keep no process running.
  using _alive = setInterval(() => undefined, 1_000);
  const deadline = Date.now() + (order.awaitsAll ? 400_000 : 60_000);
  const goesOn = () =>
    !(order.endsWhenSaid === true && !isAwaited()) &&
    ((order.awaitsAll !== true && Date.now() - lastStep < 2_500) || (isAwaited() && Date.now() < deadline));
  while (goesOn()) {
    await reconciler.round();
    await reconciler.idle();
    await delay(100);
  }
  const messages = openOutbox(journal).map(({ kind, message }) => ({ kind, message }));
  process.stdout.write(`${encode({ steps, running: [...reconciler.running()], messages, reasons })}\n`);
  journal.close();
}

if (process.argv[1] === import.meta.filename) await run(decode(process.argv[2] ?? "{}") as AgentOrder);
