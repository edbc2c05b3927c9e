import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { version } from "@ngpu/node-client/version";
import { expect } from "chai";
import { type ClientManifest, measurerScript, writeRelease } from "../../scripts/client/release.ts";
import { ownPlatform, type Platform } from "../../scripts/client/runtime.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

const platform = ownPlatform() ?? ("linux-x64" as Platform);

/** Runs the client of an unpacked archive with its own Node and an empty environment. */
function runClient(folder: string, args: string[], env: Record<string, string> = {}) {
  const client = join(folder, "ngpu-client");
  const { status, stdout, stderr } = spawnSync(
    join(client, "bin/node"),
    [join(client, "client.mjs"), ...args],
    { cwd: folder, env, encoding: "utf8" },
  );
  return { status, stdout, stderr };
}

describe("a release of the node client", function () {
  this.timeout(120_000);
  const dirs = { release: temporaryDir(), empty: temporaryDir() };
  let manifest: ClientManifest;
  before(async () => {
    const outDir = dirs.release.path;
    manifest = await writeRelease({ rootDir, outDir, platforms: [platform] });
    execFileSync("tar", ["-xzf", archive(), "-C", dirs.empty.path]);
  });
  after(() => {
    for (const dir of Object.values(dirs)) dir[Symbol.dispose]();
  });
  const archive = () => join(dirs.release.path, "client", manifest.platforms[platform]?.file ?? "");

  it("has a manifest with the version, and the size and hash of each archive", () => {
    const written = JSON.parse(
      readFileSync(join(dirs.release.path, "client/manifest.json"), "utf8"),
    ) as unknown;
    expect(written).to.deep.equal(manifest);
    const bytes = readFileSync(archive());
    expect(manifest).to.deep.equal({
      version,
      platforms: {
        [platform]: {
          file: `${version}/ngpu-client-${platform}.tar.gz`,
          sha256: createHash("sha256").update(bytes).digest("hex"),
          bytes: bytes.length,
        },
      },
    });
  });

  it("has the same bytes when it is written again", async () => {
    using again = temporaryDir();
    expect(await writeRelease({ rootDir, outDir: again.path, platforms: [platform] })).to.deep.equal(
      manifest,
    );
  });

  it("contains only the client, Node and the unit", () => {
    const files = readdirSync(join(dirs.empty.path, "ngpu-client"), { recursive: true }).sort();
    expect(files).to.deep.equal([
      "bin",
      "bin/node",
      "client.mjs",
      "install.sh",
      "keystore.mjs",
      "launcher.sh",
      "service.unit",
      "updater.mjs",
    ]);
    expect(statSync(join(dirs.empty.path, "ngpu-client/bin/node")).mode & 0o777).to.equal(0o755);
  });

  it("prints its version in an otherwise empty directory", () => {
    expect(runClient(dirs.empty.path, ["--version"])).to.deep.equal({
      status: 0,
      stdout: `${version}\n`,
      stderr: "",
    });
  });

  it("creates a key", () => {
    const NODE_DIR = join(dirs.empty.path, "state");
    const { status, stdout } = runClient(dirs.empty.path, ["identity"], { NODE_DIR });
    expect(status).to.equal(0);
    expect(stdout).to.match(/^0x[0-9a-fA-F]{40}\n$/);
  });

  it("reports invalid settings", () => {
    const { status, stderr } = runClient(dirs.empty.path, ["run"], { NODE_WALLET: "0x12" });
    expect(status).to.equal(1);
    expect(stderr).to.include("NGPU_API is not set").and.to.include("NODE_WALLET is not an address");
  });

  it("connects to the configured Docker engine", () => {
    const { status, stderr } = runClient(dirs.empty.path, ["probe"], { NODE_DOCKER_SOCKET: "/nowhere.sock" });
    expect(status).to.equal(1);
    expect(stderr).to.include("/nowhere.sock");
  });

  it("has install scripts that differ only in their role", () => {
    const [node, measurer] = ["install_mcNode.sh", "install_measure.sh"].map((name) =>
      readFileSync(join(dirs.release.path, name), "utf8"),
    );
    expect(node).to.equal(readFileSync(join(rootDir, "scripts/install_mcNode.sh"), "utf8"));
    expect(measurer?.replace(/^role=measurer$/m, "role=node")).to.equal(node);
    expect(() => measurerScript("#!/bin/sh\n")).to.throw("no line role=node");
  });
});
