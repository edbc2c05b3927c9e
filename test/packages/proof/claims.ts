import { keccak256, stringToHex } from "viem";
import type { Claim } from "../../../packages/proof/record.ts";

/** Hash of a block that only a test has. */
export const blockHash = (name: string) => keccak256(stringToHex(name));

/** A claim of 4 MiB whose hardware can make up no read, unless the test says so. */
export function claimOf(given: Partial<Claim> = {}): Claim {
  return {
    nodeId: 7n,
    device: 0,
    bytes: 2n ** 22n,
    blocks: {
      fill: blockHash("fill"),
      chase: blockHash("chase"),
      work: blockHash("work"),
      audit: blockHash("audit"),
    },
    milliseconds: { chase: 8_000, work: 4_000 },
    operationsLimit: 1n,
    ...given,
  };
}
