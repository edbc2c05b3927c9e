import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { byContract } from "@ngpu/contracts-sdk/generations";
import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
import { signLoss } from "@ngpu/protocol/lossStatement";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import type { Address, LocalAccount } from "viem";
import type { MatchMetrics } from "../metrics.ts";
import { createLossView, type LossLimitOptions, type LossView, lossGraceMs } from "./lossView.ts";
import { forgetStatements, readSilent, storeStatements } from "./statementStore.ts";

/** Interval of looking for lost nodes, ms: keepers wait for statements. */
const lookMs = 500;
/** Interval of deleting old statements, ms. */
const forgetMs = 600_000;

export type WitnessOptions = LossLimitOptions & {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  metrics: MatchMetrics;
  databaseUrl: string;
  instance: string;
  /** A witness of DockerContract: another account than any keeper's. */
  account: LocalAccount;
};

/**
 * States which nodes are silent, on the instance that leads. It decides by itself, from the absences that the serving
 * instances record, whether a node is lost or match is disconnected. It reads, signs and sends nothing to the chain.
 */
export function startWitness(options: WitnessOptions): void {
  const { context, databaseUrl, pool, instance } = options;
  const lead = async (signal: AbortSignal) => {
    const activeFrom = performance.now() + (await lossGraceMs(pool, instance));
    const view = createLossView(options);
    let forgottenAt = Number.NEGATIVE_INFINITY;
    const loop = startLoop(
      { name: "witness", logger: context.logger, signal, interval: lookMs },
      async () => {
        if (performance.now() < activeFrom) return;
        if (performance.now() - forgottenAt >= forgetMs) {
          await forgetStatements(pool);
          forgottenAt = performance.now();
        }
        await witnessLosses(options, view);
      },
    );
    await loop.done;
  };
  void holdLeadership({
    url: databaseUrl,
    leadership: "witness",
    logger: context.logger,
    signal: context.signal,
    lead,
  });
}

async function witnessLosses(options: WitnessOptions, view: LossView): Promise<void> {
  const { lost, decision } = await view.read();
  // The keepers report the suspicion.
  if (decision === undefined || decision.type === "suspect") return;
  // A node that is not online needs no statement.
  const online = new Set(lost.filter((node) => node.status === "online").map((node) => node.nodeId));
  const leases = decision.release.filter((lease) => online.has(lease.nodeId));
  for (const [at, own] of byContract(options.deployment, "DockerContract", leases, (lease) => lease)) {
    await stateLosses(options, at, [...new Set(own.map((lease) => lease.nodeId))]);
  }
}

async function stateLosses(
  { pool, deployment, account, context, metrics }: WitnessOptions,
  at: Address,
  nodeIds: number[],
): Promise<void> {
  const own = { at, witness: account.address };
  const silent = await readSilent(pool, { ...own, nodeIds });
  if (silent.length === 0) return;
  const statedAt = Math.floor(Date.now() / 1_000);
  const statements = await Promise.all(
    silent.map(async (node) => {
      const statement = { ...node, statedAt: Math.max(statedAt, node.lastHeard) };
      return { ...statement, ...(await signLoss(account, deployment, at, statement)) };
    }),
  );
  await storeStatements(pool, own, statements);
  metrics.lossStatements.inc(statements.length);
  for (const { nodeId, lastHeard } of statements) {
    context.logger.info({ event: "loss_stated", nodeId, lastHeard });
  }
}
