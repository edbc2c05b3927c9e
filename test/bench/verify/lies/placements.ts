import { createAssignmentLogs } from "@ngpu/audit/assignmentLogs";
import { packNodes, unpackNodes } from "@ngpu/protocol/placement/nodeList";
import { countPresence, type PresenceFacts } from "@ngpu/protocol/presence";
import { amount, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { presenceOf } from "@ngpu/rewards/logFacts";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import type { Hex } from "viem";
import { createPlacementJudge, inOrderOfDecision } from "../../../../cli/audit/placementRecords.ts";
import { between, changed, named, type Planted, pick, type Subject } from "./subject.ts";

type Change = (log: ChainLog) => Record<string, unknown>;

/** Assignments of which the keeper states one field otherwise. Each is judged after the honest logs before it. */
export async function* placementLies(subject: Subject, count: number): AsyncGenerator<Planted> {
  const { history, waves } = subject;
  const index = createAssignmentLogs();
  for (const log of history.logs) index.take(log);
  const changes = Object.entries(changesIn(subject));
  const assigned = named(subject, "Assigned");
  const fields = new Map<ChainLog, string>();
  for (let place = 0; place < count; place++) {
    const [field, change] = changes[place % changes.length] as [string, Change];
    const log = pick(subject, assigned);
    fields.set(changed(log, change(log)), field);
  }
  const judge = createPlacementJudge({ history, waves, index });
  for (const assignment of await inOrderOfDecision(history, [...fields.keys()])) {
    const { record } = await judge(assignment);
    const id = leaseKey(assignment.assigned.args);
    yield { field: fields.get(assignment.assigned) ?? "", kind: "placement", id, record };
  }
}

function changesIn(subject: Subject): Record<string, Change> {
  const nodes = named(subject, "NodeRegistered").length;
  const faithful = faithfulNodes(subject, nodes);
  const published = new Map(
    named(subject, "WorkspacePublished").map(({ args, block }) => [args.workspaceId, block]),
  );
  return {
    nodeId: ({ args }) => ({ nodeId: 1 + ((number(args.nodeId) + between(subject, 0, nodes - 2)) % nodes) }),
    pricePerSecond: ({ args }) => ({
      pricePerSecond: amount(args.pricePerSecond) + pick(subject, [-1n, 1n]),
    }),
    // Before the workspace was published, or when the assignment was on the chain.
    decidedAt: ({ args, block }) => ({
      decidedAt:
        subject.random() < 0.5
          ? (published.get(args.workspaceId) ?? 0n) - BigInt(between(subject, 1, 9))
          : block + BigInt(between(subject, 0, 9)),
    }),
    position: ({ args }) => ({ position: number(args.position) + between(subject, 1, 3) }),
    // A node that the chain has nothing against.
    excluded: ({ args }) => {
      const listed = unpackNodes(args.excluded as Hex) ?? [];
      const others = faithful.filter((nodeId) => !listed.includes(nodeId) && nodeId !== args.nodeId);
      return { excluded: packNodes([...listed, pick(subject, others)]) };
    },
  };
}

/** Nodes that were present all day, never changed their status, and lost no lease. */
function faithfulNodes({ history: { logs, upTo } }: Subject, nodes: number): number[] {
  const seen = new Set<number>();
  for (const { name, args } of logs)
    if (["NodeStatusChanged", "Released", "DeleteRequested"].includes(name)) seen.add(number(args.nodeId));
  const slots = logs
    .filter(({ name }) => name === "HeartbeatsCommitted")
    .map(({ args }) => number(args.slot));
  const range = { firstSlot: Math.min(...slots), endSlot: Math.max(...slots) + 1 };
  const facts: PresenceFacts = presenceOf(logs, upTo, range);
  countPresence({ ...facts, disputes: [] }, (nodeId) => seen.add(nodeId));
  return Array.from({ length: nodes }, (_, place) => place + 1).filter((nodeId) => !seen.has(nodeId));
}
