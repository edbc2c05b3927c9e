import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import {
  type CallExpression,
  type Comment,
  type NewExpression,
  type Node,
  type Program,
  parseSync,
  visitorKeys,
} from "oxc-parser";

export type Source = {
  /** Path from the repository's root. */
  file: string;
  /** The package of the file: `services/match`. */
  component: string;
  text: string;
  program: Program;
  comments: readonly Comment[];
  parents: ReadonlyMap<Node, Node>;
  /** Every node, parents first. */
  nodes: readonly Node[];
  /** Imports by local name, with name and source. */
  imports: ReadonlyMap<string, { from: string; name: string }>;
};

export type CallSite = { source: Source; call: CallExpression | NewExpression };

export type Project = {
  sources: readonly Source[];
  byFile: ReadonlyMap<string, Source>;
  /** Calls of `name(…)`. */
  callsByName: ReadonlyMap<string, readonly CallSite[]>;
  /** Calls of `….name(…)`. */
  callsByMember: ReadonlyMap<string, readonly CallSite[]>;
};

const ROOTS = [
  "contracts",
  "packages",
  "services",
  "node-client",
  "cli",
  "console",
  "images",
  "workspaces",
  "scripts",
];
/** Directories of packages, where a directory without a package.json is a package, too. */
const COLLECTIONS = new Set(["packages", "services", "images", "workspaces"]);
const SKIPPED =
  /(^|\/)(node_modules|generated|artifacts|cache|dist)\/|^scripts\/reference\/|\.test\.ts$|\.d\.m?ts$/;

/** Reads and parses the product's code in the existing roots. */
export function readProject(rootDir: string): Project {
  const roots = ROOTS.filter((root) => existsSync(join(rootDir, root)));
  const files = roots
    .flatMap((root) => globSync(`${root}/**/*.{ts,mts,mjs}`, { cwd: rootDir }))
    .map((file) => posix.normalize(file))
    .filter((file) => !SKIPPED.test(file))
    .sort();
  return projectOf(
    files.map((file) => ({
      file,
      component: componentOf(rootDir, file),
      text: readFileSync(join(rootDir, file), "utf8"),
    })),
  );
}

/** Parses texts as the files of a project. */
export function projectOf(files: readonly Pick<Source, "file" | "component" | "text">[]): Project {
  const sources = files.map(parseSource);
  const callsByName = new Map<string, CallSite[]>();
  const callsByMember = new Map<string, CallSite[]>();
  for (const source of sources) {
    for (const node of source.nodes) {
      if (node.type !== "CallExpression") continue;
      const { callee } = node;
      if (callee.type === "Identifier") add(callsByName, callee.name, { source, call: node });
      else if (callee.type === "MemberExpression" && callee.property.type === "Identifier")
        add(callsByMember, callee.property.name, { source, call: node });
    }
  }
  const byFile = new Map(sources.map((source) => [source.file, source]));
  return { sources, byFile, callsByName, callsByMember };
}

/** The nearest directory with a package.json, or else the directory that counts as a package. */
export function componentOf(rootDir: string, file: string): string {
  for (let folder = dirname(file); folder !== "."; folder = dirname(folder)) {
    if (existsSync(join(rootDir, folder, "package.json"))) return folder;
  }
  const [first = "", second = ""] = file.split("/");
  return COLLECTIONS.has(first) ? `${first}/${second}` : first;
}

/** `file:line`, for messages about a node. */
export function positionOf({ file, text }: Source, node: Node): string {
  return `${file}:${text.slice(0, node.start).split("\n").length}`;
}

function parseSource({ file, component, text }: Pick<Source, "file" | "component" | "text">): Source {
  const { program, comments, errors } = parseSync(file, text, { preserveParens: false });
  if (errors.length > 0) throw new SyntaxError(`${file}: ${errors[0]?.message}`);
  const parents = new Map<Node, Node>();
  const nodes: Node[] = [program];
  for (const node of nodes) {
    for (const child of childrenOf(node)) {
      parents.set(child, node);
      nodes.push(child);
    }
  }
  return { file, component, text, program, comments, parents, nodes, imports: importsOf(file, program) };
}

function childrenOf(node: Node): Node[] {
  return (visitorKeys[node.type] ?? [])
    .flatMap((key) => (node as unknown as Record<string, Node | (Node | null)[] | null | undefined>)[key])
    .filter((child): child is Node => child !== null && child !== undefined);
}

function importsOf(file: string, program: Program): Source["imports"] {
  const imports = new Map<string, { from: string; name: string }>();
  for (const statement of program.body) {
    if (statement.type !== "ImportDeclaration") continue;
    const { value } = statement.source;
    const from = value.startsWith(".") ? posix.join(dirname(file), value) : value;
    for (const specifier of statement.specifiers) {
      const { name } = specifier.local;
      if (specifier.type !== "ImportSpecifier") imports.set(name, { from, name: "default" });
      else if (specifier.imported.type === "Identifier")
        imports.set(name, { from, name: specifier.imported.name });
    }
  }
  return imports;
}

function add<Key, Item>(map: Map<Key, Item[]>, key: Key, item: Item): void {
  const items = map.get(key);
  if (items === undefined) map.set(key, [item]);
  else items.push(item);
}
