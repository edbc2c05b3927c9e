import { join, relative } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";

/** Prefix of what is compiled when it is needed. */
const later = "later:";

/**
 * Bundles a command line and all packages that it uses into one CommonJS file that starts at once. What a command imports when
 * it runs is in the file as a text, because compiling all of it would take most of the start.
 */
export async function bundleCommands(rootDir: string, entry: string): Promise<string> {
  const modules = new Map<string, string>();
  const first = await bundle(rootDir, {
    entryPoints: [join(rootDir, entry)],
    plugins: [postpone(rootDir, modules)],
  });
  const table = [...modules].map(
    ([name, path]) => `${JSON.stringify(name)}: () => require(${JSON.stringify(path)})`,
  );
  const contents = `module.exports = { ${table.join(", ")} };`;
  const rest = await bundle(rootDir, { stdin: { contents, resolveDir: rootDir, loader: "js" } });
  return `${loaderOf(rest)}\n${first}`;
}

async function bundle(rootDir: string, options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    ...options,
    absWorkingDir: rootDir,
    bundle: true,
    write: false,
    outfile: "program.cjs",
    platform: "node",
    target: "node24",
    format: "cjs",
    // Imports at run time become calls of require.
    supported: { "dynamic-import": false },
    define: { "import.meta.dirname": "__dirname" },
    minify: true,
    legalComments: "eof",
    // Native add-ons, compiled for one platform. ws and pg work without them.
    external: ["bufferutil", "utf-8-validate", "pg-native"],
    logLevel: "silent",
  });
  return outputFiles.map(({ text }) => text).join("");
}

/** Leaves out what is imported at run time, and lists it: its path by its name. */
function postpone(rootDir: string, modules: Map<string, string>): Plugin {
  return {
    name: "postpone",
    setup: ({ onResolve }) => {
      onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
        if (kind !== "dynamic-import") return undefined;
        const file = join(resolveDir, path);
        const name = `${later}${relative(rootDir, file)}`;
        modules.set(name, file);
        return { path: name, external: true };
      });
    },
  };
}

/** A `require` that compiles the text when something of it is needed. */
const loaderOf = (text: string) => `const requireNow = require;
let parts;
require = (name) => name.startsWith(${JSON.stringify(later)}) ? (parts ??= compileParts())[name]() : requireNow(name);
function compileParts() {
  const text = ${JSON.stringify(text)};
  const names = ["module", "exports", "require", "__dirname"];
  const run = requireNow("node:vm").compileFunction(text, names, { filename: __filename });
  const module = { exports: {} };
  run(module, module.exports, requireNow, __dirname);
  return module.exports;
}`;
