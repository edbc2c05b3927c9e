import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

/** What each kind of code may import of the project, by the first match. Paths are those of folders and files. */
type Rule = { of: RegExp; may: (file: string, room: string) => RegExp; because: string };

const RULES: Rule[] = [
  { of: /^services\/(shared)\//, may: () => /^services\/shared\//, because: "what is shared knows no room" },
  {
    of: /^services\/([^/]+)\//,
    may: (_, room) => new RegExp(`^services/(shared|${room})/`),
    because: "rooms meet in Postgres tables, chain events and queue names",
  },
  {
    of: /^(node-client)\//,
    may: () => /^(node-client\/|services\/shared\/)/,
    because: "operators run the node client without the services",
  },
  { of: /^(workspaces)\//, may: () => /^workspaces\//, because: "images hold nothing but their own code" },
  {
    of: /^(contracts)\//,
    may: () => /^(contracts|services\/shared)\//,
    because: "the contracts stand without the services",
  },
  { of: /^(scripts)\//, may: () => /^(?!test\/)/, because: "tests are no part of the product" },
];

/** What the node client must never see, not even through a shared file. */
const FORBIDDEN_TO_NODES = /^services\/shared\/(db\/|queue\.ts)/;
const IMPORT =
  /(?:^|[\s;}])(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;

/**
 * Finds imports that leave their room where they may not.
 *
 * @returns one line for each, empty when all is well
 */
export function importFaults(rootDir: string): string[] {
  const files = globSync("{services,node-client,workspaces,contracts,scripts}/**/*.{ts,mts,mjs}", {
    cwd: rootDir,
  });
  const imports = new Map(files.map((file) => [posix.normalize(file), importsOf(rootDir, file)]));
  const strays = [...imports].flatMap(([file, targets]) => strayImports(file, targets));
  return [...strays, ...nodeSights(imports)].sort();
}

function strayImports(file: string, targets: readonly string[]): string[] {
  const rule = RULES.find(({ of }) => of.test(file));
  const room = rule?.of.exec(file)?.[1];
  if (rule === undefined || room === undefined) return [];
  const allowed = rule.may(file, room);
  return targets
    .filter((target) => !allowed.test(target))
    .map((target) => `${file} imports ${target}: ${rule.because}`);
}

/** Ways from the node client to the database or a queue, through any number of files. */
function nodeSights(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const cameFrom = new Map<string, string>();
  const open = [...imports.keys()].filter((file) => file.startsWith("node-client/"));
  const seen = new Set(open);
  const faults: string[] = [];
  for (const file of open) {
    for (const target of imports.get(file) ?? []) {
      if (seen.has(target)) continue;
      seen.add(target);
      cameFrom.set(target, file);
      if (FORBIDDEN_TO_NODES.test(target)) {
        faults.push(`${wayTo(target, cameFrom)}: the node client never sees the database or a queue`);
      } else {
        open.push(target);
      }
    }
  }
  return faults;
}

function wayTo(file: string, cameFrom: ReadonlyMap<string, string>): string {
  const before = cameFrom.get(file);
  return before === undefined ? file : `${wayTo(before, cameFrom)} imports ${file}`;
}

/** The project's files that a file imports. */
function importsOf(rootDir: string, file: string): string[] {
  const text = readFileSync(join(rootDir, file), "utf8");
  return [...text.matchAll(IMPORT)]
    .map((match) => match[1] ?? match[2] ?? "")
    .filter((target) => target.startsWith("."))
    .map((target) => posix.normalize(posix.join(dirname(file), target)))
    .filter((target) => existsSync(join(rootDir, target)));
}
