import { type Hardware, operationsLimitOf } from "@ngpu/proof/hardware";
import { gpuModels } from "@ngpu/proof/models";
import type { Proven } from "@ngpu/proof/proven";
import { type Hex, hexToBigInt, keccak256, slice, stringToHex, toHex } from "viem";

/** A device as its node's key claims it: its figures, and the hardware that bounds what it can make up. */
export type ClaimedDevice = {
  figures: Proven;
  hardware: { kind: "cpu"; cores: number } | { kind: "gpu"; modelHash: Hex };
};

const mebibyte = 2n ** 20n;
const million = 1_000_000n;
const most32 = 2n ** 32n - 1n;

/**
 * The word of a device in a claim, in bits:
 * | - 88 | kind 8 | hardware 64 | memory in MiB 32 | MB/s 32 | millions of operations a second 32 |.
 * Kind 0 is a CPU with its number of cores, kind 1 a GPU with the first 8 bytes of the hash of its model's name.
 */
export function encodeDevice({ figures, hardware }: ClaimedDevice): Hex {
  const [kind, of] =
    hardware.kind === "cpu" ? [0n, BigInt(hardware.cores)] : [1n, hexToBigInt(hardware.modelHash)];
  const parts = [
    of,
    figures.bytes / mebibyte,
    figures.bytesPerSecond / million,
    figures.operationsPerSecond / million,
  ];
  return toHex(
    parts.reduce((word, part, index) => (word << (index === 0 ? 64n : 32n)) | capped(part, index), kind),
    { size: 32 },
  );
}

/** Reads the word of a device. Bits that have no meaning are ignored, and an unknown kind is a GPU without a model. */
export function decodeDevice(word: Hex): ClaimedDevice {
  const value = hexToBigInt(word);
  const part = (shift: bigint) => (value >> shift) & most32;
  const figures = {
    bytes: part(64n) * mebibyte,
    bytesPerSecond: part(32n) * million,
    operationsPerSecond: part(0n) * million,
  };
  const of = (value >> 96n) & (2n ** 64n - 1n);
  const isCpu = ((value >> 160n) & 0xffn) === 0n;
  const hardware: ClaimedDevice["hardware"] = isCpu
    ? { kind: "cpu", cores: Number(of & 0xffffn) }
    : { kind: "gpu", modelHash: toHex(of, { size: 8 }) };
  return { figures, hardware };
}

/** The first 8 bytes of the hash of a model's name, as a node's spec has it. */
export function modelHashOf(name: string): Hex {
  return slice(keccak256(stringToHex(name)), 0, 8);
}

const modelsByHash = new Map(gpuModels.map(({ name }) => [modelHashOf(name), name]));

/** Operations a second that no program exceeds on the claimed hardware. A CPU without cores has one. */
export function operationsLimitBy({ hardware }: Pick<ClaimedDevice, "hardware">): bigint {
  const declared: Hardware =
    hardware.kind === "cpu"
      ? { kind: "cpu", cores: Math.max(1, hardware.cores) }
      : { kind: "gpu", model: modelsByHash.get(hardware.modelHash) ?? "" };
  return operationsLimitOf(declared);
}

/** The name of the model with this hash; undefined for one without published figures. */
export function modelNamed(modelHash: Hex): string | undefined {
  return modelsByHash.get(modelHash);
}

function capped(part: bigint, index: number): bigint {
  return index === 0 || part <= most32 ? part : most32;
}
