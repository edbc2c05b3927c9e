import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

type Ensure = (root: string, node: string) => Promise<string | undefined>;

function write(root: string, files: Record<string, string>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
}

const modulePackage = (text: string, folder = "node_modules/commander") => ({
  [`${folder}/package.json`]: '{ "type": "module", "exports": "./index.js" }',
  [`${folder}/index.js`]: `export const text = ${JSON.stringify(text)};\n`,
});

/** A checkout with the bundler, and with two packages of those that are bundled. */
function checkout(root: string): void {
  cpSync(join(rootDir, "scripts/bootstrap"), join(root, "scripts/bootstrap"), { recursive: true });
  write(root, {
    "node_modules/.package-lock.json": "{}",
    "node_modules/ioredis/package.json": "{}",
    "node_modules/ioredis/index.js":
      "module.exports = function own() {};\nmodule.exports.text = 'CommonJS';\n",
    "node_modules/other/package.json": '{ "type": "module", "exports": "./index.js" }',
    "node_modules/other/index.js": 'export { text } from "commander";\n',
    ...modulePackage("first"),
    ...modulePackage("another version", "node_modules/other/node_modules/commander"),
  });
  symlinkSync(join(rootDir, "node_modules/esbuild"), join(root, "node_modules/esbuild"));
}

async function ensure(root: string): Promise<string | undefined> {
  const url = pathToFileURL(join(root, "scripts/bootstrap/bundles/ensure.mjs")).href;
  const { ensureBundles } = (await import(url)) as { ensureBundles: Ensure };
  return ensureBundles(root, process.execPath);
}

/** Runs a program of the checkout with the bundles, and returns what it prints. */
async function print(root: string, expression: string, options: string[]): Promise<unknown> {
  const program = `
    import { createRequire } from "node:module";
    import { text } from "commander";
    import Redis, { text as commonJs } from "ioredis";
    import { text as nested } from "other";
    const required = createRequire(import.meta.url)("ioredis");
    console.log(JSON.stringify(${expression}));`;
  write(root, { "program.mjs": program });
  const env = { ...process.env, NODE_OPTIONS: options.join(" ") };
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, "program.mjs")], { env });
  return JSON.parse(stdout);
}

const cacheOf = (root: string) => join(root, ".ngpu/cache/packages");
const isBundle = "import.meta.resolve('commander').includes('/.ngpu/cache/packages/')";

describe("bundled packages", () => {
  it("replace an installed package, and no other version or require", async () => {
    using dir = temporaryDir();
    checkout(dir.path);
    const option = (await ensure(dir.path)) ?? "";
    const facts = "[text, commonJs, Redis.name, nested, required.name, required.text]";
    const given = ["first", "CommonJS", "own", "another version", "own", "CommonJS"];
    expect(await print(dir.path, facts, [option])).to.deep.equal(given);
    expect(await print(dir.path, isBundle, [option])).to.equal(true);
    expect(await print(dir.path, facts, [])).to.deep.equal(given);
  });

  it("are kept until packages are installed, and then replaced", async () => {
    using dir = temporaryDir();
    checkout(dir.path);
    const option = await ensure(dir.path);
    const kept = readdirSync(cacheOf(dir.path));
    expect(await ensure(dir.path)).to.equal(option);
    expect(readdirSync(cacheOf(dir.path))).to.deep.equal(kept);
    write(dir.path, { ...modulePackage("second"), "node_modules/.package-lock.json": "{ }" });
    const next = (await ensure(dir.path)) ?? "";
    expect(readdirSync(cacheOf(dir.path)))
      .to.have.length(1)
      .and.not.deep.equal(kept);
    expect(await print(dir.path, "text", [next])).to.equal("second");
    // A program of an earlier start, whose bundles are gone, takes the packages' own files.
    expect(await print(dir.path, `[text, ${isBundle}]`, [option ?? ""])).to.deep.equal(["second", false]);
  });

  it("are left out without the bundler, and when it fails", async () => {
    using dir = temporaryDir();
    checkout(dir.path);
    write(dir.path, { "node_modules/commander/index.js": "export const text = ;\n" });
    expect(await ensure(dir.path)).to.equal(undefined);
    expect(readdirSync(cacheOf(dir.path))).to.deep.equal([]);
    rmSync(join(dir.path, "node_modules/esbuild"));
    expect(await ensure(dir.path)).to.equal(undefined);
  });
});
