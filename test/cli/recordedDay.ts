import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { type UptimeLeaf, uptimeTreeOf } from "@ngpu/protocol/uptimeTree";
import { type Hex, pad } from "viem";
import { deploymentDocument } from "../services/support/deployment.ts";
import { at, blockAt, genesis, type Placed, slotSeconds } from "./recordedMarket.ts";

const { daySeconds, heartbeatWindowSeconds } = deploymentDocument.parameters;
export const day = BigInt(Math.floor(genesis / daySeconds) + 1);
export const begin = Number(day) * daySeconds;
export const first = begin / slotSeconds;
export const end = blockAt(begin + daySeconds + heartbeatWindowSeconds) + 1;
export const owner = pad("0xa11ce", { size: 20 });
export const rate = 5n;

export const ref = { workspaceId: 1n, nodeId: 1, replica: 0, lease: 1 };
export const leaf = { day, ...ref, authorizationId: 9n, rate };

/** Nodes 1 and 2 in six slots. Node 1 is down in two of them, and its lease ran from the middle of the first of these. */
export const history: Placed[] = [
  at(1, "Escrow", "Authorized", {
    authorizationId: 9n,
    owner,
    delegate: owner,
    maxRate: 9n,
    daily: 10n ** 9n,
    total: 10n ** 9n,
    scope: pad("0x"),
    expiry: 2 ** 39,
  }),
  at(2, "Escrow", "LeaseOpened", { ...ref, authorizationId: 9n, rate, lock: 50n }),
  at(blockAt(begin + 2 * slotSeconds + 4), "Escrow", "LeaseClockSet", { ...ref, clock: 2, since: 0 }),
  ...[[1, 2], [1, 2], [2], [2], [1, 2], [1]].map((present, place) => {
    const { encoding, bits } = encodeHeartbeats(2, new Set(present));
    return at(blockAt(begin + (place + 1) * slotSeconds), "ComputeNode", "HeartbeatsCommitted", {
      slot: BigInt(first + place),
      encoding: encoding === "bitmap" ? 0 : 1,
      nodeCount: 2,
      bits,
    });
  }),
  at(blockAt(begin + 80), "Escrow", "LeaseClosed", { ...ref, reason: 0 }),
];
// From 24 s on in the slot from 20 s to 30 s, and the whole slot after it.
export const honest: UptimeLeaf[] = [
  { kind: "node", day, nodeId: 1, presentSlots: 4, totalSlots: 6 },
  { kind: "node", day, nodeId: 2, presentSlots: 5, totalSlots: 6 },
  { kind: "lease", ...leaf, downSeconds: 16 },
];

export const posted = (leaves: UptimeLeaf[], block = end) =>
  at(block, "ComputeNode", "UptimeCommitted", { day, root: uptimeTreeOf(leaves).root, activeAt: 0 });
export const refunded = (
  changes: { downSeconds?: number; amount?: bigint; owner?: Hex } = {},
  block = end + 9,
) => at(block, "Escrow", "Refunded", { ...ref, owner, day, downSeconds: 16, amount: 80n, ...changes });
