import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { RewardExplanation } from "@ngpu/rewards/explain";
import { bondReturnsAt } from "./decide.ts";
import type { BondRow, EpochRow } from "./store/rewards.ts";

/* Rewards as the API shows them: amounts in decimal. */

export function explanationOf({ shares, tasks, bond, hardware, ...found }: RewardExplanation) {
  return {
    ...found,
    earned: String(found.earned),
    hardware: {
      judged: hardware.judged,
      declared: digitsOf(hardware.declared),
      proven: digitsOf(hardware.proven),
    },
    shares: shares.map(({ units, unitSlots, classUnitSlots, pot, granted, amount, ...share }) => ({
      ...share,
      units: String(units),
      unitSlots: String(unitSlots),
      classUnitSlots: String(classUnitSlots),
      pot: String(pot),
      granted: String(granted),
      amount: String(amount),
    })),
    tasks: tasks.map(({ workspaceId, amount, ...task }) => ({
      ...task,
      workspaceId: String(workspaceId),
      amount: String(amount),
    })),
    bond: bond && { ...bond, withheld: String(bond.withheld) },
  };
}

export function inStrings<Reward extends Record<"cumulative" | "claimed" | "claimable" | "pending", bigint>>(
  reward: Reward,
) {
  return {
    ...reward,
    cumulative: String(reward.cumulative),
    claimed: String(reward.claimed),
    claimable: String(reward.claimable),
    pending: String(reward.pending),
  };
}

export function bondOf(row: BondRow, periods: Deployment["parameters"], now: number) {
  const bond = { days: row.days, daysNeeded: row.days_needed };
  const returnsAt = bondReturnsAt({ ...bond, throughDay: row.through_day }, periods, now);
  return { nodeId: row.node_id, withheld: String(row.withheld), ...bond, returnsAt };
}

export function epochOf(row: EpochRow) {
  return {
    number: row.number,
    pomc: row.pomc,
    root: row.root,
    total: String(row.total),
    dataHash: row.data_hash,
    activatesAt: row.activates_at,
    disabled: row.disabled,
    tier: row.tier,
  };
}

const digitsOf = ({ cpu, gpu }: { cpu: bigint; gpu: bigint }) => ({ cpu: String(cpu), gpu: String(gpu) });
