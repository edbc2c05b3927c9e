// Writes a release of the node client: npm run client:release -- --out FOLDER
import { join, resolve } from "node:path";
import { releaseVersion } from "@ngpu/protocol/updates";
import { start } from "@ngpu/runtime/lifecycle";
import { Command, Option } from "commander";
import { writeRelease } from "./release.ts";
import { ownPlatform, type Platform, platforms } from "./runtime.ts";

const rootDir = join(import.meta.dirname, "../..");
const own = ownPlatform();

const program = new Command("npm run client:release --")
  .description(
    "Writes the node client's release and the install scripts into a folder: CLIENT_RELEASES of apiServer",
  )
  .requiredOption("--out <folder>", "directory of the release")
  .addOption(
    new Option(
      "--platform <name...>",
      "platforms of the release; Node for a platform other than this one is fetched from npm",
    )
      .choices(platforms)
      .default(own === undefined ? [...platforms] : [own]),
  )
  .option("--release-version <version>", "version of the release (default: the checkout's)")
  .action(async (given: { out: string; platform: Platform[]; releaseVersion?: string }) => {
    const { out, platform: platforms, releaseVersion: version } = given;
    const manifest = await writeRelease({
      rootDir,
      outDir: resolve(out),
      platforms,
      ...(version !== undefined && { version: releaseVersion.parse(version) }),
    });
    process.stdout.write(`${JSON.stringify(manifest, null, 2)}\n`);
  });

await start(async () => {
  await program.parseAsync();
});
