import { concatHex, type Hex, keccak256, stringToHex, toHex } from "viem";
import { z } from "zod";

/** What a node claims about one device, and the blocks of the wave that challenge it. */
export type Claim = {
  nodeId: bigint;
  /** The device's place in the node's list. */
  device: number;
  /** Declared memory. Nine tenths of it are filled. */
  bytes: bigint;
  /** Hashes of the blocks that give the seeds, in the order of the chain. */
  blocks: { fill: Hex; chase: Hex; work: Hex; audit: Hex };
  /** Time between each seed's block and the last block that may include its root. */
  milliseconds: { chase: number; work: number };
  /** Operations a second that the best program does on the declared hardware (`operationsLimit`). */
  operationsLimit: bigint;
};

const committedSchema = z.object({
  lanes: z.int(),
  legs: z.int(),
  root: z.templateLiteral(["0x", z.string().regex(/^[0-9a-f]{64}$/)]),
});

/** The whole answer of a device, as it may come from outside. */
export const resultSchema = z.object({
  chase: committedSchema,
  work: committedSchema,
  transcript: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
});

/** What a device committed to in one part: its legs, under a root that a block includes in time. */
export type Committed = z.infer<typeof committedSchema>;

/** The whole answer of a device. The transcript opens what the audit drew. */
export type Result = z.infer<typeof resultSchema>;

/** Hash of an answer: the leaf of the batch root that a measurer posts. Integers are big-endian, as Solidity packs them. */
export function commitmentOf({ chase, work }: Pick<Result, "chase" | "work">): Hex {
  const part = ({ lanes, legs, root }: Committed) => [
    toHex(lanes, { size: 4 }),
    toHex(legs, { size: 4 }),
    root,
  ];
  return keccak256(concatHex([stringToHex("ngpu proof 1 answer"), ...part(chase), ...part(work)]));
}
