// Writes the compiled contracts into the repository, so that a clone deploys them without a compiler.
import { globSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { artifactNames } from "@ngpu/contracts/ignition/constructors";
import { COMPILED, manifestOf, manifestPath } from "./bootstrap/compiled.mjs";
import { writeChanged } from "./writeChanged.ts";

/**
 * The fields of Hardhat's artifact that a deployment, its check and Ignition read. Fields that identify the build are
 * omitted: they depend on what else was compiled at the time.
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

/** Writes the stored artifact of every deployed contract and extension, from Hardhat's artifacts, and the manifest. */
export function keepCompiled(rootDir: string): void {
  const paths = artifactNames.map((name) => `contracts/${name}.sol/${name}.json`);
  for (const path of paths) {
    const artifact = JSON.parse(readFileSync(join(rootDir, "artifacts", path), "utf8")) as HardhatArtifact;
    writeChanged(join(rootDir, COMPILED, path), keptText(artifact));
  }
  for (const path of globSync("contracts/**/*.json", { cwd: join(rootDir, COMPILED) })) {
    if (!paths.includes(path)) rmSync(join(rootDir, COMPILED, path));
  }
  writeChanged(manifestPath(rootDir), manifestOf(rootDir));
}

/** One line for each field, so that a diff shows which field changed. */
function keptText(artifact: HardhatArtifact): string {
  const immutableReferences = numberInOrder(artifact.immutableReferences);
  const kept: Record<string, unknown> = { ...artifact, immutableReferences };
  const fields = keptFields.filter((field) => kept[field] !== undefined);
  const lines = fields.map((field) => `  ${JSON.stringify(field)}: ${JSON.stringify(kept[field])}`);
  return `{\n${lines.join(",\n")}\n}\n`;
}

/**
 * The compiler's ids of immutables depend on what else it compiled. Here they are numbered by their order in the
 * code.
 */
function numberInOrder(references: Record<string, Place[]>): Record<string, Place[]> {
  const firstOf = (places: Place[]) => Math.min(...places.map(({ start }) => start));
  const inOrder = Object.values(references).sort((a, b) => firstOf(a) - firstOf(b));
  return Object.fromEntries(inOrder.entries());
}
