import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { RULES } from "./importRules.ts";

/** Modules that the node client must not reach, directly or through other packages. */
const FORBIDDEN_TO_NODES = /^packages\/(db|queries|tx-sender)\//;
const SOURCES =
  "{packages,services,node-client,cli,console,images,contracts,partner-docs,scripts}/**/*.{ts,mts,mjs,tsx}";
const IMPORT =
  /(?:^|[\s;}])(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;

/**
 * Finds forbidden imports, import cycles, and paths from the node client to the database. Type imports count, too.
 *
 * @returns one line for each error, empty when there is none
 */
export function importErrors(rootDir: string): string[] {
  const packages = packageFolders(rootDir);
  const files = globSync(SOURCES, { cwd: rootDir, exclude: ["**/node_modules/**", "console/built/**"] }).map(
    posix.normalize,
  );
  const imports = new Map(files.map((file) => [file, importsOf(rootDir, file, packages)]));
  const forbidden = [...imports].flatMap(([file, targets]) => forbiddenImports(file, targets));
  return [...forbidden, ...wayToDatabase(imports), ...cycles(imports)].sort();
}

function forbiddenImports(file: string, targets: readonly string[]): string[] {
  const rule = RULES.find(({ of }) => isBelow(file, of));
  if (rule === undefined) return [];
  // `services/*` stands for the service of the file itself.
  const own = file.split("/").slice(0, rule.of.split("/").length).join("/");
  return targets
    .filter((target) => ![own, ...rule.may].some((folder) => isBelow(target, folder)))
    .map((target) => `${file} imports ${target}: ${rule.because}`);
}

function isBelow(file: string, pattern: string): boolean {
  const names = file.split("/");
  return pattern.split("/").every((part, index) => part === "*" || part === names[index]);
}

/** Import paths from the node client to the database or a queue, through any number of files. */
function wayToDatabase(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const importedFrom = new Map<string, string>();
  const open = [...imports.keys()].filter((file) => file.startsWith("node-client/"));
  const seen = new Set(open);
  const errors: string[] = [];
  for (const file of open) {
    for (const target of imports.get(file) ?? []) {
      if (seen.has(target)) continue;
      seen.add(target);
      importedFrom.set(target, file);
      if (FORBIDDEN_TO_NODES.test(target)) {
        errors.push(
          `${importPath(target, importedFrom)}: the node client never reaches the database or a queue`,
        );
      } else {
        open.push(target);
      }
    }
  }
  return errors;
}

function importPath(file: string, importedFrom: ReadonlyMap<string, string>): string {
  const before = importedFrom.get(file);
  return before === undefined ? file : `${importPath(before, importedFrom)} imports ${file}`;
}

/** Import cycles: one line for each file that closes one. */
function cycles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const state = new Map<string, "open" | "done">();
  const errors: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    state.set(file, "open");
    for (const target of imports.get(file) ?? []) {
      if (state.get(target) === "open") {
        const cycle = [...path.slice(path.indexOf(target)), target];
        errors.push(`${cycle.join(" imports ")}: import cycles are not allowed`);
      } else if (!state.has(target)) {
        visit(target, [...path, target]);
      }
    }
    state.set(file, "done");
  };
  for (const file of imports.keys()) if (!state.has(file)) visit(file, [file]);
  return errors;
}

/** The directory of each package of the workspace, by name. */
function packageFolders(rootDir: string): ReadonlyMap<string, string> {
  const manifests = globSync(["{packages,services}/*/package.json", "*/package.json"], { cwd: rootDir });
  return new Map(
    manifests.map((path) => {
      const { name } = JSON.parse(readFileSync(join(rootDir, path), "utf8")) as { name: string };
      return [name, posix.dirname(path)];
    }),
  );
}

/** The project's files that a file imports, by relative path or through a package's exports. */
function importsOf(rootDir: string, file: string, packages: ReadonlyMap<string, string>): string[] {
  const text = readFileSync(join(rootDir, file), "utf8");
  return (
    [...text.matchAll(IMPORT)]
      .map((match) => match[1] ?? match[2] ?? "")
      .flatMap((target) => resolve(file, target, packages))
      // A manifest is data, such as the version of the release.
      .filter((target) => target !== "package.json" && existsSync(join(rootDir, target)))
  );
}

function resolve(file: string, target: string, packages: ReadonlyMap<string, string>): string[] {
  if (target.startsWith(".")) return [posix.normalize(posix.join(dirname(file), target))];
  const [scope = "", name = "", ...rest] = target.split("/");
  const folder = packages.get(`${scope}/${name}`);
  if (folder === undefined) return [];
  const path = posix.join(folder, ...rest);
  return [/\.(mjs|json)$/.test(path) ? path : `${path}.ts`];
}
