import { falseLeaf, type UptimeLie } from "@ngpu/audit/dayAudit";
import { InputError } from "@ngpu/runtime/errors";
import { auditDay, dayNumber } from "./dayAudit.ts";
import type { SourceOptions } from "./recompute.ts";
import { printVerdict } from "./verdict.ts";

/**
 * Recomputes the uptime of a day from an RPC endpoint, and prints whether its root on the chain is the recomputed one. Where one
 * leaf differs, it names it. The exit code is 0 if the root is the same, else 2.
 */
export async function verifySla(text: string, options: SourceOptions & { json: boolean }): Promise<void> {
  const audited = await auditDay(dayNumber(text), options);
  const { day, leaves, tree, asOf } = audited;
  const posted = audited.posted?.root;
  if (posted === undefined) {
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
    ...(lie === undefined ? [] : [uptimeLieText(lie)]),
  ]);
}

/** What a false root states, in words. */
export function uptimeLieText({ honest, stated }: UptimeLie): string {
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
