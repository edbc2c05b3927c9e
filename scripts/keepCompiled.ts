// Keeps the compiled contracts in the repository, so that a clone deploys them without a compiler.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { artifactOf, contractNames } from "@ngpu/contracts/ignition/constructors";
import { COMPILED, manifestOf, manifestPath } from "./bootstrap/compiled.mjs";

/**
 * What a deployment, its check and Ignition read of Hardhat's artifact. Left out is what names the build: it differs
 * with what else was compiled at the time.
 */
const keptFields = [
  "_format",
  "contractName",
  "sourceName",
  "abi",
  "bytecode",
  "deployedBytecode",
  "linkReferences",
  "deployedLinkReferences",
  "immutableReferences",
];

type HardhatArtifact = Record<string, unknown> & { immutableReferences: Record<string, Place[]> };
type Place = { start: number; length: number };

/** Writes what is kept of every contract that is deployed, from Hardhat's artifacts, and the manifest. */
export function keepCompiled(rootDir: string): void {
  rmSync(join(rootDir, COMPILED), { recursive: true, force: true });
  for (const name of contractNames.map(artifactOf)) {
    const path = `contracts/${name}.sol/${name}.json`;
    const artifact = JSON.parse(readFileSync(join(rootDir, "artifacts", path), "utf8")) as HardhatArtifact;
    const kept = join(rootDir, COMPILED, path);
    mkdirSync(dirname(kept), { recursive: true });
    writeFileSync(kept, keptText(artifact));
  }
  writeFileSync(manifestPath(rootDir), manifestOf(rootDir));
}

/** A line for each field, so that a change of one shows as one. */
function keptText(artifact: HardhatArtifact): string {
  const immutableReferences = numberInOrder(artifact.immutableReferences);
  const kept: Record<string, unknown> = { ...artifact, immutableReferences };
  const fields = keptFields.filter((field) => kept[field] !== undefined);
  const lines = fields.map((field) => `  ${JSON.stringify(field)}: ${JSON.stringify(kept[field])}`);
  return `{\n${lines.join(",\n")}\n}\n`;
}

/** The compiler numbers immutables by what else it compiled at the time; here they are numbered as the code has them. */
function numberInOrder(references: Record<string, Place[]>): Record<string, Place[]> {
  const firstOf = (places: Place[]) => Math.min(...places.map(({ start }) => start));
  const inOrder = Object.values(references).sort((a, b) => firstOf(a) - firstOf(b));
  return Object.fromEntries(inOrder.entries());
}
