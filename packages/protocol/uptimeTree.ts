import { SimpleMerkleTree } from "@openzeppelin/merkle-tree/dist/simple.js";
import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters } from "viem";

/**
 * The tree of one day's proven uptime. ComputeNode stores its root (`commitUptime`). There are two kinds of leaves; the
 * first word of a leaf is its kind. A leaf is keccak256(keccak256(abi.encode(kind, …fields in the order below))).
 * Pairs are sorted before they are hashed, as in OpenZeppelin's MerkleProof. contracts/libraries/UptimeTree.sol
 * computes the same hashes.
 */

/** Kind 1: the uptime of a node on a day. */
export type NodeUptime = {
  /** Days since 1970, of the deployment's day length. */
  day: bigint;
  nodeId: number;
  /** Slots in which the node was present: committed or disputed, and not challenged. */
  presentSlots: number;
  /** Slots of the day that the chain has a record of for this node: committed for it, disputed or challenged. */
  totalSlots: number;
};

/** Kind 2: the time for which a lease was paid while its node was down. */
export type LeaseDowntime = {
  day: bigint;
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  authorizationId: bigint;
  /** Token units (1e-18) per second. */
  rate: bigint;
  /** Seconds of the day during which the lease ran and its node was not present. */
  downSeconds: number;
};

/** A leaf. A tree lists nodes by id, then leases by workspace, replica and lease. */
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
 * The tree over the leaves of a day, in the given order.
 *
 * @throws RangeError if there is no leaf.
 */
export function uptimeTreeOf(leaves: readonly UptimeLeaf[]): { root: Hex; proofOf(index: number): Hex[] } {
  if (leaves.length === 0) throw new RangeError("A tree has at least one leaf.");
  const tree = SimpleMerkleTree.of(leaves.map(uptimeLeafOf), { sortLeaves: false });
  return { root: tree.root as Hex, proofOf: (index) => tree.getProof(index) as Hex[] };
}

/** Whether a leaf with this proof is under the root. */
export function isUnderUptimeRoot(root: Hex, leaf: UptimeLeaf, proof: readonly Hex[]): boolean {
  return SimpleMerkleTree.verify(root, uptimeLeafOf(leaf), [...proof]);
}

function encodeNode({ day, nodeId, presentSlots, totalSlots }: NodeUptime): Hex {
  return encodeAbiParameters(nodeFields, [1, day, nodeId, presentSlots, totalSlots]);
}

function encodeLease(leaf: LeaseDowntime): Hex {
  const { day, workspaceId, replica, lease, nodeId, authorizationId, rate, downSeconds } = leaf;
  return encodeAbiParameters(leaseFields, [
    2,
    day,
    workspaceId,
    replica,
    lease,
    nodeId,
    authorizationId,
    rate,
    downSeconds,
  ]);
}
