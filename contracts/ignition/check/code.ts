import { FatalError } from "@ngpu/runtime/errors";
import {
  type Abi,
  type Address,
  domainSeparator,
  encodeDeployData,
  getContractAddress,
  type Hex,
  isAddressEqual,
  pad,
} from "viem";
import type { ChainReader } from "./history.ts";

/** The compiler's output for a contract. */
export type Artifact = {
  abi: Abi;
  bytecode: Hex;
  immutableReferences?: Record<string, { start: number; length: number }[]>;
};

/**
 * Compares the code at an address with the result of the artifact's constructor for these arguments: byte by byte, and the
 * immutables too. Immutables that follow from the contract's own address are compared with that address: EIP712's two, and
 * the extension that the constructor deploys.
 *
 * @returns The differences; empty without one.
 */
export async function codeErrors(options: {
  client: ChainReader;
  address: Address;
  artifact: Artifact;
  args: readonly unknown[];
}): Promise<string[]> {
  const { client, address, artifact } = options;
  const actual = await client.getCode({ address });
  if (actual === undefined) return [`no contract at ${address}`];
  const data = encodeDeployData({ abi: artifact.abi, bytecode: artifact.bytecode, args: options.args });
  const { data: expected } = await client.call({ data });
  if (expected === undefined)
    throw new FatalError("A constructor returned no code.", {
      code: "contract_code_empty",
      hint: "Check that the compiled contracts match the sources: run npm run build:contracts.",
    });
  if (actual.length !== expected.length) {
    return [`the code has ${bytes(actual)} bytes, not ${bytes(expected)}`];
  }
  const places = Object.values(artifact.immutableReferences ?? {}).flat();
  const masked = [actual, expected].map((code) => mask(code, places));
  if (masked[0] !== masked[1]) return ["the code differs from this checkout's"];
  const own = new Set([
    pad(address).toLowerCase(),
    pad(extensionAddress(address)).toLowerCase(),
    await domainOf(client, address, artifact.abi),
  ]);
  return places.flatMap((place) => {
    const is = wordAt(actual, place);
    const should = wordAt(expected, place);
    return is === should || own.has(is) ? [] : [`an immutable is ${is}, not ${should}`];
  });
}

/** The address of the extension of the contract at `of`: a contract's first deployment. */
function extensionAddress(of: Address): Address {
  return getContractAddress({ from: of, nonce: 1n });
}

/** Compares the code of a contract's extension. */
export async function extensionErrors(options: {
  client: ChainReader;
  of: Address;
  artifact: Artifact;
  args: readonly unknown[];
}): Promise<string[]> {
  const { of, ...rest } = options;
  const errors = await codeErrors({ ...rest, address: extensionAddress(of) });
  return errors.map((error) => `extension: ${error}`);
}

type Place = { start: number; length: number };

function wordAt(code: Hex, { start, length }: Place): Hex {
  return `0x${code.slice(2 + 2 * start, 2 + 2 * (start + length))}`.toLowerCase() as Hex;
}

function mask(code: Hex, places: readonly Place[]): string {
  let masked = code.toLowerCase();
  for (const { start, length } of places) {
    const from = 2 + 2 * start;
    const to = 2 + 2 * (start + length);
    masked = `${masked.slice(0, from)}${"0".repeat(2 * length)}${masked.slice(to)}`;
  }
  return masked;
}

/** The EIP-712 domain separator of the domain that the contract reports; undefined when it verifies no signatures. */
async function domainOf(client: ChainReader, address: Address, abi: Abi): Promise<Hex | undefined> {
  if (!abi.some((item) => item.type === "function" && item.name === "eip712Domain")) return undefined;
  const answer = await client.readContract({ address, abi, functionName: "eip712Domain" });
  const [, name, version, chainId, verifyingContract] = answer as [Hex, string, string, bigint, Address];
  if (!isAddressEqual(verifyingContract, address)) return undefined;
  return domainSeparator({ domain: { name, version, chainId, verifyingContract } });
}

function bytes(code: Hex): number {
  return (code.length - 2) / 2;
}
