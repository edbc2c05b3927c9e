import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { type RunningDocker, startDaemon } from "../../../scripts/embedded/dockerDaemon.ts";
import { queryEngine } from "../../../scripts/embedded/dockerEngine.ts";
import { findProgram } from "../../../scripts/embedded/install.ts";

const sizeMib = 2_048;

/** A Docker engine of the trial's own, with its data on a disk that can be filled. */
export async function startEngine() {
  const dir = mkdtempSync(join(tmpdir(), "ngpu-chaos-node-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMib}m`, "tmpfs", dir]);
  const dockerd = findProgram("dockerd");
  if (dockerd === undefined) throw new Error("dockerd is not installed.");
  const stateDir = join(dir, "engine");
  mkdirSync(stateDir);
  const start = () => startDaemon(dockerd, { stateDir });
  let engine: RunningDocker = await start();
  const resize = (mib: number) => execFileSync("mount", ["-o", `remount,size=${mib}m`, dir]);
  return {
    dir,
    docker: new Docker({ socketPath: engine.socketPath }),
    socket: engine.socketPath,
    /** Kills the engine or stops it, and starts it again. Its containers end. */
    async restart(kind: "kill" | "stop"): Promise<void> {
      if (kind === "stop") await engine.stop();
      else {
        process.kill(engine.process?.pid ?? 0, "SIGKILL");
        await engine.process?.exited;
      }
      // A killed engine may leave a containerd that the next one waits for in vain. A service manager tries again too.
      engine = await start()
        .catch(() => start())
        .catch(() => start());
    },
    /** Leaves no free space for the engine and the client. */
    fillDisk(): void {
      const { blocks, bfree, bsize } = statfsSync(dir);
      resize(Math.ceil(((blocks - bfree) * bsize) / 2 ** 20));
    },
    freeDisk: () => resize(sizeMib),
    async stop(): Promise<void> {
      resize(sizeMib);
      // An engine that has ended leaves its containers running; the next one ends them.
      if ((await queryEngine(engine.socketPath)).kind !== "answers") engine = await start();
      await engine.stop();
      execFileSync("umount", ["--recursive", "--lazy", dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export type TrialEngine = Awaited<ReturnType<typeof startEngine>>;
