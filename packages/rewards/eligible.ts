import { countPresence, type PresenceFacts } from "@ngpu/protocol/presence";
import { smaller, sum } from "./amounts.ts";
import { type Catalogue, cpuClass } from "./catalogue.ts";
import type { Claimant } from "./share.ts";
import type { RewardTerms } from "./terms.ts";
import { ceilingOf, declaredUnits, type Hardware, type NodeProof, type Units, unitsOf } from "./units.ts";

/** A state of a node. Times are Unix seconds of blocks; `to` is null while it lasts. */
export type NodeVersion = Hardware & {
  from: number;
  to: number | null;
  online: boolean;
  pricePerSecond: bigint;
};

export type NodeHistory = {
  nodeId: number;
  /** The account that receives the reward: the wallet bound at the epoch's last block, or else the node's key. */
  account: string;
  /** Whether a valid measurement reached the node at a mapped port. */
  reached: boolean;
  /** What waves proved of it by the epoch's last block. */
  proof: NodeProof;
  /** The states that it had within the epoch's slots, in order. */
  versions: NodeVersion[];
};

/** A node of an epoch: the slots in which it was present, and those of them that count. */
export type CountedNode = {
  nodeId: number;
  account: string;
  reached: boolean;
  present: number;
  counted: number;
  /** Whether waves have judged it; until then it is a newcomer. */
  judged: boolean;
  /** Units that it declared at the end, and that it proved, of its CPU and its GPUs. */
  declared: { cpu: bigint; gpu: bigint };
  proven: { cpu: bigint; gpu: bigint };
};

type Facts = {
  histories: readonly NodeHistory[];
  presence: PresenceFacts;
  slotSeconds: number;
  terms: RewardTerms;
  catalogue: Catalogue;
};

/**
 * The nodes that earn, with their units and slots. A slot counts if the node was present, and Online at a price at or under
 * the ceiling throughout it. If its hardware changed, the smallest units of the states that count are used. A
 * device that did not answer the last wave earns nothing here, so names never earn more than the cards behind them. If a
 * tenant kept it from the wave, its tenant pays for it.
 */
export function claimantsOf(facts: Facts): { nodes: CountedNode[]; claimants: Claimant[] } {
  const { histories, presence, terms } = facts;
  const ceilings = terms.classes.map(({ ceiling }) => ceiling);
  const judged = histories.map((history) => ({ history, ...judge(history, facts, ceilings) }));
  const present = countPresence(presence);
  const excluded = judged.flatMap((one) => one.excluded);
  // A slot that does not count is treated as an absence.
  const counted =
    excluded.length === 0
      ? present
      : countPresence({ ...presence, challenges: [...presence.challenges, ...excluded] });
  const nodes = histories.map((history) => ({
    nodeId: history.nodeId,
    account: history.account,
    reached: history.reached,
    present: present.get(history.nodeId)?.presentSlots ?? 0,
    counted: counted.get(history.nodeId)?.presentSlots ?? 0,
    ...comparedUnits(history, facts.catalogue),
  }));
  const claimants = judged.flatMap(({ history: { nodeId, account, reached }, units }, place): Claimant[] => {
    const slots = nodes[place]?.counted ?? 0;
    if (!reached || slots === 0) return [];
    return [...units].map(([own, amount]) => ({ nodeId, account, class: own, units: amount, slots }));
  });
  return { nodes, claimants };
}

type Excluded = PresenceFacts["challenges"][number];

/** The slots in which a node does not earn, and its units in the others. */
function judge(
  { nodeId, versions, proof }: NodeHistory,
  { presence, slotSeconds, catalogue }: Facts,
  ceilings: readonly bigint[],
): { units: Units; excluded: Excluded[] } {
  const excluded: Excluded[] = [];
  let units: Units | undefined;
  for (const version of versions) {
    const ceiling = ceilingOf(unitsOf(version, proof, catalogue), ceilings);
    const own = unitsOf(version, proof, catalogue, ({ earns }) => earns);
    if (version.online && version.pricePerSecond <= ceiling) {
      units = units === undefined ? own : smallest(units, own);
      continue;
    }
    const firstSlot = Math.max(presence.firstSlot, Math.floor(version.from / slotSeconds));
    const end = version.to === null ? presence.endSlot : Math.ceil(version.to / slotSeconds);
    const lastSlot = Math.min(presence.endSlot, end) - 1;
    if (lastSlot >= firstSlot) excluded.push({ nodeId, firstSlot, lastSlot });
  }
  return { units: units ?? new Map(), excluded };
}

/** What a node declared in its last state, and what of its devices is proven. */
function comparedUnits(
  { versions, proof }: NodeHistory,
  catalogue: Catalogue,
): Pick<CountedNode, "judged" | "declared" | "proven"> {
  const last = versions.at(-1);
  const declared = last === undefined ? { cpu: 0n, gpu: 0n } : declaredUnits(last);
  const known = last === undefined ? new Map() : unitsOf(last, { ...proof, judged: true }, catalogue);
  const cpu: bigint = known.get(cpuClass) ?? 0n;
  return { judged: proof.judged, declared, proven: { cpu, gpu: sum([...known.values()]) - cpu } };
}

function smallest(a: Units, b: Units): Units {
  return new Map(
    [...a].flatMap(([place, amount]) => {
      const other = b.get(place);
      return other === undefined ? [] : [[place, smaller(amount, other)] as const];
    }),
  );
}
