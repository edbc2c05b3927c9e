import { join } from "node:path";
import { build } from "esbuild";

/**
 * The CommonJS names that the bundled packages expect, defined for the one ES module. The long names avoid collisions with
 * those of the packages.
 */
const commonJs = [
  'import { createRequire as createRequireOfClient } from "node:module";',
  "const require = createRequireOfClient(import.meta.url);",
  "const __filename = import.meta.filename;",
  "const __dirname = import.meta.dirname;",
].join("\n");

/** Bundles the node client into one JavaScript module. */
export function bundleClient(rootDir: string): Promise<string> {
  return bundleProgram(rootDir, "node-client/main.ts");
}

/** Bundles the program that decrypts the client's key, which runs beside it. */
export function bundleKeystore(rootDir: string): Promise<string> {
  return bundleProgram(rootDir, "node-client/keys/keystoreProgram.ts");
}

/** Bundles a program and all packages that it uses into one JavaScript module. */
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
    // Native add-ons, compiled for one platform. ssh2, ws and pg work without them.
    external: ["cpu-features", "bufferutil", "utf-8-validate", "pg-native", "*.node"],
    logLevel: "silent",
  });
  return outputFiles.map(({ text }) => text).join("");
}
