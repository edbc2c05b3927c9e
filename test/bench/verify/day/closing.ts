import { auditDayOfLogs, settledAt } from "@ngpu/audit/dayAudit";
import { closeNext, nothingClosed } from "@ngpu/audit/epochAudit";
import { hashDocument } from "@ngpu/rewards/document";
import { windowOf } from "@ngpu/rewards/epochs";
import { sortLogs } from "@ngpu/rewards/logFacts";
import { judgedWaves } from "@ngpu/waves/history";
import { pad } from "viem";
import { leaseKey, makeBatch, type ServedTask } from "../../../../services/pomc/taskReceipts/decide.ts";
import { type GeneratedLease, settle } from "./leaseSteps.ts";
import type { Market } from "./market.ts";
import { sortedLogs } from "./market.ts";

const hour = 3_600;
/** Leases whose tasks get receipts in an hour: a batch has at most 512. */
const leasesOfBatch = 400;

/** Writes a batch of receipts an hour, for tasks of leases that ran. */
export function writeReceipts(market: Market, leases: readonly GeneratedLease[]): void {
  const { add, blockAt, timeOf, dayBegin, dayEnd, random } = market;
  let number = 0n;
  for (let time = dayBegin + hour; time <= dayEnd; time += hour) {
    const block = blockAt(time) - 1;
    const running = leases.filter(({ from, to }) => from < block - 60 && (to === undefined || to > block));
    const share = leasesOfBatch / Math.max(1, running.length);
    const chosen = running.filter(() => random() < share);
    const before = new Map(chosen.map((own) => [own, own.paid]));
    for (const own of chosen) settle(market, own, block - 1);
    const tasks = chosen.flatMap((own) => tasksOf(own, timeOf(block)));
    const sums = sumsOf(chosen, before);
    const batch = makeBatch(tasks, sums);
    if (batch === undefined) continue;
    number += 1n;
    const { root, total, leaseTotals, payerTotals } = batch;
    add("Pomc", "ReceiptsCommitted", block, { number, root, total, leaseTotals, payerTotals });
  }
}

/** Paid since the settlement before. */
function sumsOf(leases: readonly GeneratedLease[], before: ReadonlyMap<GeneratedLease, bigint>) {
  const sums = {
    leases: new Map<string, bigint>(),
    payers: new Map<string, bigint>(),
    nodes: new Map<number, bigint>(),
  };
  for (const own of leases) {
    const { ids } = own;
    const paid = own.paid - (before.get(own) ?? 0n);
    sums.leases.set(leaseKey(ids), paid);
    sums.payers.set(own.owner, (sums.payers.get(own.owner) ?? 0n) + paid);
    sums.nodes.set(ids.nodeId, (sums.nodes.get(ids.nodeId) ?? 0n) + paid);
  }
  return sums;
}

function tasksOf({ ids, owner, rate }: GeneratedLease, time: number): ServedTask[] {
  return [1, 2].map((place) => ({
    id: `${leaseKey(ids)}/${time}/${place}`,
    payer: owner,
    ...ids,
    finishedAt: BigInt(time - place) * 1_000n,
    durationMs: 40_000 * place,
    succeeded: true,
    resultHash: pad("0x1"),
    rate,
    pending: false,
  }));
}

/** Posts the day's uptime and its refunds, and the root of every epoch, each when its evidence is complete. */
export async function writeRoots(market: Market): Promise<void> {
  const { add, blockAt, clock, deployment, dayBegin, dayEnd, upTo } = market;
  const { parameters } = deployment;
  const logs = sortedLogs(market.logs);
  const day = BigInt(dayBegin / parameters.daySeconds);
  const { leaves, tree } = await auditDayOfLogs(logs, { day, clock, parameters });
  const activeAt = settledAt(day, parameters) + parameters.uptimeDelay;
  const root = tree?.root ?? pad("0x");
  add("ComputeNode", "UptimeCommitted", blockAt(settledAt(day, parameters)) + 1, { day, root, activeAt });
  const owners = new Map(
    logs
      .filter(({ name }) => name === "Authorized")
      .map(({ args }) => [args.authorizationId, args.owner] as const),
  );
  for (const leaf of leaves) {
    if (leaf.kind === "node") continue;
    const { workspaceId, nodeId, replica, lease, downSeconds, authorizationId } = leaf;
    const ids = { workspaceId, nodeId, replica, lease, day, downSeconds };
    const amount = BigInt(downSeconds) * leaf.rate;
    add("Escrow", "Refunded", blockAt(activeAt) + 1, { ...ids, owner: owners.get(authorizationId), amount });
  }
  const waves = judgedWaves(logs, parameters.waves, BigInt(upTo));
  const history = { deployment, logs: sortLogs(logs), waves, clock };
  let before = nothingClosed;
  for (let number = 1; windowOf(number, parameters).endsAt <= dayEnd; number++) {
    const closed = await closeNext(history, before);
    before = closed.closed;
    const total = closed.leaves.reduce((sum, { cumulative }) => sum + cumulative, 0n);
    if (closed.root === null) continue;
    const at = windowOf(number, parameters).settledAt;
    add("Pomc", "EpochPosted", blockAt(at) + 1, {
      number: BigInt(number),
      root: closed.root,
      total,
      dataHash: hashDocument(closed.document),
      activatesAt: at + parameters.activationDelay,
    });
  }
}
