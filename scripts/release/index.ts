// Builds the packages that partners and operators install: npm run release -- --out FOLDER
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { start } from "@ngpu/runtime/lifecycle";
import { version } from "@ngpu/runtime/version";
import { Command } from "commander";
import { publishedPackages, writePackage } from "./packages.ts";

const rootDir = join(import.meta.dirname, "../..");

/** Builds and packs every published package; prints the path of each archive. */
async function release(outDir: string): Promise<void> {
  mkdirSync(outDir, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "ngpu-release-"));
  try {
    for (const published of publishedPackages) {
      const folder = join(scratch, basename(published.folder));
      await writePackage(rootDir, published, version, folder);
      process.stdout.write(`${pack(folder, outDir)}\n`);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function pack(folder: string, outDir: string): string {
  const { status, stdout, stderr } = spawnSync(
    "npm",
    ["pack", "--silent", "--ignore-scripts", "--pack-destination", outDir],
    { cwd: folder, encoding: "utf8" },
  );
  if (status === 0) return join(outDir, stdout.trim());
  throw new FatalError(`npm could not pack ${folder}:\n${stderr}`, {
    code: "release_failed",
    hint: "Resolve the error of npm, then run the command again.",
  });
}

const program = new Command("npm run release --")
  .description("Builds the npm packages of the API client, the command line and the node client")
  .option("--out <folder>", "where the archives go", join(rootDir, ".ngpu/release"))
  .action(({ out }: { out: string }) => release(resolve(process.env.INIT_CWD ?? process.cwd(), out)));

await start(async () => {
  await program.parseAsync();
});
