import { join } from "node:path";
import { build } from "esbuild";

/**
 * What the packages inside expect of CommonJS, for the one ES module that they end up in. The names are long so that
 * they meet nobody else's.
 */
const commonJs = [
  'import { createRequire as createRequireOfClient } from "node:module";',
  "const require = createRequireOfClient(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("\n");

/** The node client as one JavaScript module. */
export function bundleClient(rootDir: string): Promise<string> {
  return bundleProgram(rootDir, "node-client/main.ts");
}

/** A program with every package that it uses, as one JavaScript module without a file beside it. */
export async function bundleProgram(rootDir: string, entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(rootDir, entry)],
    absWorkingDir: rootDir,
    bundle: true,
    write: false,
    outfile: "client.mjs",
    platform: "node",
    target: "node24",
    format: "esm",
    banner: { js: commonJs },
    legalComments: "eof",
    // ssh2, ws and pg try these and do without them: they are compiled for one machine.
    external: ["cpu-features", "bufferutil", "utf-8-validate", "pg-native", "*.node"],
    logLevel: "silent",
  });
  return outputFiles.map(({ text }) => text).join("");
}
