import { concatHex, type Hex, keccak256, stringToHex, toHex } from "viem";
import { type Claim, type Committed, commitmentOf } from "./record.ts";

/** The seeds of one device's proof. Each follows from the hash of a later block than the one before. */
export type Seeds = { fill: Hex; chase: Hex; work: Hex };

const label = (of: string) => stringToHex(`ngpu proof 1 ${of}`);

/** The seeds that a claim's blocks give to its node and device. */
export function seedsOf({ nodeId, device, blocks }: Pick<Claim, "nodeId" | "device" | "blocks">): Seeds {
  const owner = concatHex([toHex(nodeId, { size: 8 }), toHex(device, { size: 4 })]);
  const fill = keccak256(concatHex([label("fill"), blocks.fill, owner]));
  return {
    fill,
    chase: keccak256(concatHex([label("chase"), blocks.chase, fill])),
    work: keccak256(concatHex([label("work"), blocks.work, fill])),
  };
}

/** The seed that draws what an answer must open: of a block after the answer's inclusion, and of the answer itself. */
export function auditSeedOf(claim: Pick<Claim, "nodeId" | "device" | "blocks">, answer: Answer): Hex {
  const { fill } = seedsOf(claim);
  return keccak256(concatHex([label("audit"), claim.blocks.audit, fill, commitmentOf(answer)]));
}

type Answer = { chase: Committed; work: Committed };
