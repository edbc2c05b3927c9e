import { networkInterfaces } from "node:os";
import type { Check } from "../check.ts";
import { found, type Problem } from "../problems.ts";
import type { EngineInfo, World } from "../world.ts";
import { diskProblems, existing } from "./system.ts";

const oldestApi = 1.41;
const leastFreeMib = 2_048;

/** The Docker engine and what the kernel and the firewall do for it. */
export const engineChecks: Record<string, Check> = {
  engine: (world) => reachProblems(world),
  "engine's version": withEngine((_world, _info, { Version, ApiVersion }) =>
    Number(ApiVersion) >= oldestApi
      ? []
      : [found("engine_outdated", `The engine is version ${Version}, API ${ApiVersion}.`)],
  ),
  "engine's disk": withEngine((_world, { DockerRootDir }) =>
    diskProblems(
      existing(DockerRootDir),
      { full: "engine_disk_full", inodes: "engine_inodes_used" },
      leastFreeMib,
    ),
  ),
  "engine's limits": withEngine((_world, info) => limitProblems(info)),
  "engine's firewall rules": withEngine((world) => chainProblems(world)),
  "tenants' firewall": (world) => firewallProblems(world),
  "packet forwarding": ({ file }) =>
    file("proc/sys/net/ipv4/ip_forward")?.trim() === "0"
      ? [found("ip_forward_off", "/proc/sys/net/ipv4/ip_forward is 0.")]
      : [],
  "packet size": (world) => mtuProblems(world),
};

/** A check of a running engine. Without one, the check `engine` reports why. */
function withEngine(
  check: (
    world: World,
    info: EngineInfo,
    version: { Version: string; ApiVersion: string },
  ) => Problem[] | Promise<Problem[]>,
): Check {
  return async (world) => {
    const reading = await world.engine();
    return "failure" in reading ? [] : check(world, reading.info, reading.version);
  };
}

async function reachProblems(world: World): Promise<Problem[]> {
  const reading = await world.engine();
  if (!("failure" in reading)) return [];
  const { failure, errno } = reading;
  const evidence = `${world.env.NODE_DOCKER_SOCKET}: ${failure}`;
  if (errno === "EACCES") return [found("engine_denied", evidence)];
  if (errno !== "ENOENT" && errno !== "ECONNREFUSED") return [found("engine_silent", evidence)];
  const installed = await world.tool("dockerd", ["--version"]);
  return [found(installed === undefined ? "engine_absent" : "engine_stopped", evidence)];
}

function limitProblems(info: EngineInfo): Problem[] {
  const problems: Problem[] = [];
  if (info.MemoryLimit === false)
    problems.push(found("engine_memory_unlimited", "docker info: MemoryLimit is false."));
  if (info.PidsLimit === false)
    problems.push(found("engine_pids_unlimited", "docker info: PidsLimit is false."));
  if (info.CpuCfsQuota === false)
    problems.push(found("engine_cpu_unlimited", "docker info: CpuCfsQuota is false."));
  const options = info.SecurityOptions ?? [];
  if (
    !options.some((option) => option.includes("seccomp")) ||
    options.some((option) => /seccomp.*unconfined/.test(option))
  )
    problems.push(found("engine_seccomp_off", `docker info: SecurityOptions is [${options.join(", ")}].`));
  if (info.Driver === "vfs") problems.push(found("engine_storage_slow", "docker info: Driver is vfs."));
  return problems;
}

/** The engine adds a chain DOCKER to the NAT table at its start, and never again. */
async function chainProblems(world: World): Promise<Problem[]> {
  const rules = await world.tool("iptables", ["-t", "nat", "-S"]);
  // Without rights to read the rules nothing is known.
  if (rules === undefined || rules.failure !== undefined) return [];
  if (/^-N DOCKER$/m.test(rules.stdout)) return [];
  return [found("engine_chains_missing", "iptables -t nat -S lists no chain DOCKER.", {}, "likely")];
}

/** What the walls between tenants and this machine need. */
async function firewallProblems({ tool, file }: World): Promise<Problem[]> {
  const problems: Problem[] = [];
  if ((await tool("iptables", ["--version"])) === undefined)
    problems.push(found("firewall_missing", "There is no program iptables on PATH."));
  if (file("proc/sys/net/bridge/bridge-nf-call-iptables")?.trim() === "0")
    problems.push(found("bridge_filter_off", "/proc/sys/net/bridge/bridge-nf-call-iptables is 0."));
  return problems;
}

function mtuProblems({ file }: World): Problem[] {
  const uplink = defaultInterface(file("proc/net/route") ?? "");
  const bridge =
    Object.keys(networkInterfaces()).includes("docker0") || file("sys/class/net/docker0/mtu") !== undefined;
  if (uplink === undefined || !bridge) return [];
  const mtu = Number(file(`sys/class/net/${uplink}/mtu`));
  const ofBridge = Number(file("sys/class/net/docker0/mtu"));
  if (!(mtu > 0) || !(ofBridge > mtu)) return [];
  return [found("mtu_too_large", `The MTU of docker0 is ${ofBridge}, that of ${uplink} is ${mtu}.`, { mtu })];
}

/** The interface of the default route. @param table Text of /proc/net/route. */
function defaultInterface(table: string): string | undefined {
  for (const line of table.split("\n").slice(1)) {
    const [name, destination, , , , , , mask] = line.split("\t");
    if (destination === "00000000" && mask === "00000000") return name;
  }
  return undefined;
}
