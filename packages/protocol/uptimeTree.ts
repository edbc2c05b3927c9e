import { SimpleMerkleTree } from "@openzeppelin/merkle-tree";
import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters } from "viem";

/**
 * The tree of one day's proven uptime, whose root ComputeNode keeps (`commitUptime`). Two kinds of leaf, told apart by their
 * first word; each is keccak256(keccak256(abi.encode(kind, …fields in the order below))), and pairs are sorted before they
 * are hashed, as OpenZeppelin's MerkleProof has it. contracts/libraries/UptimeTree.sol hashes the same.
 */

/** Kind 1: how much of a day a node was present. */
export type NodeUptime = {
  /** Days since 1970, of the deployment's day length. */
  day: bigint;
  nodeId: number;
  /** Slots in which it was present: committed or disputed, and not challenged. */
  presentSlots: number;
  /** Slots of the day that the chain has a word of for this node: committed with it among the nodes, or disputed. */
  totalSlots: number;
};

/** Kind 2: for how long a lease was paid for while its node was down. */
export type LeaseDowntime = {
  day: bigint;
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  authorizationId: bigint;
  /** Token units (1e-18) a second. */
  rate: bigint;
  /** Seconds of the day in which the lease ran and its node was not present. */
  downSeconds: number;
};

/** The tree's leaves: nodes by id, then leases by workspace, replica and lease. */
export type UptimeLeaf = ({ kind: "node" } & NodeUptime) | ({ kind: "lease" } & LeaseDowntime);

const nodeFields = parseAbiParameters(
  "uint8 kind, uint64 day, uint32 nodeId, uint32 presentSlots, uint32 totalSlots",
);
const leaseFields = parseAbiParameters(
  "uint8 kind, uint64 day, uint64 workspaceId, uint16 replica, uint32 lease, uint32 nodeId, uint64 authorizationId, uint64 rate, uint32 downSeconds",
);

export function uptimeLeafOf(leaf: UptimeLeaf): Hex {
  return keccak256(keccak256(leaf.kind === "node" ? encodeNode(leaf) : encodeLease(leaf)));
}

/**
 * The tree over a day's leaves, in the order given.
 *
 * @throws RangeError for no leaves.
 */
export function uptimeTreeOf(leaves: readonly UptimeLeaf[]): { root: Hex; proofOf(index: number): Hex[] } {
  if (leaves.length === 0) throw new RangeError("A tree has at least one leaf.");
  const tree = SimpleMerkleTree.of(leaves.map(uptimeLeafOf), { sortLeaves: false });
  return { root: tree.root as Hex, proofOf: (index) => tree.getProof(index) as Hex[] };
}

function encodeNode({ day, nodeId, presentSlots, totalSlots }: NodeUptime): Hex {
  return encodeAbiParameters(nodeFields, [1, day, nodeId, presentSlots, totalSlots]);
}

function encodeLease(leaf: LeaseDowntime): Hex {
  const { day, workspaceId, replica, lease, nodeId, authorizationId, rate, downSeconds } = leaf;
  return encodeAbiParameters(leaseFields, [
    ...([2, day, workspaceId, replica, lease, nodeId, authorizationId, rate] as const),
    downSeconds,
  ]);
}
