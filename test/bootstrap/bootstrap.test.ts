import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { manifestOf, manifestPath } from "../../scripts/bootstrap/compiled.mjs";
import { tryLock } from "../../scripts/lock.mjs";
import { temporaryDir } from "../embedded/setup.ts";
import { rootDir } from "../support/parts.ts";

type End = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string };

const unreachable = { npm_config_registry: "http://127.0.0.1:9", npm_config_fetch_retries: "0" };

/** A checkout with the bootstrap, one script and, by default, all its packages (only Node). */
function checkout(path: string, { script = "", installed = true } = {}): void {
  mkdirSync(join(path, "scripts"), { recursive: true });
  for (const part of ["bootstrap.mjs", "bootstrap", "lock.mjs"]) {
    cpSync(join(rootDir, "scripts", part), join(path, "scripts", part), { recursive: true });
  }
  writeFileSync(join(path, "scripts/script.ts"), script);
  const project = { name: "checkout", version: "1.0.0", type: "module" };
  writeFileSync(
    join(path, "package.json"),
    JSON.stringify({ ...project, dependencies: { node: process.versions.node } }),
  );
  const packages = { "": project, ...(installed ? {} : { "node_modules/absent": { version: "1.0.0" } }) };
  writeFileSync(
    join(path, "package-lock.json"),
    JSON.stringify({ ...project, lockfileVersion: 3, packages }),
  );
  mkdirSync(join(path, "node_modules/.bin"), { recursive: true });
  symlinkSync(process.execPath, join(path, "node_modules/.bin/node"));
}

/** Adds entries to the checkout's package-lock.json. */
function ask(path: string, entries: Record<string, object>): void {
  const file = join(path, "package-lock.json");
  const lock = JSON.parse(readFileSync(file, "utf8"));
  Object.assign(lock.packages, entries);
  writeFileSync(file, JSON.stringify(lock));
}

/** Adds a contract to the checkout, with a manifest of compiled contracts that matches it. */
function compile(path: string): void {
  mkdirSync(join(path, "contracts/compiled"), { recursive: true });
  writeFileSync(join(path, "contracts/Some.sol"), "contract Some {}");
  writeFileSync(manifestPath(path), manifestOf(path));
}

