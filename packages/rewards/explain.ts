import { formatEther } from "viem";
import { sum } from "./amounts.ts";
import { classNames, cpuClass } from "./catalogue.ts";
import type { ExplainedDocument as Document } from "./explainedDocument.ts";

export type RewardExplanation = {
  nodeId: number;
  epoch: number;
  account: string | null;
  /** Earned in the epoch, before the bond; token units (1e-18). */
  earned: bigint;
  /** Slots of the epoch in which the node was present, and those that count. */
  slots: { present: number; counted: number };
  /** Whether a valid measurement reached it at a mapped port. */
  reached: boolean;
  /** Units that it declared and that waves proved; a newcomer is not judged yet. */
  hardware: Pick<Document["nodes"][number], "judged" | "declared" | "proven">;
  /** From its proven units to its share, for each class. Amounts in token units. */
  shares: RewardShare[];
  /** Of its leases. */
  tasks: { workspaceId: bigint; replica: number; lease: number; amount: bigint }[];
  /** What is withheld of its first rewards; null: nothing. */
  bond: { withheld: bigint; days: number; daysNeeded: number; served: boolean } | null;
  /** One sentence for each term, with its figures. */
  sentences: string[];
};

/** A share: of what the class grants, as many parts as the node has unit-slots of all unit-slots of the class. */
export type RewardShare = {
  class: string;
  units: bigint;
  unit: "millicores" | "MiB";
  slots: number;
  unitSlots: bigint;
  classUnitSlots: bigint;
  pot: bigint;
  granted: bigint;
  amount: bigint;
};

const ngpu = (amount: bigint) => `${formatEther(amount)} NGPU`;
const plural = (count: number | bigint, noun: string) => `${count} ${noun}${BigInt(count) === 1n ? "" : "s"}`;

/** Explains what a node earned in an epoch, from the epoch's document; undefined when the epoch does not list the node. */
export function explainReward(document: Document, nodeId: number): RewardExplanation | undefined {
  const node = document.nodes.find((one) => one.nodeId === nodeId);
  if (node === undefined) return undefined;
  const shares = document.shares.filter((one) => one.nodeId === nodeId);
  const tasks = document.tasks.filter((one) => one.nodeId === nodeId);
  const earned = sum([...shares.map(({ amount }) => amount), ...tasks.map(({ nodeAmount }) => nodeAmount)]);
  return {
    nodeId,
    epoch: document.number,
    account: node.account,
    earned,
    slots: { present: node.present, counted: node.counted },
    reached: node.reached,
    hardware: { judged: node.judged, declared: node.declared, proven: node.proven },
    shares: shares.flatMap((share) => shareOf(document, share)),
    tasks: tasks.map(({ workspaceId, replica, lease, nodeAmount }) => ({
      workspaceId,
      replica,
      lease,
      amount: nodeAmount,
    })),
    bond: bondOf(document, nodeId),
    sentences: [
      `Node ${nodeId} was present in ${plural(node.present, "slot")} of epoch ${document.number}; ${node.counted} of them ` +
        "count, in which it was Online at a price at or under the ceiling throughout.",
      node.reached
        ? "A valid measurement reached it at a mapped port."
        : "No valid measurement reached it at a mapped port, so it has no share.",
      hardwareSentence(node),
      ...shares.flatMap((share) => shareSentences(document, share)),
      ...tasks.map((task) => taskSentence(document, task)),
      ...bondSentences(document, nodeId),
      `It earned ${ngpu(earned)} in this epoch, for ${node.account}.`,
    ],
  };
}

function shareOf(
  { classes }: Document,
  { class: place, units: own, slots, amount }: Document["shares"][number],
): RewardShare[] {
  const found = classes.find((one) => one.class === place);
  if (found === undefined) return [];
  const { weight: classUnitSlots, pot, granted } = found;
  return [
    {
      class: classNames[place] ?? `class ${place}`,
      unit: place === cpuClass ? "millicores" : "MiB",
      units: own,
      slots,
      unitSlots: own * BigInt(slots),
      classUnitSlots,
      pot,
      granted,
      amount,
    },
  ];
}

function bondOf({ number, bonds, bond }: Document, nodeId: number): RewardExplanation["bond"] {
  const own = bonds.find((one) => one.nodeId === nodeId);
  if (own === undefined) return null;
  const { withheld, days, servedIn } = own;
  return { withheld, days, daysNeeded: bond.days, served: servedIn === number };
}

function hardwareSentence({ judged, declared, proven }: Document["nodes"][number]): string {
  const text = ({ cpu, gpu }: { cpu: bigint; gpu: bigint }) =>
    `${cpu} thousandths of a core and ${gpu} MiB of GPU memory`;
  return (
    `It declared ${text(declared)}; waves proved ${text(proven)} of that, which is what counts while no tenant has it.` +
    (judged ? "" : " Fewer waves than a proof takes were held since it registered, so it is a newcomer.")
  );
}

function shareSentences(
  { emission, terms, classes }: Document,
  { class: place, units: own, slots, amount }: Document["shares"][number],
): string[] {
  const pot = classes.find((one) => one.class === place);
  const { weight, rate } = terms.classes[place] ?? { weight: 0n, rate: 0n };
  if (pot === undefined) return [];
  const name = classNames[place] ?? `class ${place}`;
  const unit = place === cpuClass ? "thousandths of a core" : "MiB of GPU memory";
  const parts = 10_000 - terms.measurerBasisPoints - terms.taskBasisPoints;
  return [
    `Class ${name}: the pot is ${ngpu(pot.pot)}, which is the emission of ${ngpu(emission)} × ${parts} ÷ 10,000 × ${weight} ÷ 1,000,000.`,
    `All nodes of the class together have ${pot.weight} unit-slots. At ${rate} token units for each, at most the pot, ` +
      `${ngpu(pot.granted)} are granted.`,
    `Its ${own} units (${unit}) in ${plural(slots, "slot")} are ${own * BigInt(slots)} unit-slots, so its share is ${ngpu(amount)}.`,
  ];
}

function taskSentence({ terms }: Document, task: Document["tasks"][number]): string {
  const { workspaceId, replica, lease, incentive, nodeAmount, feeBasisPoints } = task;
  return (
    `Lease ${workspaceId}/${replica}/${lease} earned a task incentive of ${ngpu(incentive)}, at most the fee of ` +
    `${feeBasisPoints} hundredths of a percent that it burned; the node's part of ${terms.nodeTaskBasisPoints} ÷ 10,000 is ${ngpu(nodeAmount)}.`
  );
}

function bondSentences({ number, bonds, bond }: Document, nodeId: number): string[] {
  const own = bonds.find((one) => one.nodeId === nodeId);
  if (own === undefined) return [];
  if (own.servedIn === number)
    return [`Its bond was served after ${plural(own.days, "day")} and is returned in this epoch.`];
  return [
    `Of its first rewards ${ngpu(own.withheld)} are withheld as its bond: up to ${ngpu(bond.amount)} or ${bond.epochs} times its ` +
      `highest reward of an epoch (${ngpu(own.highest)}), until it has served ${plural(bond.days, "day")}; it has served ${own.days}.`,
  ];
}
