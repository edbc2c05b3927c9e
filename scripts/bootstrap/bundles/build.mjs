// Bundles the packages of packages.mjs into a directory: node build.mjs <directory>. Runs on Node 24.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { PACKAGES } from "./packages.mjs";

/** What CommonJS packages expect. The long names avoid collisions with those of the packages. */
const commonJs = [
  'import { createRequire as createRequireOfBundle } from "node:module";',
  "const require = createRequireOfBundle(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("\n");

/** Native add-ons; the packages work without them. */
const external = ["bufferutil", "cpu-features", "pg-native", "utf-8-validate", "*.node"];

/** What a bundle must export, by the installed package. */
async function read(name) {
  try {
    return { name, url: import.meta.resolve(name), namespace: await import(name) };
  } catch (error) {
    if (error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

const fileOf = (name) => `${name.replaceAll("/", "__")}.mjs`;
const namesIn = (namespace) => Object.keys(namespace).filter((name) => /^[\w$]+$/.test(name));

async function bundle(packages, folder) {
  for (const { name, url, namespace } of packages) {
    const source = `export { ${namesIn(namespace).join(", ")} } from ${JSON.stringify(fileURLToPath(url))};\n`;
    writeFileSync(join(folder, `entry-${fileOf(name)}`), source);
  }
  await build({
    entryPoints: packages.map(({ name }) => ({
      in: join(folder, `entry-${fileOf(name)}`),
      out: fileOf(name).replace(/\.mjs$/, ""),
    })),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // Packages share the modules that they have in common.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    // Node reads and checks each file at every start. Names stay, for stacks and for errors that carry them.
    minifyWhitespace: true,
    legalComments: "none",
    // Node's own, without the bundler's "module".
    conditions: [],
    banner: { js: commonJs },
    external,
    logLevel: "silent",
  });
  for (const { name } of packages) rmSync(join(folder, `entry-${fileOf(name)}`));
}

/** True when the bundle exports what the package does. */
async function isComplete({ name, namespace }, folder) {
  const bundled = await import(pathToFileURL(join(folder, fileOf(name))).href);
  return namesIn(namespace).every((one) => typeof bundled[one] === typeof namespace[one]);
}

async function main([target]) {
  const draft = join(dirname(target), `.${basename(target)}.${process.pid}`);
  mkdirSync(draft, { recursive: true });
  try {
    const found = await Promise.all(PACKAGES.map(read));
    const packages = found.filter((one) => one !== undefined);
    await bundle(packages, draft);
    const bundles = {};
    for (const one of packages) if (await isComplete(one, draft)) bundles[one.url] = fileOf(one.name);
    writeFileSync(
      join(draft, "bundles.json"),
      JSON.stringify({ names: packages.map(({ name }) => name), bundles }),
    );
    // Another process may have written the same meanwhile.
    if (!existsSync(target)) renameSync(draft, target);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

await main(process.argv.slice(2));
