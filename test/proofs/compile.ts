// The harnesses of proofs and the contracts that they call, compiled with the settings of the contracts.
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import solc from "solc";
import type { Code } from "./state.ts";
import { constant, input, type Term } from "./words.ts";

/** A change of a source: `was` occurs in it once. */
export type Fault = { file: string; was: string; now: string };
export type Parameter = { name: string; type: string; components?: Parameter[] };
export type Artifact = {
  bytecode: string;
  references: Record<string, { start: number; length: number }[]>;
  immutables: Map<string, Immutable>;
  functions: { name: string; selector: string; inputs: Parameter[] }[];
};
type Immutable = { name: string; bits: bigint };

const folder = "test/contracts/proofs";

/** Harnesses reach private parts of the contracts, so these are compiled as internal ones. */
const opened = (text: string) => text.replaceAll(/\bprivate\b/g, "internal");

/**
 * @param wanted Names of harnesses; none: all.
 * @param fault A change of one source, so that a proof must fail.
 */
export function compile(
  rootDir: string,
  wanted: readonly string[] = [],
  fault?: Fault,
): Map<string, Artifact> {
  const settings = JSON.parse(readFileSync(join(rootDir, "contracts/compiler.json"), "utf8")).settings;
  const read = (path: string): { contents: string } | { error: string } => {
    const file = [join(rootDir, path), join(rootDir, "node_modules", path)].find((one) => existsSync(one));
    if (file === undefined) return { error: `${path} does not exist` };
    const text = readFileSync(file, "utf8");
    if (!path.startsWith("contracts/")) return { contents: text };
    return { contents: opened(fault?.file === path ? faulty(text, fault) : text) };
  };
  const files = globSync(`${folder}/*.sol`, { cwd: rootDir }).filter(
    (file) =>
      wanted.length === 0 || file.endsWith("Neighbours.sol") || wanted.includes(basename(file, ".sol")),
  );
  const sources = Object.fromEntries(
    files.map((file) => [file, { content: readFileSync(join(rootDir, file), "utf8") }]),
  );
  // Code of the harnesses alone: what they inherit is in it.
  const harness = [
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
    "evm.methodIdentifiers",
    "abi",
  ];
  const outputSelection = Object.fromEntries([
    ["*", { "": ["ast"] }],
    ...files.map((file) => [file, { "": ["ast"], "*": harness }]),
  ]);
  const given = { language: "Solidity", sources, settings: { ...settings, outputSelection } };
  const output = JSON.parse(solc.compile(JSON.stringify(given), { import: read }));
  const errors = (output.errors ?? []).filter(({ severity }: { severity: string }) => severity === "error");
  if (errors.length > 0) throw new Error(errors[0].formattedMessage);
  const immutables = immutablesOf(output.sources);
  const all = new Map<string, Artifact>();
  for (const [file, contracts] of Object.entries<Record<string, Output>>(output.contracts)) {
    if (!file.startsWith(folder)) continue;
    for (const [name, contract] of Object.entries(contracts ?? {}))
      all.set(name, artifactOf(contract, immutables));
  }
  return all;
}

type Output = {
  abi: { type: string; name: string; inputs: Parameter[] }[];
  evm: {
    deployedBytecode: { object: string; immutableReferences: Artifact["references"] };
    methodIdentifiers: Record<string, string>;
  };
};

function artifactOf({ abi, evm }: Output, immutables: Map<string, Immutable>): Artifact {
  const functions = Object.entries(evm.methodIdentifiers).map(([signature, selector]) => {
    const name = signature.slice(0, signature.indexOf("("));
    return { name, selector, inputs: abi.find((one) => one.name === name)?.inputs ?? [] };
  });
  const { object, immutableReferences } = evm.deployedBytecode;
  return { bytecode: object, references: immutableReferences, immutables, functions };
}

function faulty(text: string, { file, was, now }: Fault): string {
  const parts = text.split(was);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} of: ${was}`);
  return parts.join(now);
}

type Node = { id?: number; nodeType?: string; mutability?: string; name?: string } & Record<string, unknown>;

/** The immutables of all sources by the number that the compiler gives them. */
function immutablesOf(sources: Record<string, { ast: Node }>): Map<string, Immutable> {
  const found = new Map<string, Immutable>();
  const visit = (value: unknown) => {
    if (Array.isArray(value)) for (const one of value) visit(one);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    const node = value as Node;
    if (node.nodeType === "VariableDeclaration" && node.mutability === "immutable") {
      const type = (node.typeDescriptions as { typeString: string }).typeString;
      found.set(String(node.id), { name: node.name ?? "", bits: bitsOf(type) });
    }
    for (const one of Object.values(node)) visit(one);
  };
  for (const { ast } of Object.values(sources)) visit(ast);
  return found;
}

/** The width of a type's values. */
export function bitsOf(type: string): bigint {
  const number = /^(?:uint|bytes)(\d+)$/.exec(type);
  if (number?.[1] !== undefined) return type.startsWith("bytes") ? 256n : BigInt(number[1]);
  if (type === "bool") return 1n;
  return type.startsWith("contract") || type === "address" ? 160n : 256n;
}

/** Code whose immutables are the given values, and unknown where none is given. */
export function codeOf(artifact: Artifact, values: Record<string, bigint>): Code {
  const bytes = Uint8Array.from(Buffer.from(artifact.bytecode, "hex"));
  const immutables = new Map<number, Term>();
  for (const [id, places] of Object.entries(artifact.references)) {
    const { name, bits } = artifact.immutables.get(id) ?? { name: id, bits: 256n };
    const value = values[name];
    const word = value === undefined ? input(name, bits) : constant(value);
    for (const { start } of places) immutables.set(start, word);
  }
  const targets = new Set<number>();
  for (let at = 0; at < bytes.length; at += 1) {
    const op = bytes[at] as number;
    if (op === 0x5b) targets.add(at);
    if (op >= 0x60 && op <= 0x7f) at += op - 0x5f;
  }
  return { bytes, targets, immutables };
}
