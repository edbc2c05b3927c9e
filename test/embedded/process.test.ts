import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { openState, recordProcess } from "../../scripts/embedded/leftovers.ts";
import { startProcess } from "../../scripts/embedded/process.ts";
import { processStamp } from "../../scripts/lock.mjs";
import { rootDir } from "../support/parts.ts";
import { processes } from "../support/processes.ts";
import { gone, temporaryDir } from "./setup.ts";

/** Options of a Node program given as text. */
function program(stateDir: string, text: string) {
  return {
    name: "program",
    command: process.execPath,
    args: ["-e", text],
    stateDir,
    ready: async () => readFileSync(join(stateDir, "logs/program.log"), "utf8").includes("up"),
  };
}

const steady = "process.stdout.write('up '); setInterval(() => {}, 1000)";
const stubborn = `process.on("SIGTERM", () => {}); ${steady}`;

/** Starts a program, to be killed, that opens the state directory and continues with the given text. */
function spawnOwner(stateDir: string, text: string) {
  const owner = join(stateDir, "owner.ts");
  writeFileSync(
    owner,
    `import { openState } from ${JSON.stringify(join(rootDir, "scripts/embedded/leftovers.ts"))};
     import { startProcess } from ${JSON.stringify(join(rootDir, "scripts/embedded/process.ts"))};
     const stateDir = ${JSON.stringify(stateDir)};
     await openState(stateDir);
     const ready = async () => true;
     ${text}`,
  );
  return spawn(process.execPath, [owner], { stdio: ["ignore", "pipe", "inherit"] });
}

async function thrownBy(work: Promise<unknown>): Promise<Error> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).to.be.instanceOf(Error);
  return outcome as Error;
}

describe("process supervisor", () => {
  it("waits until the process is ready, and ends it", async () => {
    using dir = temporaryDir();
    const running = await startProcess(program(dir.path, steady));
    expect(processStamp(running.pid)).to.be.a("string");
    await Promise.all([running.stop(), running.stop()]);
    expect(await running.exited).to.deep.equal({ code: null, signal: "SIGTERM" });
    expect(readdirSync(join(dir.path, "run"))).to.deep.equal([]);
  });

  it("gives a second process of the same name its own log and record", async () => {
    using dir = temporaryDir();
    const first = await startProcess(program(dir.path, steady));
    const second = await startProcess({ ...program(dir.path, steady), ready: async () => true });
    expect(readdirSync(join(dir.path, "run")).sort()).to.deep.equal(["program-2.json", "program.json"]);
    expect(second.logFile).to.equal(join(dir.path, "logs/program-2.log"));
    expect(processStamp(first.pid)).to.be.a("string");
    await Promise.all([first.stop(), second.stop()]);
  });

  it("kills a process that ignores the stop signal", async () => {
    using dir = temporaryDir();
    const running = await startProcess({ ...program(dir.path, stubborn), stopDeadlineMs: 100 });
    await running.stop();
    expect((await running.exited).signal).to.equal("SIGKILL");
  });

  it("ends remaining grandchildren", async () => {
    using dir = temporaryDir();
    const pidFile = join(dir.path, "grandchild");
    const text = `
      const { pid } = require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(stubborn)}]);
      require("fs").writeFileSync(${JSON.stringify(pidFile)}, String(pid));
      ${steady}`;
    const running = await startProcess(program(dir.path, text));
    await running.stop();
    expect(await gone(Number(readFileSync(pidFile, "utf8")))).to.equal(true);
  });

  it("includes the end of the log when the process ends early", async () => {
    using dir = temporaryDir();
    const error = await thrownBy(
      startProcess(program(dir.path, "console.error('no such disk'); process.exit(7)")),
    );
    expect(error.message).to.match(
      /^program ended early \(exit code 7\)\..*program\.log:\n {2}no such disk$/s,
    );
  });

  it("names a command that does not exist", async () => {
    using dir = temporaryDir();
    const options = { ...program(dir.path, ""), command: "/nowhere/at-all" };
    expect((await thrownBy(startProcess(options))).message).to.include("cannot run /nowhere/at-all");
  });

  it("leaves nothing running when the process is not ready in time", async () => {
    using dir = temporaryDir();
    let started = 0;
    const ready = async (_signal: AbortSignal, pid: number) => {
      started = pid;
      return false;
    };
    const options = { ...program(dir.path, steady), ready, readyDeadlineMs: 400 };
    expect((await thrownBy(startProcess(options))).message).to.include("program was not ready within 0.4 s");
    expect(started).to.be.greaterThan(0);
    expect(processStamp(started)).to.equal(undefined);
  });

  it("stops when aborted, and leaves nothing running", async () => {
    using dir = temporaryDir();
    const abort = new AbortController();
    const ready = async () => {
      abort.abort(new Error("aborted by the test"));
      return false;
    };
    const start = startProcess({ ...program(dir.path, steady), ready, signal: abort.signal });
    expect((await thrownBy(start)).message).to.equal("aborted by the test");
    expect(readdirSync(join(dir.path, "run"))).to.deep.equal([]);
  });
});

