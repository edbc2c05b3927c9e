import { join } from "node:path";
import { build, type Plugin } from "esbuild";

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

/** The programs of the client: the client itself, what decrypts its key, and what verifies and unpacks its updates. */
const programs = {
  "client.mjs": "node-client/main.ts",
  "keystore.mjs": "node-client/keys/keystoreProgram.ts",
  "updater.mjs": "node-client/updates/updaterProgram.ts",
};

/** The programs' modules by file name. */
export type ClientBundles = Record<keyof typeof programs, string>;

/**
 * Bundles each program of the client into one JavaScript module.
 *
 * @param version The version that they print; default: the checkout's.
 */
export async function bundleClient(rootDir: string, version?: string): Promise<ClientBundles> {
  const bundle = (name: keyof typeof programs) => bundleProgram(rootDir, programs[name], version);
  const [client, keystore, updater] = await Promise.all([
    bundle("client.mjs"),
    bundle("keystore.mjs"),
    bundle("updater.mjs"),
  ]);
  return { "client.mjs": client, "keystore.mjs": keystore, "updater.mjs": updater };
}

/** Bundles a program and all packages that it uses into one JavaScript module. */
export async function bundleProgram(rootDir: string, entry: string, version?: string): Promise<string> {
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
    plugins: version === undefined ? [] : [stateVersion(rootDir, version)],
  });
  return outputFiles.map(({ text }) => text).join("");
}

/** Replaces the version of the checkout's package.json. */
function stateVersion(rootDir: string, version: string): Plugin {
  const manifest = join(rootDir, "package.json");
  return {
    name: "state-version",
    setup: ({ onLoad }) => {
      onLoad({ filter: /package\.json$/ }, ({ path }) =>
        path === manifest ? { contents: JSON.stringify({ version }), loader: "json" } : undefined,
      );
    },
  };
}
