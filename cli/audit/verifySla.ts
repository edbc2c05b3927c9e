import { isUnderUptimeRoot, type UptimeLeaf } from "@ngpu/protocol/uptimeTree";
import { InputError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { type AuditedDay, auditDay, dayNumber } from "./dayAudit.ts";
import type { SourceOptions } from "./recompute.ts";
import { printVerdict } from "./verdict.ts";

/** Slots by which one leaf of a false root may differ for it to be found. */
const maxSlots = 60;

/**
 * Recomputes the uptime of a day from an RPC endpoint, and prints whether its root on the chain is the recomputed one. Where one
 * leaf differs, it names it. The exit code is 0 if the root is the same, else 2.
 */
export async function verifySla(text: string, options: SourceOptions & { json: boolean }): Promise<void> {
  const audited = await auditDay(dayNumber(text), options);
  const { day, leaves, tree, posted, asOf } = audited;
  if (posted === null) {
    throw new InputError(`Day ${day} has no uptime root on the chain.`, {
      code: "uptime_root_not_found",
      hint: "A root is posted once the evidence of the day is complete. A disabled root does not count.",
    });
  }
  const root = tree?.root ?? null;
  const checks = { root: root === posted };
  const lie = checks.root ? undefined : falseLeaf(audited, posted);
  printVerdict(options, checks, { day, root, posted, asOf, leaves: leaves.length, lie }, [
    `Day ${day}: the chain has root ${posted}.`,
    `Recomputed from the logs up to block ${asOf.block}: root ${root}, of ${leaves.length} leaves.`,
    ...(lie === undefined ? [] : [lieText(lie)]),
  ]);
}

type Lie = { honest: UptimeLeaf; stated: UptimeLeaf };

/** The leaf that a false root states otherwise, where it is the only one. */
function falseLeaf({ leaves, tree, slotSeconds }: AuditedDay, posted: Hex): Lie | undefined {
  if (tree === null) return undefined;
  for (const [index, honest] of leaves.entries()) {
    const proof = tree.proofOf(index);
    const stated = changesOf(honest, slotSeconds).find((leaf) => isUnderUptimeRoot(posted, leaf, proof));
    if (stated !== undefined) return { honest, stated };
  }
  return undefined;
}

function changesOf(leaf: UptimeLeaf, slotSeconds: number): UptimeLeaf[] {
  const steps = Array.from({ length: maxSlots }, (_, place) => place + 1).flatMap((step) => [step, -step]);
  return steps.flatMap((step): UptimeLeaf[] => {
    if (leaf.kind === "node") {
      const presentSlots = leaf.presentSlots + step;
      return presentSlots < 0 || presentSlots > leaf.totalSlots ? [] : [{ ...leaf, presentSlots }];
    }
    const downSeconds = leaf.downSeconds + step * slotSeconds;
    return downSeconds < 0 ? [] : [{ ...leaf, downSeconds }];
  });
}

function lieText({ honest, stated }: Lie): string {
  if (honest.kind === "node" && stated.kind === "node") {
    const { nodeId, presentSlots, totalSlots } = honest;
    return (
      `The root states that node ${nodeId} was present in ${stated.presentSlots} slots; the logs say ` +
      `${presentSlots} of ${totalSlots}.`
    );
  }
  if (honest.kind !== "lease" || stated.kind !== "lease") return "";
  const { workspaceId, replica, lease, downSeconds } = honest;
  return (
    `The root states that the node of lease ${workspaceId}/${replica}/${lease} was down for ${stated.downSeconds} s; ` +
    `the logs say ${downSeconds} s.`
  );
}
