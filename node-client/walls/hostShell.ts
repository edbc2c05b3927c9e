import { existsSync, readFileSync } from "node:fs";
import { RetryableError } from "@ngpu/runtime/errors";
import type Docker from "dockerode";
import { createContainer, inspectOwn, removeContainer, startContainer } from "../docker/containers.ts";
import { calling, type Engine } from "../docker/engine.ts";
import { createDemultiplexer } from "../docker/logs.ts";
import { runTool } from "../probe/tool.ts";
import { emptyImage } from "./emptyImage.ts";

/**
 * Runs a shell script with the rights to change the firewall of the engine's host.
 *
 * @param args Its `$1`, `$2`, …
 * @returns What it printed.
 * @throws RetryableError `walls_unavailable` when it cannot run or ends with an error.
 */
export type HostShell = (script: string, args?: readonly string[]) => Promise<string>;

/** @deadline The firewall's programs, which wait for a lock. The walls count as down, and it is tried again. */
const shellDeadline = 20_000;

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The rights that the firewall's programs need, as a mask: CAP_NET_ADMIN and CAP_NET_RAW. */
const capabilities = (1n << 12n) | (1n << 13n);

/** The shell of this process where it has the rights, otherwise one in a container of the engine. */
export function openHostShell(engine: Engine): HostShell {
  if (!mayChangeFirewall()) return containerShell(engine);
  if (process.getuid?.() === 0) return ownShell;
  // The older programs take a lock that only root can open.
  const chosen = ownShell("iptables --version").then(
    (version) => (version.includes("nf_tables") ? ownShell : containerShell(engine)),
    () => ownShell,
  );
  return async (script, args) => (await chosen)(script, args);
}

function mayChangeFirewall(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return effective !== undefined && (BigInt(`0x${effective}`) & capabilities) === capabilities;
}

/** Runs scripts as children of this process. */
export const ownShell: HostShell = async (script, args = []) => {
  const ran = await runTool(
    "/bin/sh",
    ["-c", `PATH="$PATH:${path}"\n${script}`, "sh", ...args],
    shellDeadline,
  );
  if (ran === undefined) throw failed("/bin/sh is not found");
  if (ran.failure !== undefined) throw failed(ran.stderr.trim() || ran.failure);
  return ran.stdout;
};

/** Bytes of what a script in a container prints that are kept: a machine has a few thousand rules. */
const keptBytes = 2 ** 22;
const label = "ngpu.walls";

/** Directories with the programs of a Linux machine. */
const programDirs = ["/bin", "/sbin", "/usr", "/lib", "/lib64", "/etc/alternatives", "/run"];

/**
 * Runs scripts in a container with the host's programs and network: whoever may use the engine may do this. A container's start
 * takes much longer than a program's.
 */
export function containerShell(engine: Engine): HostShell {
  let hasLeftovers = true;
  return async (script, args = []) => {
    if (hasLeftovers)
      for (const { Id } of await inspectOwn(engine, "walls")) await removeContainer(engine, Id);
    hasLeftovers = false;
    const id = await createContainer(engine, await description(engine, script, args));
    const container = engine.docker.getContainer(id);
    try {
      await startContainer(engine, id);
      const { StatusCode } = await calling(
        engine.docker,
        () => container.wait() as Promise<{ StatusCode: number }>,
      );
      const printed = await output(engine, container);
      if (StatusCode !== 0) throw failed(printed.stderr.trim() || `it ended with ${StatusCode}`);
      return printed.stdout;
    } finally {
      await removeContainer(engine, id);
    }
  };
}

async function description(
  engine: Engine,
  script: string,
  args: readonly string[],
): Promise<Docker.ContainerCreateOptions> {
  return {
    Image: await emptyImage(engine),
    User: "0:0",
    Env: [`PATH=${path}`],
    Entrypoint: ["/bin/sh", "-c", script, "sh", ...args],
    Labels: { "ngpu.market": engine.market, "ngpu.node": engine.node, [label]: "1" },
    HostConfig: {
      NetworkMode: "host",
      CapDrop: ["ALL"],
      CapAdd: ["NET_ADMIN", "NET_RAW"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      LogConfig: { Type: "json-file", Config: {} },
      Mounts: programDirs
        .filter((dir) => existsSync(dir))
        .map((dir) => ({ Type: "bind", Source: dir, Target: dir, ReadOnly: dir !== "/run" })),
    },
  };
}

async function output({ docker }: Engine, container: Docker.Container) {
  const read = async (stream: { stdout?: true; stderr?: true }) => {
    const log = await calling(docker, () => container.logs({ follow: false, ...stream }) as Promise<Buffer>);
    const text = createDemultiplexer(keptBytes);
    text.take(log);
    return text.text();
  };
  const [stdout, stderr] = await Promise.all([read({ stdout: true }), read({ stderr: true })]);
  return { stdout, stderr };
}

function failed(reason: string): RetryableError {
  return new RetryableError(
    `The firewall that separates tenants from this network cannot be set: ${reason}`,
    {
      code: "walls_unavailable",
      hint: "ngpu-node doctor names the cause. No lease starts until then.",
    },
  );
}
