import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NgpuError } from "@ngpu/runtime/errors";
import { createKeyFile } from "@ngpu/update-repository/keys";
import { addRelease, setClientConfig } from "@ngpu/update-repository/offline";
import { expect } from "chai";
import { failedReleases, readClientConfig, updatePlace } from "../../../node-client/updates/place.ts";
import { update } from "../../../node-client/updates/updater.ts";
import type { UpdateTask } from "../../../node-client/updates/updateTask.ts";
import { temporaryDir } from "../../embedded/setup.ts";
import { startUpdateMarket, type UpdateMarket } from "../../support/updateMarket.ts";

const day = 86_400_000;
const prints = (version: string) => `console.log("${version}");`;

describe("an update of the client", function () {
  this.timeout(60_000);
  let home: ReturnType<typeof temporaryDir>;
  let market: UpdateMarket;
  let dir: string;
  beforeEach(async () => {
    home = temporaryDir();
    market = await startUpdateMarket(home.path);
    dir = join(home.path, "node/updates");
    updatePlace({ NGPU_UPDATES: dir });
    market.release("1.1.0", prints("1.1.0"));
  });
  afterEach(async () => {
    await market.stop();
    home[Symbol.dispose]();
  });
  const task = (change: Partial<UpdateTask> = {}): UpdateTask => ({
    dir,
    releases: market.url,
    root: join(market.dir, "metadata/1.root.json"),
    installed: "1.0.0",
    platform: `${process.platform}-${process.arch}`,
    address: `0x${"1".repeat(40)}`,
    ...change,
  });
  const refusal = async (change: Partial<UpdateTask> = {}) => {
    const error = await update(task(change)).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(NgpuError);
    return error as NgpuError;
  };
  const pending = () =>
    existsSync(join(dir, "pending")) ? readFileSync(join(dir, "pending"), "utf8").trim() : undefined;
  const newest = (role: string) =>
    readdirSync(join(market.dir, "metadata"))
      .filter((name) => name.endsWith(`.${role}.json`))
      .sort((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10))[0] as string;
  /** Changes a signed file without signing it again. */
  const tamper = (path: string, from: string | RegExp, to: string) => {
    const text = readFileSync(path, "utf8");
    expect(text).to.match(from instanceof RegExp ? from : new RegExp(from));
    writeFileSync(path, text.replace(from, to));
  };

  it("installs nothing before a rollout, and the release that one names then", async () => {
    expect(await update(task())).to.deep.equal({
      state: "none",
      because: "no_rollout",
      configChanged: false,
    });
    market.rollOut({ release: "1.1.0" });
    expect(await update(task())).to.deep.equal({ state: "staged", release: "1.1.0", configChanged: false });
    expect(pending()).to.equal("1.1.0");
    expect(readFileSync(join(dir, "releases/1.1.0/client.mjs"), "utf8")).to.equal(prints("1.1.0"));
  });

  it("leaves a client out that the rollout does not reach, or that has a newer release", async () => {
    market.rollOut({ release: "1.1.0", percent: 0 });
    expect(await update(task())).to.include({ because: "not_yet" });
    market.rollOut({ release: "1.1.0", paused: "Alert NodesLost" });
    expect(await update(task())).to.include({ because: "paused" });
    market.rollOut({ release: "1.1.0" });
    expect(await update(task({ installed: "1.2.0" }))).to.include({ because: "older" });
    expect(await update(task({ platform: "linux-riscv64" }))).to.include({ because: "no_archive" });
    expect(pending()).to.equal(undefined);
  });

  it("refuses a file that was changed after it was signed", async () => {
    market.rollOut({ release: "1.1.0" });
    const metadata = (name: string) => join(market.dir, "metadata", name);
    for (const [path, from, to] of [
      [metadata("timestamp.json"), /"version": (\d)/, '"version": 1$1'],
      [metadata(newest("snapshot")), /"version": (\d)/, '"version": 1$1'],
      [metadata(newest("targets")), /[0-9a-f]{64}/, "0".repeat(64)],
      [metadata(newest("rollout")), /[0-9a-f]{64}/, "0".repeat(64)],
    ] as const) {
      const intact = readFileSync(path, "utf8");
      tamper(path, from, to);
      expect((await refusal()).code, path).to.equal("update_refused");
      writeFileSync(path, intact);
    }
    const [rolloutFile] = readdirSync(market.dir).filter((name) => name.endsWith(".rollout.json"));
    const path = join(market.dir, rolloutFile as string);
    const intact = readFileSync(path, "utf8");
    tamper(path, /"percent":100/, '"percent":001');
    expect((await refusal()).code).to.equal("update_refused");
    writeFileSync(path, intact);
    expect(pending()).to.equal(undefined);
    expect(await update(task())).to.include({ state: "staged" });
  });

  it("refuses an archive that is not the signed one, and takes the right one later", async () => {
    market.rollOut({ release: "1.1.0" });
    const folder = join(market.dir, "1.1.0");
    const hashed = join(folder, readdirSync(folder).find((name) => /^[0-9a-f]{64}\./.test(name)) as string);
    const intact = readFileSync(hashed);
    const changed = Buffer.from(intact);
    changed[changed.length - 9] = (changed[changed.length - 9] as number) ^ 1;
    writeFileSync(hashed, changed);
    expect((await refusal()).code).to.equal("update_refused");
    writeFileSync(hashed, Buffer.concat([intact, Buffer.from("more")]));
    expect((await refusal()).code).to.be.oneOf(["update_refused", "release_unreachable"]);
    expect(pending()).to.equal(undefined);
    writeFileSync(hashed, intact);
    expect(await update(task())).to.include({ state: "staged" });
  });

  it("refuses older signatures after newer ones, so that nobody brings a previous rollout back", async () => {
    market.rollOut({ release: "1.1.0", paused: "it breaks" });
    const previous = new Map(
      readdirSync(join(market.dir, "metadata")).map((name) => [
        name,
        readFileSync(join(market.dir, "metadata", name)),
      ]),
    );
    market.rollOut({ release: "1.1.0", percent: 0 });
    expect(await update(task())).to.include({ because: "not_yet" });
    for (const [name, bytes] of previous) writeFileSync(join(market.dir, "metadata", name), bytes);
    expect((await refusal()).code).to.equal("update_refused");
  });

  it("refuses expired signatures", async () => {
    await market.stop();
    home[Symbol.dispose]();
    home = temporaryDir();
    market = await startUpdateMarket(home.path, Date.now() - 2 * day);
    dir = join(home.path, "node/updates");
    updatePlace({ NGPU_UPDATES: dir });
    const error = await refusal();
    expect(error.code).to.equal("update_refused");
    expect(error.message).to.include("expired");
    // config signs again, and all is well.
    market.online.refresh(Date.now());
    expect(await update(task())).to.include({ because: "no_rollout" });
  });

  it("refuses a release that another key signed, also the online one's holder's", async () => {
    const stranger = createKeyFile(join(market.keysDir, "stranger.pem"), undefined);
    const archives = [{ platform: task().platform, sha256: "ab".repeat(32), bytes: 10 }];
    addRelease(market.dir, stranger, { version: "1.1.0", archives: [] }, Date.now());
    expect(() => addRelease(market.dir, stranger, { version: "1.1.0", archives }, Date.now())).to.throw(
      "signed with another archive",
    );
    expect(() => market.online.refresh(Date.now())).to.throw("not signed by the releases key");
  });

  it("does not install what does not run here, and does not fetch it again", async () => {
    market.release("1.3.0", "process.exit(3);");
    market.rollOut({ release: "1.3.0" });
    expect((await refusal()).code).to.equal("release_unusable");
    expect(failedReleases({ dir })).to.deep.equal(["1.3.0"]);
    market.requests.length = 0;
    expect(await update(task())).to.include({ because: "failed_before" });
    expect(market.requests.filter((path) => path.endsWith(".tar.gz"))).to.deep.equal([]);
    market.release("1.3.1", prints("9.9.9"));
    market.rollOut({ release: "1.3.1" });
    expect((await refusal()).message).to.include("it says that it is 9.9.9");
  });

  it("goes on with a download where it ended", async () => {
    market.rollOut({ release: "1.1.0" });
    const folder = join(market.dir, "1.1.0");
    const name = readdirSync(folder).find((one) => /^[0-9a-f]{64}\./.test(one)) as string;
    const bytes = readFileSync(join(folder, name));
    updatePlace({ NGPU_UPDATES: join(dir, "targets") });
    writeFileSync(join(dir, "targets", `1.1.0.tar.gz.${name.slice(0, 16)}.part`), bytes.subarray(0, 100));
    expect(await update(task())).to.include({ state: "staged" });
    expect(readdirSync(join(dir, "targets")).filter((one) => one.includes("tar.gz"))).to.deep.equal([]);
  });

  it("stores the signed configuration, whose version only rises", async () => {
    const set = (config: unknown) => {
      setClientConfig(market.dir, market.keys.releases, config, Date.now());
      market.online.refresh(Date.now());
    };
    set({ version: 1, limits: { prefetchGib: 3 } });
    expect(await update(task())).to.include({ configChanged: true });
    expect(await update(task())).to.include({ configChanged: false });
    expect(readClientConfig({ dir }).limits).to.deep.equal({ prefetchGib: 3 });
    expect(() => set({ version: 1, limits: {} })).to.throw("version 1 is signed already");
    expect(() => set({ version: 2, limit: {} })).to.throw("Unrecognized key");
    set({ version: 2, switches: { updates: false } });
    market.rollOut({ release: "1.1.0" });
    expect(await update(task())).to.deep.equal({
      state: "none",
      because: "switched_off",
      configChanged: true,
    });
  });
});
