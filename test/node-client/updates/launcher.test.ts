import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { temporaryDir } from "../../embedded/setup.ts";
import { eventually } from "../../services/support/context.ts";
import { rootDir } from "../../support/parts.ts";
import { writeRelease } from "../../support/updateMarket.ts";

/** A client that writes down that it started, then does what `then` says. */
const client = (name: string, then: string) => `
import { appendFileSync, writeFileSync } from "node:fs";
const { NODE_DIR, NGPU_UPDATES, NGPU_RELEASE } = process.env;
appendFileSync(NODE_DIR + "/starts", "${name} " + process.argv[2] + " " + (NGPU_RELEASE || "installed") + "\\n");
process.on("SIGTERM", () => { appendFileSync(NODE_DIR + "/starts", "${name} stops\\n"); process.exit(0); });
const healthy = () => writeFileSync(NGPU_UPDATES + "/healthy", "${name}\\n");
setInterval(() => undefined, 1_000);
${then}
`;

describe("the launcher", function () {
  this.timeout(60_000);
  let home: ReturnType<typeof temporaryDir>;
  let child: ChildProcess | undefined;
  let ended: Promise<unknown[]>;
  beforeEach(() => {
    home = temporaryDir();
    mkdirSync(join(home.path, "node/updates/releases"), { recursive: true });
    const installed = join(home.path, "installed");
    writeRelease(installed, client("1.0.0", ""));
    copyFileSync(join(rootDir, "node-client/launcher.sh"), join(installed, "launcher.sh"));
  });
  afterEach(async () => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM");
      await ended;
    }
    child = undefined;
    home[Symbol.dispose]();
  });
  const state = (name: string) => join(home.path, "node/updates", name);
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trim() : "");
  const starts = () => read(join(home.path, "node/starts")).split("\n");
  const addPending = (version: string, then: string) => {
    writeRelease(state(`releases/${version}`), client(version, then));
    writeFileSync(state("pending"), `${version}\n`);
  };
  const launch = (seconds = 30) => {
    child = spawn("sh", [join(home.path, "installed/launcher.sh"), "run"], {
      env: {
        PATH: process.env.PATH,
        NODE_DIR: join(home.path, "node"),
        NGPU_HEALTHY_SECONDS: String(seconds),
        NGPU_STOP_SECONDS: "2",
      },
      stdio: "ignore",
      detached: true,
    });
    ended = once(child, "exit");
  };

  it("runs the installed client, passes its command on, and ends with its status", async () => {
    writeFileSync(
      join(home.path, "installed/client.mjs"),
      "process.exit(process.argv[2] === 'run' ? 7 : 1);",
    );
    launch();
    expect(await ended).to.deep.equal([7, null]);
  });

  it("stops the client when it is stopped", async () => {
    launch();
    await eventually("the client starts", () => starts()[0] === "1.0.0 run installed");
    child?.kill("SIGTERM");
    expect(await ended).to.deep.equal([0, null]);
    expect(starts()).to.deep.equal(["1.0.0 run installed", "1.0.0 stops"]);
  });

  it("replaces the client by a release that becomes healthy, also after a restart", async () => {
    writeFileSync(
      join(home.path, "installed/client.mjs"),
      client("1.0.0", "setTimeout(() => process.exit(75), 500);"),
    );
    launch();
    await eventually("the first client starts", () => starts()[0] === "1.0.0 run installed");
    addPending("1.1.0", "setTimeout(healthy, 300);");
    await eventually("the release is taken over", () => !existsSync(state("pending")));
    expect(read(state("current"))).to.equal("1.1.0");
    child?.kill("SIGTERM");
    await ended;
    launch();
    await eventually(
      "the release starts again",
      () => starts().filter((line) => line === "1.1.0 run 1.1.0").length === 2,
    );
  });

  it("runs the previous release again when a new one ends or does not become healthy in time", async () => {
    for (const [version, then] of [
      ["1.1.0", "process.exit(1);"],
      ["1.2.0", "throw new Error('broken');"],
      ["1.3.0", ""],
    ] as const) {
      addPending(version, then);
      launch(3);
      await eventually(`${version} is rejected`, () => starts().at(-1) === "1.0.0 run installed");
      expect(starts()).to.include(`${version} run ${version}`);
      expect(read(state("failed")).split("\n")).to.include(version);
      expect(existsSync(state("pending"))).to.equal(false);
      child?.kill("SIGTERM");
      await ended;
    }
  });

  it("ends a release that ignores its end", async () => {
    addPending("1.1.0", "process.removeAllListeners('SIGTERM'); process.on('SIGTERM', () => undefined);");
    launch(1);
    await eventually("the previous release runs again", () => starts().at(-1) === "1.0.0 run installed");
  });

  it("does not count a stop by the operator against a new release", async () => {
    addPending("1.1.0", "");
    launch(60);
    await eventually("the release starts", () => starts()[0] === "1.1.0 run 1.1.0");
    child?.kill("SIGTERM");
    await ended;
    expect(read(state("failed"))).to.equal("");
    expect(read(state("pending"))).to.equal("1.1.0");
  });

  it("gives a release that ends the machine's session up after three starts", async () => {
    addPending("1.1.0", "");
    for (let start = 1; start <= 3; start += 1) {
      launch(60);
      await eventually(
        "the release starts",
        () => starts().filter((line) => line.startsWith("1.1.0 run")).length === start,
      );
      // The power fails: everything ends at once.
      process.kill(-(child?.pid ?? 0), "SIGKILL");
      await ended;
    }
    launch();
    await eventually("the previous release runs", () => starts().at(-1) === "1.0.0 run installed");
    expect(read(state("failed"))).to.equal("1.1.0");
  });

  it("runs the installed client when the files of a release are incomplete or its name is odd", async () => {
    for (const name of ["../../installed", "1.1.0; touch /tmp/odd", "1.9.0", ""]) {
      writeFileSync(state("current"), `${name}\n`);
      writeFileSync(state("pending"), `${name}\n`);
      launch();
      await eventually("the installed client starts", () => starts().at(-1) === "1.0.0 run installed");
      child?.kill("SIGTERM");
      await ended;
    }
    expect(existsSync("/tmp/odd")).to.equal(false);
  });
});
