import type { AbiEvent, AbiParameter, Hex } from "viem";
import { maxUint256, stringToHex, zeroAddress } from "viem";
import { enumNames } from "../../../services/autoExport/enums.ts";
import type { EventTable } from "../../../services/autoExport/schema.ts";
import { encodeEvent, type ScriptedLog, testContracts } from "../../packages/chain-reader/scriptedChain.ts";
import { word } from "../autoExport/fixtures.ts";

/**
 * Fields that no outsider chooses: ids that a contract counts, the window of slots that it checks, and what the keys of the market
 * send.
 */
const chosenByTheMarket: Record<string, (id: number) => unknown> = {
  workspaceId: BigInt,
  nodeId: Number,
  authorizationId: BigInt,
  roundId: BigInt,
  measurerId: Number,
  lease: () => 1,
  slot: () => 1n,
  firstSlot: () => 1n,
  lastSlot: () => 1n,
  // Heartbeats: nodes 1 to 3 are present.
  nodeCount: () => 3,
  encoding: () => 0,
  bits: () => "0x07",
};

/** Values that leave a record valid, so that services use it. */
const valid: Record<string, unknown> = { expiresAt: 2 ** 40 - 1, expiry: 2 ** 40 - 1, absent: false };

export const outsider: Hex = word(0xbad, 20);
const config = '{"image":"outsider.test/name","ports":[80]}';

/** A field of an event, by the names that lead to it. */
export type Field = { path: string[]; parameter: AbiParameter };

/** Every field of an event that an outsider may choose; the fields of structs one by one. */
export function fieldsOf({ abi }: EventTable): Field[] {
  return leaves(abi.inputs, []).filter(({ path }) => !((path.at(-1) ?? "") in chosenByTheMarket));
}

function leaves(parameters: readonly AbiParameter[], before: string[]): Field[] {
  return parameters.flatMap((parameter) => {
    const path = [...before, parameter.name ?? ""];
    return "components" in parameter && parameter.type === "tuple"
      ? leaves(parameter.components, path)
      : [{ path, parameter }];
  });
}

/**
 * A plausible event of the outsider, with other values in some fields.
 *
 * @param id Of its node, workspace, authorization, round and measurer.
 */
export function eventOf(
  { abi, contract, selector }: EventTable,
  id: number,
  changes: readonly { field: Field; value: unknown }[] = [],
): ScriptedLog {
  const args = Object.fromEntries(abi.inputs.map((input) => [input.name, usual(input, id)]));
  for (const { field, value } of changes) {
    const last = field.path.at(-1) as string;
    const holder = field.path.slice(0, -1).reduce((inner, name) => inner[name] as typeof args, args);
    holder[last] = value;
  }
  const log = encodeEvent(testContracts[contract as keyof typeof testContracts], rawText(abi), args);
  // The event's own selector, which names `string`.
  return { ...log, topics: [selector, ...log.topics.slice(1)] };
}

/** The same event with `bytes` for each `string`: encoded alike, and able to hold what is not UTF-8. */
function rawText(abi: AbiEvent): AbiEvent {
  const raw = (parameter: AbiParameter): AbiParameter => ({
    ...parameter,
    type: parameter.type.replace(/^string/, "bytes"),
    ...("components" in parameter ? { components: parameter.components.map(raw) } : {}),
  });
  return { ...abi, inputs: abi.inputs.map(raw) as AbiEvent["inputs"] };
}
function usual(parameter: AbiParameter, id: number): unknown {
  const { name = "", type } = parameter;
  const chosen = chosenByTheMarket[name];
  // A word of receipts has the same nodes as a slot's list of bytes.
  if (name === "bits" && type === "bytes32") return `0x07${"00".repeat(31)}`;
  if (chosen !== undefined) return chosen(id);
  if (name in valid) return valid[name];
  if ("components" in parameter && type === "tuple") {
    return Object.fromEntries(parameter.components.map((inner) => [inner.name, usual(inner, id)]));
  }
  if (type.endsWith("]")) return [];
  if (type === "string") return name === "config" ? stringToHex(config) : stringToHex("text");
  if (type === "address") return outsider;
  if (type === "bool") return true;
  if (type === "bytes") return "0xff";
  const bytes = /^bytes(\d+)$/.exec(type);
  if (bytes !== null) return word(7, Number(bytes[1]));
  return Number(type.replace(/\D/g, "")) > 48 ? 1n : 1;
}

const texts: Hex[] = [
  "0x",
  "0x00",
  "0xff",
  // A surrogate and an overlong form, neither of them UTF-8; then the end of COPY's data.
  "0xeda080c0aff8888080",
  stringToHex("\\.\n\t\\N\r"),
  stringToHex("\0".repeat(10_000)),
  stringToHex("x".repeat(300_000)),
  stringToHex("[".repeat(100_000)),
  stringToHex(
    `{"image":"outsider.test/name","ports":[80],"placement":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
  ),
  stringToHex('{"image":"outsider.test/\\u0000\\ud800","ports":[80]}'),
  stringToHex(
    '{"image":"outsider.test/name","ports":[80],"placement":{"minDownMbps":1e308,"maxLatencyMs":60000}}',
  ),
];

/** The extremes of a field's type: zero, one, the highest value of each sign, any bytes, and absurd lengths. */
export function extremesOf({ parameter }: Field): unknown[] {
  const { type } = parameter;
  const names = enumNames(parameter.internalType);
  if (names !== undefined) return [...names.keys(), 255];
  const array = /^(.*)\[\]$/.exec(type);
  if (array !== null) {
    const items = extremesOf({ path: [], parameter: { ...parameter, type: array[1] as string } });
    return [[], items, Array(1_000).fill(items.at(-1))];
  }
  if (type === "string" || type === "bytes") return texts;
  if (type === "address") return [zeroAddress, word(2n ** 160n - 1n, 20)];
  if (type === "bool") return [true, false];
  const bytes = /^bytes(\d+)$/.exec(type);
  if (bytes !== null) {
    const size = Number(bytes[1]);
    return [0n, 1n, 0x41n, 2n ** BigInt(8 * size) - 1n, 2n ** BigInt(8 * size - 1)].map((value) =>
      word(value, size),
    );
  }
  const bits = BigInt(type.replace(/\D/g, "") || 256);
  const all = [
    0n,
    1n,
    2n ** (bits - 1n) - 1n,
    2n ** (bits - 1n),
    bits === 256n ? maxUint256 : 2n ** bits - 1n,
  ];
  return all.map((value) => (bits > 48n ? value : Number(value)));
}
