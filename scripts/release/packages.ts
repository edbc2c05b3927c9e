import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, parse } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { bundleProgram } from "../client/bundle.ts";
import { bundleCommands } from "./bundleCommands.ts";

/** A published package: its manifest, and the function that builds its `dist` directory. */
export type PublishedPackage = {
  /** Folder in the checkout. */
  folder: string;
  /** Fields of the published manifest besides name, version, description and license. */
  manifest: Record<string, unknown>;
  build(rootDir: string, outDir: string): Promise<void>;
};

const clientFiles = ["client", "errors", "routes"];

/** The packages that partners and operators install from npm. The programs are bundled into one file each. */
export const publishedPackages: readonly PublishedPackage[] = [
  {
    folder: "packages/api-client",
    manifest: {
      engines: { node: ">=20" },
      exports: Object.fromEntries(
        clientFiles.map((name) => [
          `./${name}`,
          { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
        ]),
      ),
    },
    build: async (rootDir, outDir) => compile(rootDir, "packages/api-client", clientFiles, outDir),
  },
  program("cli", "dist/ngpu.cjs", (rootDir) => bundleCommands(rootDir, "cli/index.ts")),
  program("node-client", "dist/ngpu-node.mjs", (rootDir) => bundleProgram(rootDir, "node-client/main.ts")),
];

/** A program in one file, which has the name of its command. */
function program(
  folder: string,
  file: string,
  bundle: (rootDir: string) => Promise<string>,
): PublishedPackage {
  return {
    folder,
    manifest: { engines: { node: ">=24" }, bin: { [parse(file).name]: file } },
    build: async (rootDir, outDir) => {
      mkdirSync(join(outDir, "dist"), { recursive: true });
      writeFileSync(join(outDir, file), `#!/usr/bin/env node\n${await bundle(rootDir)}`, { mode: 0o755 });
    },
  };
}

/** Compiles a package without dependencies to JavaScript and declarations. */
function compile(rootDir: string, folder: string, files: readonly string[], outDir: string): void {
  const options = ["--declaration", "--rewriteRelativeImportExtensions", "--noEmit", "false"];
  const settings = [
    "--target",
    "es2023",
    "--module",
    "nodenext",
    "--strict",
    "--skipLibCheck",
    "--types",
    "node",
  ];
  const sources = files.map((name) => join(folder, `${name}.ts`));
  const { status, stdout, stderr } = spawnSync(
    join(rootDir, "node_modules/.bin/tsc"),
    ["--ignoreConfig", ...options, ...settings, "--outDir", join(outDir, "dist"), ...sources],
    { cwd: rootDir, encoding: "utf8" },
  );
  if (status === 0) return;
  throw new FatalError(`${folder} does not compile:\n${stdout}${stderr}`, {
    code: "release_failed",
    hint: "Correct the errors of the compiler; npm run typecheck lists them all.",
  });
}

/** Writes a package's directory for `npm pack`. */
export async function writePackage(
  rootDir: string,
  published: PublishedPackage,
  version: string,
  outDir: string,
): Promise<void> {
  const source = join(rootDir, published.folder);
  const { name, description, license } = JSON.parse(
    readFileSync(join(source, "package.json"), "utf8"),
  ) as Record<string, string>;
  mkdirSync(outDir, { recursive: true });
  await published.build(rootDir, outDir);
  cpSync(join(source, "README.md"), join(outDir, "README.md"));
  cpSync(join(rootDir, "LICENSE"), join(outDir, "LICENSE"));
  const manifest = {
    name,
    version,
    description,
    license,
    type: "module",
    files: ["dist"],
    ...published.manifest,
  };
  writeFileSync(join(outDir, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}
