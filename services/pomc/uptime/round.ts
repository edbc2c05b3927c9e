import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { byContract } from "@ngpu/contracts-sdk/generations";
import type { Database } from "@ngpu/db/pool";
import { uptimeTreeOf } from "@ngpu/protocol/uptimeTree";
import { uptimeLeaves } from "@ngpu/rewards/uptime";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";
import type { Sender } from "@ngpu/tx-sender/send";
import { type Address, keccak256, stringToHex } from "viem";
import { firstBlockTime, lastBlockBefore, safeTime } from "../store.ts";
import {
  dayFacts,
  dayToPost,
  lastDay,
  markRefused,
  type ProvenDowntime,
  refundsDue,
  saveDay,
} from "./store.ts";

type Deps = { pool: Database; sender: Sender; deployment: Deployment; logger: Logger };

/**
 * Closes the days whose presence is final, posts the roots of those that can still be refunded, and submits the refunds of days whose
 * root is active, so that partners receive them without acting.
 */
export async function uptimeRound(deps: Deps): Promise<void> {
  await closeDays(deps);
  await postDay(deps);
  await submitRefunds(deps);
}

async function closeDays({ pool, deployment, logger }: Deps): Promise<void> {
  const { daySeconds, heartbeatWindowSeconds } = deployment.parameters;
  const time = await safeTime(pool);
  const begin = await firstBlockTime(pool);
  const last = await lastDay(pool);
  if (time === null || begin === null) return;
  const newest = BigInt(Math.floor((time - heartbeatWindowSeconds) / daySeconds)) - 1n;
  const oldest = last === null ? BigInt(Math.floor(begin / daySeconds)) : last + 1n;
  for (let day = oldest; day <= newest; day += 1n) {
    const asOf = await lastBlockBefore(pool, (Number(day) + 1) * daySeconds + heartbeatWindowSeconds);
    if (asOf === null) return;
    const leaves = uptimeLeaves(await dayFacts(pool, day, asOf, deployment.parameters));
    const tree = leaves.length === 0 ? undefined : uptimeTreeOf(leaves);
    const downtime = leaves.flatMap((leaf, index): ProvenDowntime[] => {
      if (leaf.kind === "node" || tree === undefined) return [];
      const { kind: _, ...item } = leaf;
      return [{ ...item, proof: tree.proofOf(index) }];
    });
    await saveDay(pool, { day, root: tree?.root ?? null, asOf, downtime });
    logger.info({ event: "uptime_day_closed", day, leaves: leaves.length, refunds: downtime.length });
  }
}

async function postDay({ pool, sender, deployment, logger }: Deps): Promise<void> {
  const due = await dayToPost(pool, deployment.parameters);
  if (due === null) return;
  const { hash } = await sender.send({
    kind: "pomc.commitUptime",
    contract: "ComputeNode",
    functionName: "commitUptime",
    args: [due.day, due.root],
    dedupeKey: `uptime:${due.day}:${due.root}`,
  });
  logger.info({ event: "uptime_posted", day: due.day, root: due.root, txHash: hash });
}

async function submitRefunds({ pool, sender, deployment, logger }: Deps): Promise<void> {
  const due = await refundsDue(pool, deployment.parameters);
  for (const [at, own] of byContract(deployment, "Escrow", due, (item) => item)) {
    await submitRefundsTo({ pool, sender, logger }, at, own);
  }
}

async function submitRefundsTo(
  { pool, sender, logger }: Omit<Deps, "deployment">,
  at: Address,
  due: ProvenDowntime[],
): Promise<void> {
  const items = due.map(({ proof: _, ...item }) => item);
  const { hash, refusals } = await sender.send({
    kind: "pomc.refundDowntime",
    contract: "Escrow",
    at,
    functionName: "refundDowntime",
    args: [items, due.map(({ proof }) => proof)],
    dedupeKey: `refunds:${keccak256(stringToHex(toJson(items)))}`,
  });
  for (const { index, error } of refusals) {
    const item = items[index];
    if (item !== undefined) await markRefused(pool, item, error.name);
  }
  logger.info({ event: "refunds_submitted", refunds: items.length, refused: refusals.length, txHash: hash });
}
