import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import type { Entry } from "./tar.ts";

/** Where koffi's module looks for its native part, seen from the bundle's folder. */
const nativeDir = "/app/build/koffi";
/** The prover in an image, as the node client starts it. */
export const proverDir = "/app/prover/bin";

const commonJs = [
  'import { createRequire as createRequireOfProver } from "node:module";',
  "const require = createRequireOfProver(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("\n");

/** The prover's process as one file, with its kernels and koffi's native part. */
export async function proverEntries(repoRoot: string): Promise<Entry[]> {
  const source = join(repoRoot, "packages/proof/opencl");
  const platform = `linux_${process.arch}`;
  const native = join(repoRoot, "node_modules/@koromix", `koffi-linux-${process.arch}`, platform);
  return [
    { kind: "bytes", path: `${proverDir}/prover.mjs`, mode: 0o644, bytes: await bundle(repoRoot, source) },
    {
      kind: "bytes",
      path: `${proverDir}/kernel.cl`,
      mode: 0o644,
      bytes: await readFile(join(source, "kernel.cl")),
    },
    {
      kind: "bytes",
      path: `${nativeDir}/${platform}/koffi.node`,
      mode: 0o755,
      bytes: await readFile(join(native, "koffi.node")),
    },
  ];
}

async function bundle(repoRoot: string, source: string): Promise<Buffer> {
  const { outputFiles } = await build({
    entryPoints: [join(source, "child.ts")],
    absWorkingDir: repoRoot,
    bundle: true,
    write: false,
    outfile: "prover.mjs",
    platform: "node",
    target: "node24",
    format: "esm",
    banner: { js: commonJs },
    legalComments: "eof",
    external: ["*.node"],
    logLevel: "silent",
  });
  return Buffer.from(outputFiles.map(({ text }) => text).join(""));
}
