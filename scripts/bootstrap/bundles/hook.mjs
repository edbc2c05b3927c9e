// Loaded before a program (`--import`): an import of a bundled package takes its bundle. See ensureBundles.
import { existsSync, readFileSync } from "node:fs";
import * as modules from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = new URL(import.meta.url).searchParams.get("bundles") ?? "";
const file = join(folder, "bundles.json");

// Node 20, which runs npm, has no such hooks. The bundles of a running market may have been replaced by others.
if (modules.registerHooks !== undefined && existsSync(file)) use(JSON.parse(readFileSync(file, "utf8")));

function use({ names, bundles }) {
  const known = new Set(names);
  modules.registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      if (!known.has(specifier) || context.conditions.includes("require")) return resolved;
      // Another version of the package, or that of another checkout, has another URL.
      const bundle = bundles[resolved.url];
      if (bundle === undefined) return resolved;
      return { url: pathToFileURL(join(folder, bundle)).href, format: "module", shortCircuit: true };
    },
  });
}