function start(path: string, args: string[] = [], env: Record<string, string> = {}, options: string[] = []) {
  const child = spawn(process.execPath, ["scripts/bootstrap.mjs", ...options, "scripts/script.ts", ...args], {
    cwd: path,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const end = once(child, "close").then(([code, signal]): End => ({ code, signal, stdout, stderr }));
  return { child, end };
}

const waiting = `
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => { process.stdout.write(name); setTimeout(() => process.exit(5), 100); });
  }
  process.stdout.write("up ");
  setInterval(() => {}, 1000);`;

describe("bootstrap", () => {
  it("runs the script with its arguments, with the packages' programs first on its PATH", async () => {
    using dir = temporaryDir();
    const script =
      "process.stdout.write(JSON.stringify([process.argv.slice(2), process.env.PATH?.split(':')[0]]))";
    checkout(dir.path, { script });
    const { code, stdout } = await start(dir.path, ["--once", "a b"]).end;
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.equal([["--once", "a b"], join(dir.path, "node_modules/.bin")]);
  });

  it("ends with the script's exit code", async () => {
    using dir = temporaryDir();
    checkout(dir.path, { script: "process.exit(42)" });
    expect((await start(dir.path).end).code).to.equal(42);
  });

  it("ends with the signal that ended the script", async () => {
    using dir = temporaryDir();
    checkout(dir.path, { script: "process.kill(process.pid, 'SIGKILL')" });
    expect((await start(dir.path).end).signal).to.equal("SIGKILL");
  });

  for (const [sent, received] of [
    ["SIGTERM", "SIGTERM"],
    ["SIGHUP", "SIGHUP"],
    ["SIGINT", "SIGTERM"],
  ] as const) {
    it(`forwards ${sent} as ${received} and waits for the script to end`, async () => {
      using dir = temporaryDir();
      checkout(dir.path, { script: waiting });
      const { child, end } = start(dir.path);
      await once(child.stdout, "data");
      child.kill(sent);
      const { code, stdout } = await end;
      expect({ code, stdout }).to.deep.equal({ code: 5, stdout: `up ${received}` });
    });
  }

  it("reports an unreachable registry in one line", async () => {
    using dir = temporaryDir();
    checkout(dir.path, { installed: false });
    const cache = { npm_config_cache: join(dir.path, "cache") };
    const { code, stderr } = await start(dir.path, [], { ...unreachable, ...cache }).end;
    expect(code).to.equal(1);
    expect(stderr).to.match(
      /^Installing the npm packages \.\.\. failed after [\d.]+ s\nCould not install .*http:\/\/127\.0\.0\.1:9.*\n$/,
    );
  });

  it("does not change the node_modules of another checkout", async () => {
    using dir = temporaryDir();
    const mine = join(dir.path, "mine");
    const other = join(dir.path, "other");
    checkout(other);
    checkout(mine, { installed: false });
    rmSync(join(mine, "node_modules"), { recursive: true });
    symlinkSync(join(other, "node_modules"), join(mine, "node_modules"));
    const { code, stderr } = await start(mine, [], unreachable).end;
    expect(code).to.equal(1);
    expect(stderr).to.include("node_modules is a symbolic link");
    expect(existsSync(join(other, "node_modules/.bin/node"))).to.equal(true);
  });

  it("does not replace the packages of a running market", async () => {
    using dir = temporaryDir();
    checkout(dir.path, { installed: false });
    const lock = tryLock(join(dir.path, ".ngpu/run/owner.lock"));
    const { code, stderr } = await start(dir.path, [], unreachable).end;
    lock.release?.();
    expect(code).to.equal(1);
    expect(stderr).to.include(`Stop it first: kill -INT ${process.pid}`);
    expect(existsSync(join(dir.path, "node_modules/.bin/node"))).to.equal(true);
  });

  it("waits for another install of the same packages", async () => {
    using dir = temporaryDir();
    checkout(dir.path, { script: "process.stdout.write('ran')", installed: false });
    const lock = tryLock(join(dir.path, ".ngpu/install.lock"));
    const { child, end } = start(dir.path, [], unreachable);
    await once(child.stderr, "data");
    // The other installation is done: the missing package is present.
    mkdirSync(join(dir.path, "node_modules/absent"));
    writeFileSync(join(dir.path, "node_modules/absent/package.json"), '{ "version": "1.0.0" }');
    lock.release?.();
    const { code, stdout, stderr } = await end;
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: "ran" });
    expect(stderr).to.equal(`Waiting for process ${process.pid}, which is installing the npm packages\n`);
  });

  describe("with --omit=dev", () => {
    const script = "process.stdout.write('ran')";
    const tests = {
      "node_modules/tests": { version: "1.0.0", dev: true },
      "node_modules/types": {
        version: "1.0.0",
        devOptional: true,
        optionalDependencies: { "types-here": "1.0.0" },
      },
      "node_modules/types-here": { version: "1.0.0", optional: true, os: [process.platform] },
    };

    it("runs without the packages that only tests and compiling need", async () => {
      using dir = temporaryDir();
      checkout(dir.path, { script });
      ask(dir.path, tests);
      compile(dir.path);
      const { stdout, stderr } = await start(dir.path, [], unreachable, ["--omit=dev"]).end;
      expect({ stdout, stderr }).to.deep.equal({ stdout: "ran", stderr: "" });
    });

    it("requires them when a contract differs from the compiled one", async () => {
      using dir = temporaryDir();
      checkout(dir.path, { script });
      ask(dir.path, tests);
      compile(dir.path);
      writeFileSync(join(dir.path, "contracts/Some.sol"), "contract Some { uint256 private x; }");
      const { code, stderr } = await start(dir.path, [], unreachable, ["--omit=dev"]).end;
      expect(code).to.equal(1);
      expect(stderr).to.match(/^Installing the npm packages \.\.\. failed/);
    });

    it("allows the tests to complete the installation later, also while a market runs from it", async () => {
      using dir = temporaryDir();
      checkout(dir.path, { script });
      ask(dir.path, tests);
      compile(dir.path);
      await start(dir.path, [], unreachable, ["--omit=dev"]).end;
      const lock = tryLock(join(dir.path, ".ngpu/run/owner.lock"));
      const { code, stderr } = await start(dir.path, [], unreachable).end;
      lock.release?.();
      expect(code).to.equal(1);
      expect(stderr).to.match(/^Installing the npm packages \.\.\. failed/);
      expect(existsSync(join(dir.path, "node_modules/.bin/node"))).to.equal(true);
    });

    it("accepts a complete installation", async () => {
      using dir = temporaryDir();
      checkout(dir.path, { script });
      await start(dir.path).end;
      compile(dir.path);
      const { stdout, stderr } = await start(dir.path, [], unreachable, ["--omit=dev"]).end;
      expect({ stdout, stderr }).to.deep.equal({ stdout: "ran", stderr: "" });
    });
  });

  describe("with workspaces", () => {
    const script = "process.stdout.write('ran')";
    const workspace = {
      "packages/one": { version: "1.0.0" },
      "node_modules/@ngpu/one": { resolved: "packages/one", link: true },
    };

    it("requires a link to each workspace, not a package in its place", async () => {
      using dir = temporaryDir();
      checkout(dir.path, { script });
      ask(dir.path, workspace);
      mkdirSync(join(dir.path, "packages/one"), { recursive: true });
      mkdirSync(join(dir.path, "node_modules/@ngpu"));
      symlinkSync("../../packages/one", join(dir.path, "node_modules/@ngpu/one"));
      const { stdout, stderr } = await start(dir.path, [], unreachable).end;
      expect({ stdout, stderr }).to.deep.equal({ stdout: "ran", stderr: "" });
    });

    it("installs when a link was removed, or a package replaced, after an installation", async () => {
      using dir = temporaryDir();
      checkout(dir.path, { script });
      const one = join(dir.path, "node_modules/@ngpu/one");
      const two = join(dir.path, "node_modules/two");
      ask(dir.path, { ...workspace, "node_modules/two": { version: "1.0.0" } });
      for (const folder of ["packages/one", "node_modules/@ngpu", "node_modules/two"]) {
        mkdirSync(join(dir.path, folder), { recursive: true });
      }
      const complete = () => {
        rmSync(one, { force: true });
        symlinkSync("../../packages/one", one);
        writeFileSync(join(two, "package.json"), '{ "version": "1.0.0" }');
      };
      // As an npm of another branch leaves them.
      const changes = {
        "a removed link": () => rmSync(one),
        "another version": () => writeFileSync(join(two, "package.json"), '{ "version": "2.0.0" }'),
      };
      for (const [what, change] of Object.entries(changes)) {
        complete();
        const lock = tryLock(join(dir.path, ".ngpu/run/owner.lock"));
        expect((await start(dir.path, [], unreachable).end).stdout, what).to.equal("ran");
        change();
        const { code, stderr } = await start(dir.path, [], unreachable).end;
        lock.release?.();
        expect({ code, asked: stderr.includes("The npm packages must be updated") }, what).to.deep.equal({
          code: 1,
          asked: true,
        });
      }
    });

    it("installs when a link is absent", async () => {
      using dir = temporaryDir();
      checkout(dir.path, { script });
      ask(dir.path, workspace);
      mkdirSync(join(dir.path, "packages/one"), { recursive: true });
      // npm creates links without a registry.
      const { code, stderr } = await start(dir.path, [], { ...unreachable, npm_config_offline: "true" }).end;
      expect(stderr).to.match(/^Installing the npm packages /);
      expect(code).to.equal(1);
    });
  });
});
