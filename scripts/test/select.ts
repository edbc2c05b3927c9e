import { globSync, statSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import type { Stage } from "./stage.ts";

/** A stage to run: with all its files, or with some of them. */
export type Selected = { stage: Stage; files?: string[] };

export type Selection = {
  rootDir: string;
  /** The user's directory; paths are relative to it or to the checkout. */
  currentDir: string;
  /** Files, folders and globs. */
  patterns: readonly string[];
  only: string | undefined;
  quick: boolean;
};

/**
 * Chooses what to run, in the order of the stages.
 *
 * @throws FatalError `test_file_not_found` when a pattern matches no test file
 */
export function selectStages(stages: readonly Stage[], selection: Selection): Selected[] {
  const { only, quick, patterns, rootDir } = selection;
  if (patterns.length === 0) {
    return stages
      .filter(({ name, group, slow }) =>
        only === undefined ? !(quick && slow) : only === name || only === group,
      )
      .map((stage) => ({ stage }));
  }
  const known = stages.map((stage) => ({ stage, files: stage.files?.(rootDir) ?? [] }));
  const all = new Set(known.flatMap(({ files }) => files));
  const wanted = new Set(patterns.flatMap((pattern) => testFiles(pattern, all, selection)));
  return known
    .map(({ stage, files }) => ({ stage, files: files.filter((file) => wanted.has(file)) }))
    .filter(({ files }) => files.length > 0);
}

/** The test files that a pattern names. */
function testFiles(pattern: string, all: ReadonlySet<string>, selection: Selection): string[] {
  const { rootDir, currentDir } = selection;
  const paths = [rootDir, currentDir].flatMap((dir) => pathsOf(pattern, dir, rootDir));
  const found = paths.flatMap((path) => filesBelow(path, all));
  if (found.length > 0) return found;
  throw new FatalError(
    paths.length === 0
      ? `File ${pattern} does not exist.`
      : `${pattern} is neither a test file nor a folder of test files.`,
    {
      code: "test_file_not_found",
      hint: "Test files are test/**/*.test.ts and test/contracts/solidity/*.sol.",
    },
  );
}

/** The existing paths of a pattern, relative to the checkout. */
function pathsOf(pattern: string, dir: string, rootDir: string): string[] {
  const absolute = isAbsolute(pattern) ? pattern : join(dir, pattern);
  const exists = statSync(absolute, { throwIfNoEntry: false }) !== undefined;
  const paths = exists ? [absolute] : globSync(absolute);
  return paths.map((path) => relative(rootDir, path));
}

function filesBelow(path: string, all: ReadonlySet<string>): string[] {
  if (all.has(path)) return [path];
  return [...all].filter((file) => path === "" || file.startsWith(`${path}/`));
}
