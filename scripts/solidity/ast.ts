import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import solc from "solc";

/** A node of solc's typed syntax tree. Its fields depend on its `nodeType`. */
export type Node = {
  nodeType: string;
  /** `offset:length:file`, in bytes. */
  src: string;
  id?: number;
  name?: string;
  operator?: string;
  kind?: string;
  value?: string;
  typeDescriptions?: { typeString?: string };
  [field: string]: unknown;
};

/** A source file. `text` has one character per byte, because the tree counts bytes. */
export type Source = { file: string; text: string; ast: Node };

/** An error of solc, with its location. */
export type CompilerError = { file: string; start: number; message: string };

type Output = {
  errors?: {
    severity: string;
    formattedMessage: string;
    sourceLocation?: { file: string; start: number };
  }[];
  sources: Record<string, { ast: Node }>;
};

/** Reads the typed syntax trees of the project's contracts; solc generates no code for them. */
export const readSources = (rootDir: string): Source[] => checkSources(rootDir).sources;

/** Reads the typed syntax trees of the project's contracts, and what solc warns of. */
export function checkSources(rootDir: string): { sources: Source[]; warnings: string[] } {
  // The folders of compiled contracts have their sources' names.
  const files = globSync("contracts/**/*.sol", { cwd: rootDir, exclude: ["contracts/compiled/**"] }).sort();
  const contents = files.map((file) => readFileSync(join(rootDir, file), "latin1"));
  const { trees, errors, warnings } = checkTypes(
    rootDir,
    new Map(files.map((file, place) => [file, contents[place] ?? ""])),
  );
  if (errors[0] !== undefined) throw new Error(errors[0].message);
  const sources = files.map((file, place) => {
    const ast = trees[file]?.ast;
    if (ast === undefined) throw new Error(`solc returned no AST of ${file}.`);
    return { file, text: contents[place] ?? "", ast };
  });
  return { sources, warnings };
}

/** Checks sources (one character per byte) without generating code. */
export function checkTypes(
  rootDir: string,
  texts: ReadonlyMap<string, string>,
): { trees: Record<string, { ast: Node }>; errors: CompilerError[]; warnings: string[] } {
  const decoded = [...texts].map(([file, text]) => [
    file,
    { content: Buffer.from(text, "latin1").toString() },
  ]);
  const settings = { outputSelection: { "*": { "": ["ast"] } } };
  const input = { language: "Solidity", sources: Object.fromEntries(decoded), settings };
  const read = (path: string) => readFileSync(join(rootDir, "node_modules", path), "utf8");
  const output = JSON.parse(
    solc.compile(JSON.stringify(input), { import: (path: string) => ({ contents: read(path) }) }),
  ) as Output;
  const reports = output.errors ?? [];
  const warnings = reports.filter(({ severity }) => severity !== "error").map((one) => one.formattedMessage);
  const errors = reports
    .filter(({ severity }) => severity === "error")
    .map(({ formattedMessage, sourceLocation }) => {
      const { file = "", start = 0 } = sourceLocation ?? {};
      return { file, start, message: formattedMessage };
    });
  return { trees: output.sources, errors, warnings };
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "nodeType" in value;
}

/** Visits a node and its descendants, outer nodes first. A visitor that returns false skips the descendants. */
export function walk(node: Node, visit: (node: Node) => boolean | undefined): void {
  if (visit(node) === false) return;
  for (const child of childrenOf(node)) walk(child, visit);
}

function childrenOf(node: Node): Node[] {
  return Object.values(node).flatMap((value) => (Array.isArray(value) ? value : [value]).filter(isNode));
}

/** The range of a node in its file: [start, end). */
export function rangeOf(node: Node): [number, number] {
  const [offset = 0, length = 0] = node.src.split(":").map(Number);
  return [offset, offset + length];
}

export function textOf(source: Source, node: Node): string {
  return source.text.slice(...rangeOf(node));
}

/** The line at which a node begins, from 1. */
export function lineOf(source: Source, node: Node): number {
  return source.text.slice(0, rangeOf(node)[0]).split("\n").length;
}