describe("state directory", () => {
  it("rejects a second process while the first one runs", async () => {
    using dir = temporaryDir();
    const { release } = await openState(dir.path);
    const error = await thrownBy(openState(dir.path));
    expect(error.message).to.include(`is already running from this directory (process ${process.pid},`);
    release();
    (await openState(dir.path)).release();
  });

  it("ends the processes that a killed owner left running", async () => {
    using dir = temporaryDir();
    const child = spawnOwner(
      dir.path,
      `const args = ["-e", ${JSON.stringify(steady)}];
       const { pid } = await startProcess({ name: "part", command: process.execPath, args, stateDir, ready });
       process.stdout.write(String(pid));
       setInterval(() => {}, 1000);`,
    );
    const [output] = await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    const pid = Number(String(output));
    expect(processStamp(pid)).to.be.a("string");
    const { stopped, release } = await openState(dir.path);
    release();
    expect(stopped).to.deep.equal(["part"]);
    expect(processStamp(pid)).to.equal(undefined);
    expect(existsSync(join(dir.path, "run/part.json"))).to.equal(false);
  });

  it("ends all processes of a killed owner, whenever it was killed", async () => {
    for (let round = 0; round < 8; round++) {
      using dir = temporaryDir();
      const watched = join(dir.path, "watched");
      writeFileSync(watched, "");
      const child = spawnOwner(
        dir.path,
        `const part = { command: "tail", args: ["-f", ${JSON.stringify(watched)}], stateDir, ready };
         for (let n = 0; n < 200; n++) {
           await startProcess({ ...part, name: \`part-\${n}\` });
           process.stdout.write(".");
         }`,
      );
      const started = 1 + Math.floor(Math.random() * 10);
      let seen = 0;
      const enough = Promise.withResolvers<void>();
      child.stdout.on("data", (dots) => {
        seen += String(dots).length;
        if (seen >= started) enough.resolve();
      });
      await enough.promise;
      await delay(Math.random() * 10);
      child.kill("SIGKILL");
      await once(child, "exit");
      const { stopped, release } = await openState(dir.path);
      release();
      expect(stopped.length).to.be.greaterThan(0);
      for (const { pid } of processes().filter(({ command }) => command.includes(watched)))
        expect(await gone(pid), `${pid} of round ${round}`).to.equal(true);
    }
  });

  it("does not end another process with a recorded pid", async () => {
    using dir = temporaryDir();
    const other = spawn(process.execPath, ["-e", steady], { detached: true });
    await once(other.stdout, "data");
    const record = { stamp: "another process", stopSignal: "SIGKILL", stopDeadlineMs: 1 } as const;
    recordProcess(dir.path, "part", { ...record, pid: other.pid ?? 0 });
    const { stopped, release } = await openState(dir.path);
    release();
    expect(stopped).to.deep.equal([]);
    expect(processStamp(other.pid ?? 0)).to.be.a("string");
    other.kill("SIGKILL");
    await once(other, "exit");
  });
});
