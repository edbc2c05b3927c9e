import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { bundleClient } from "../../scripts/client/bundle.ts";
import { findProgram } from "../../scripts/embedded/install.ts";
import { rootDir } from "../support/parts.ts";
import { noScratchRoot, recordProgram, type ScratchRoot, scratchRoot } from "../support/scratchRoot.ts";
import { type FakeMarket, fakeMarket } from "./fakeMarket.ts";

const scripts = ["install_mcNode.sh", "install_measure.sh"];
const wallet = `0x${"ab".repeat(20)}`;

async function install(script: string, ...options: string[]) {
  const child = spawn("sh", [join(rootDir, "scripts", script), ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once("close", resolve)),
  ]);
  return { code, out, err };
}

describe("the install scripts", function () {
  this.timeout(120_000);
  let market: FakeMarket;
  let bundle: string;
  before(async () => {
    const bundles = await bundleClient(rootDir);
    bundle = bundles["client.mjs"];
    market = await fakeMarket({ version: "1.0.0", bundle }, bundles["keystore.mjs"]);
  });
  after(() => market.stop());
  const given = () => ["--api", market.api, "--docker-socket", market.engine];

  for (const script of scripts) {
    it(`${script} is valid POSIX sh`, function () {
      const path = join(rootDir, "scripts", script);
      for (const shell of ["sh", "dash"].filter((one) => findProgram(one) !== undefined)) {
        const { status, stderr } = spawnSync(shell, ["-n", path], { encoding: "utf8" });
        expect([status, stderr]).to.deep.equal([0, ""]);
      }
      if (findProgram("shellcheck") === undefined) this.skip();
      const { status, stdout } = spawnSync("shellcheck", ["-s", "sh", path], { encoding: "utf8" });
      expect([status, stdout]).to.deep.equal([0, ""]);
    });

    it(`${script} prints every step of a dry run and takes none`, async () => {
      const role = script === "install_measure.sh" ? "measurer" : "node";
      const before = existsSync(`/opt/ngpu/${role}`);
      const options = role === "node" ? given() : ["--api", market.api];
      const { code, out, err } = await install(script, "--dry-run", ...options, "--region", "DE");
      expect([code, err]).to.deep.equal([0, ""]);
      expect(out).to.include(`unpack it to /opt/ngpu/${role}\n`);
      expect(out).to.include(`NGPU_API=${market.api}`);
      expect(out).to.include(role === "node" ? "NODE_REGION=DE" : "MEASURER_REGION=DE");
      expect(existsSync(`/opt/ngpu/${role}`)).to.equal(before);
      expect(existsSync(`/opt/ngpu/${role}.new`)).to.equal(false);
    });
  }

  it("give only the compute node access to the Docker engine", async () => {
    const node = await install("install_mcNode.sh", "--dry-run", ...given());
    expect(node.out).to.include("--groups docker");
    const measurer = await install("install_measure.sh", "--dry-run", "--api", market.api);
    expect(measurer.out).not.to.include("docker");
  });

  it("take the client from a directory", async () => {
    const { code, out } = await install(
      "install_mcNode.sh",
      "--dry-run",
      ...given(),
      "--from",
      market.releases,
    );
    expect(code).to.equal(0);
    expect(out).to.include(`fetch ${market.releases}/1.0.0/client.tar.gz`);
  });

  it("report invalid options", async () => {
    const wrong: [string[], string][] = [
      [["--dry-run"], "--api is missing"],
      [["--dry-run", ...given(), "--from", "/nowhere"], "There is no directory /nowhere"],
      [["--dry-run", ...given(), "--from", "http://far.test/client"], "plain http"],
      [["--dry-run", "--api", "http://far.test"], "plain http"],
      [["--dry-run", "--api", "http://127.0.0.1.far.test"], "plain http"],
      [["--dry-run", "--api", "http://127.0.0.1:80@far.test"], "contains an @"],
      [["--dry-run", "--api", "$(id)"], "invalid character"],
      [["--api"], "--api needs a value"],
      [["--nonsense", "1"], "Unknown option --nonsense"],
      [["--role", "king"], "--role must be node or measurer"],
      [["--dry-run", ...given(), "--wallet", "0x12"], "0x and 40 hexadecimal digits"],
      [["--dry-run", ...given(), "--ports", "70000"], "a whole number from 0 to 65535"],
      [["--dry-run", ...given(), "--region", "Germany"], "two letters"],
      [["--dry-run", ...given(), "--docker-socket", "/nowhere"], "No Docker engine responds at /nowhere"],
      [["--dry-run", "--role", "measurer", "--api", market.api, "--price", "1"], "no setting PRICE"],
    ];
    for (const [options, message] of wrong) {
      const { code, err } = await install("install_mcNode.sh", ...options);
      expect([code, err.includes(message)], err).to.deep.equal([1, true]);
    }
  });

  it("report all problems together, each with a hint", async () => {
    const network = market.network;
    market.network = { ...network, matchUrls: ["ws://127.0.0.1:1"] };
    market.date = new Date(Date.now() - 3_600_000);
    const { code, out, err } = await install(
      "install_mcNode.sh",
      "--dry-run",
      ...given(),
      "--wallet",
      "0x12",
      "--gpus",
      "many",
    );
    market.network = network;
    market.date = undefined;
    expect([code, out]).to.deep.equal([1, ""]);
    for (const message of ["--wallet is", "--gpus is", "clock differs", "match service is not reachable"]) {
      expect(err).to.include(message);
    }
    const lines = err.trimEnd().split("\n").slice(1);
    expect(lines.map((line) => line.startsWith("  - "))).to.deep.equal(
      [0, 1, 2, 3].flatMap(() => [true, false]),
    );
  });

  it("report an API that does not respond, has no client, or none for this machine", async () => {
    const silent = await install("install_mcNode.sh", "--dry-run", "--api", "http://127.0.0.1:1");
    expect(silent.err).to.include("The market's API does not respond at http://127.0.0.1:1/v1/network");
    const manifest = readFileSync(join(market.releases, "manifest.json"), "utf8");
    writeFileSync(join(market.releases, "manifest.json"), '{"version":"1.0.0","platforms":{}}');
    const none = await install("install_mcNode.sh", "--dry-run", ...given());
    expect(none.err).to.match(/The market has no client for linux-(x64|arm64)/);
    writeFileSync(join(market.releases, "manifest.json"), manifest);
    const nowhere = await install(
      "install_mcNode.sh",
      "--dry-run",
      ...given(),
      "--from",
      `${market.api}/other`,
    );
    expect(nowhere.err).to.include(`There is no client at ${market.api}/other/manifest.json`);
  });

  describe("in their own root", () => {
    let root: ScratchRoot;
    before(function () {
      const reason = noScratchRoot();
      if (reason !== undefined) this.skip();
    });
    beforeEach(() => {
      root = scratchRoot(market.engine);
    });
    afterEach(() => root?.remove());
    const inside = (...options: string[]) =>
      root.run(`exec sh ${rootDir}/scripts/install_mcNode.sh ${options.join(" ")}`);
    const settings = () => readFileSync(join(root.path, "etc/ngpu/node.env"), "utf8").trim().split("\n");
    const users = () => readFileSync(join(root.path, "etc/passwd"), "utf8");

    it("install a client that the printed command runs", async () => {
      const { code, stdout, stderr } = await inside(
        "--api",
        market.api,
        "--wallet",
        wallet,
        "--region",
        "DE",
      );
      expect([code, stderr]).to.deep.equal([0, ""]);
      expect(settings()).to.have.members([
        `NGPU_API=${market.api}`,
        "NODE_DIR=/var/lib/ngpu-node",
        "NODE_PASSPHRASE_FILE=/etc/ngpu/node.passphrase",
        `NODE_WALLET=${wallet}`,
        "NODE_REGION=DE",
      ]);
      expect(statSync(join(root.path, "etc/ngpu/node.env")).mode & 0o777).to.equal(0o600);
      expect(users()).to.match(/^ngpu-node:.*:\/var\/lib\/ngpu-node:\/usr\/sbin\/nologin$/m);
      const command = stdout.split("\n").find((line) => line.startsWith("  sh -c "));
      const identity = await root.run(`${command?.replace(/ run'$/, " identity'")}`);
      expect(identity.stdout).to.match(/^0x[0-9a-fA-F]{40}\n$/);
      const named = await root.run("/usr/local/bin/ngpu-node identity");
      expect(named.stdout).to.equal(identity.stdout);
      const key = statSync(join(root.path, "lib/ngpu-node/node.key"));
      expect([key.mode & 0o777, key.uid]).to.deep.equal([0o600, uidOf(users())]);
      const passphrase = statSync(join(root.path, "etc/ngpu/node.passphrase"));
      expect([passphrase.mode & 0o777, passphrase.uid]).to.deep.equal([0o600, uidOf(users())]);
      expect(readdirSync(join(root.path, "lib/ngpu-node"))).to.deep.equal(["node.key"]);
    });

    it("update the client and keep settings without an option", async () => {
      await inside("--api", market.api, "--wallet", wallet, "--region", "DE", "--price", "5");
      appendFileSync(join(root.path, "etc/ngpu/node.env"), "NODE_PREFETCH_GIB=3\n");
      market.release({ version: "1.0.1", bundle: `${bundle}\n// newer` });
      const { code, stderr } = await inside("--region", "FR");
      market.release({ version: "1.0.0", bundle });
      expect([code, stderr]).to.deep.equal([0, ""]);
      expect(settings()).to.include.members(["NODE_REGION=FR", "NODE_PRICE=5", `NODE_WALLET=${wallet}`]);
      expect(settings()).to.include.members(["NODE_PREFETCH_GIB=3", `NGPU_API=${market.api}`]);
      expect(settings()).not.to.include("NODE_REGION=DE");
      expect(readFileSync(join(root.path, "opt/ngpu/node/client.mjs"), "utf8")).to.match(/\/\/ newer$/);
      expect(readdirSync(join(root.path, "opt/ngpu"))).to.deep.equal(["node"]);
    });

    it("reject an archive that does not match the manifest, and change nothing", async () => {
      appendFileSync(join(market.releases, "1.0.0/client.tar.gz"), "x");
      const { code, stderr } = await inside("--api", market.api);
      market.release({ version: "1.0.0", bundle });
      expect(code).to.equal(1);
      expect(stderr).to.include("its sha256 differs. Nothing was changed");
      expect(readdirSync(join(root.path, "opt"))).to.deep.equal([]);
      expect(existsSync(join(root.path, "etc/ngpu"))).to.equal(false);
      expect(users()).not.to.include("ngpu-node");
    });

    it("reject a client that does not run on this machine, and keep the old one", async () => {
      await inside("--api", market.api);
      market.release({ version: "1.0.1", bundle: "throw new Error('broken');" });
      const { code, stderr } = await inside("--region", "FR");
      market.release({ version: "1.0.0", bundle });
      expect(code).to.equal(1);
      expect(stderr).to.include("The client does not run on this machine");
      expect(readFileSync(join(root.path, "opt/ngpu/node/client.mjs"), "utf8")).to.equal(bundle);
      expect(readdirSync(join(root.path, "opt/ngpu"))).to.deep.equal(["node"]);
      expect(settings()).not.to.include("NODE_REGION=FR");
    });

    it("reject a wallet with a wrong checksum, and change nothing", async () => {
      const { code, stderr } = await inside(
        "--api",
        market.api,
        "--wallet",
        "0xAb5801a7D398351b8bE11C439e05C5B3259aeC9c",
      );
      expect(code).to.equal(1);
      expect(stderr).to.include("NODE_WALLET");
      expect(existsSync(join(root.path, "etc/ngpu"))).to.equal(false);
    });

    it("start a service where systemd runs, and stop it around an update", async () => {
      recordProgram(root, "systemctl");
      const withSystemd = (script: string) => root.run(`mkdir -p /run/systemd/system; ${script}`);
      const command = `sh ${rootDir}/scripts/install_mcNode.sh --api ${market.api}`;
      expect((await withSystemd(command)).stdout).to.include("journalctl -fu ngpu-node");
      await withSystemd(command);
      const calls = readFileSync(join(root.path, "systemctl.calls"), "utf8").trim().split("\n");
      const started = ["daemon-reload", "enable ngpu-node", "restart ngpu-node"];
      expect(calls).to.deep.equal([...started, "stop ngpu-node", ...started]);
      const unit = readFileSync(join(root.path, "etc/systemd/system/ngpu-node.service"), "utf8");
      expect(unit).to.include("ExecStart=/bin/sh /opt/ngpu/node/launcher.sh run\n");
      expect(unit).not.to.match(/@\w+@/);
    });

    it("are run again by ngpu-node update, and with --uninstall by ngpu-node uninstall", async () => {
      const ngpuNode = (command: string) => root.run(`/usr/local/bin/ngpu-node ${command}`);
      await inside("--api", market.api, "--region", "DE");
      market.release({ version: "9.9.9", bundle: `${bundle}\n// newer` });
      const { stdout } = await ngpuNode("update --check --json");
      expect(JSON.parse(stdout)).to.include({ released: "9.9.9", current: false });
      const updated = await ngpuNode("update");
      market.release({ version: "1.0.0", bundle });
      expect(updated.code, updated.stderr).to.equal(0);
      expect(readFileSync(join(root.path, "opt/ngpu/node/client.mjs"), "utf8")).to.match(/\/\/ newer$/);
      expect(settings()).to.include("NODE_REGION=DE");

      recordProgram(root, "docker");
      const removed = await ngpuNode("uninstall --purge");
      expect(removed.code, removed.stderr).to.equal(0);
      expect(removed.stdout).to.include("The client does not run");
      expect(readdirSync(join(root.path, "opt/ngpu"))).to.deep.equal([]);
      expect(existsSync(join(root.path, "etc/ngpu/node.passphrase"))).to.equal(false);
      expect(existsSync(join(root.path, "lib/ngpu-node"))).to.equal(false);
    });

    it("remove the client, and with --purge also its key and settings", async () => {
      await inside("--api", market.api);
      recordProgram(root, "docker");
      const kept = await inside("--uninstall");
      expect(kept.code, kept.stderr).to.equal(0);
      expect(readdirSync(join(root.path, "opt/ngpu"))).to.deep.equal([]);
      expect(readdirSync(join(root.path, "local-bin"))).to.deep.equal([]);
      expect(existsSync(join(root.path, "etc/ngpu/node.env"))).to.equal(true);
      const purged = await inside("--uninstall", "--purge");
      expect(purged.code, purged.stderr).to.equal(0);
      expect(existsSync(join(root.path, "etc/ngpu/node.env"))).to.equal(false);
      expect(existsSync(join(root.path, "lib/ngpu-node"))).to.equal(false);
      expect(users()).not.to.include("ngpu-node");
    });
  });
});

function uidOf(passwd: string): number {
  return Number(/^ngpu-node:[^:]*:(\d+):/m.exec(passwd)?.[1]);
}
