import { dockerContractAbi, escrowAbi, measureAbi, progressAbi } from "@ngpu/contracts-sdk/generated/abi";
import { type Address, encodeAbiParameters, encodeEventTopics, type Hex, keccak256, toHex } from "viem";
import type { StoredLog } from "../../node-client/events.ts";

const abis = [dockerContractAbi, escrowAbi, measureAbi, progressAbi].flat();

/** A log as the chain would return it. */
export function logOf(
  name: string,
  args: Record<string, unknown>,
  place: { blockNumber: bigint; blockHash: Hex; logIndex: number },
): StoredLog {
  const event = abis.find((item) => item.type === "event" && item.name === name);
  if (event?.type !== "event") throw new Error(`no event ${name}`);
  const inputs = event.inputs as readonly { name: string; type: string; indexed?: boolean }[];
  const [first, ...rest] = encodeEventTopics({ abi: [event], eventName: name, args } as never) as Hex[];
  const data = inputs.filter((input) => !input.indexed);
  return {
    address: `0x${"ab".repeat(20)}` as Address,
    topics: [first ?? "0x", ...rest],
    data: encodeAbiParameters(
      data,
      data.map((input) => args[input.name]),
    ),
    ...place,
  };
}

/** A hash that differs between forks. */
export function hashOf(...parts: unknown[]): Hex {
  return keccak256(toHex(parts.join("/")));
}
