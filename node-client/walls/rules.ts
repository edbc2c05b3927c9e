import { isIPv4 } from "node:net";
import { specialRanges4 } from "@ngpu/runtime/publicAddress";

/** The bridge of the workspaces' network, and the IPv4 ranges of its containers. */
export type Bridge = { name: string; subnets: readonly string[] };

/** What a container may send and receive. Its address stands for its lease: without CAP_NET_RAW it has no other. */
export type LeaseLimits = {
  /** Connections that the container opened and that are open. */
  connections: number;
  /** New connections a second. */
  newConnections: number;
  /** Packets a second, in each direction. */
  packets: number;
  /** Kibibytes a second, in each direction. */
  kibibytes: number;
};

/** 1 Gbit/s in each direction, and far more connections than a server of a lease needs. */
export const leaseLimits: LeaseLimits = {
  connections: 4_096,
  newConnections: 1_000,
  packets: 150_000,
  kibibytes: 122_070,
};

/** Chains in table `mangle`: the engine and most firewalls leave that table alone. */
const sent = "NGPU-SENT";
const received = "NGPU-RECEIVED";

/** The firewall's rules as `iptables-save -t mangle` and `ip6tables-save -t mangle` print them. */
export type Saved = { ipv4: string; ipv6: string };

/** Input of `iptables-restore --noflush` and `ip6tables-restore --noflush`. Each replaces the rules in one step. */
export type Wanted = { ipv4: string; ipv6: string };

/**
 * The rules that put the walls up. Pure.
 *
 * @param resolvers IPv4 addresses of DNS servers, which may be private.
 */
export function wallRules(
  bridge: Bridge,
  resolvers: readonly string[],
  saved: Saved,
  limits = leaseLimits,
): Wanted {
  const ipv4 = [...sentRules(bridge, resolvers, limits), ...receivedRules(limits)];
  return {
    ipv4: restoreInput(bridge, [sent, received], ipv4, saved.ipv4),
    // The network has no IPv6. Whoever enables it for the engine opens nothing.
    ipv6: restoreInput(bridge, [sent], [`-A ${sent} -j DROP`], saved.ipv6),
  };
}

/** Everything that containers send passes this chain: what is forwarded, and what is for the host itself. */
function sentRules({ subnets }: Bridge, resolvers: readonly string[], limits: LeaseLimits): string[] {
  const { connections, newConnections } = limits;
  return [
    ...rateRules(sent, "srcip", limits),
    // Answers to requests of the tunnel and to published ports.
    "-m conntrack --ctstate RELATED,ESTABLISHED --ctdir REPLY -j RETURN",
    `-m conntrack --ctstate NEW -m connlimit --connlimit-above ${connections} --connlimit-mask 32 --connlimit-saddr -j DROP`,
    `-m conntrack --ctstate NEW -m hashlimit --hashlimit-above ${newConnections}/sec --hashlimit-burst ${2 * newConnections} --hashlimit-mode srcip --hashlimit-name ngpu-new -j DROP`,
    ...resolvers.flatMap((address) =>
      ["udp", "tcp"].map((protocol) => `-d ${address}/32 -p ${protocol} -m ${protocol} --dport 53 -j RETURN`),
    ),
    ...["LOCAL", "BROADCAST", "MULTICAST"].map((type) => `-m addrtype --dst-type ${type} -j DROP`),
    ...[...specialRanges4, ...subnets].map((range) => `-d ${range} -j DROP`),
  ].map((rule) => `-A ${sent} ${rule}`);
}

function receivedRules(limits: LeaseLimits): string[] {
  return rateRules(received, "dstip", limits).map((rule) => `-A ${received} ${rule}`);
}

function rateRules(chain: string, mode: "srcip" | "dstip", { packets, kibibytes }: LeaseLimits): string[] {
  const name = chain.toLowerCase();
  return [
    `-m hashlimit --hashlimit-above ${packets}/sec --hashlimit-burst ${packets} --hashlimit-mode ${mode} --hashlimit-name ${name}-packets -j DROP`,
    `-m hashlimit --hashlimit-above ${kibibytes}kb/s --hashlimit-burst ${2 * kibibytes}kb --hashlimit-mode ${mode} --hashlimit-name ${name}-bytes -j DROP`,
  ];
}

/** Replaces the chains, and puts the jumps to them before every other rule. */
function restoreInput({ name }: Bridge, chains: string[], rules: string[], saved: string): string {
  const lines = saved.split("\n");
  return [
    "*mangle",
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...lines.filter(isJump).map((line) => line.replace(/^-A/, "-D")),
    ...rules,
    ...chains.map((chain) => jumpOf(chain, name).replace(/^-A (\w+)/, "-I $1 1")),
    "COMMIT",
    "",
  ].join("\n");
}

const isJump = (line: string) => / -j (NGPU-SENT|NGPU-RECEIVED)$/.test(line);

function jumpOf(chain: string, bridge: string): string {
  return chain === sent
    ? `-A PREROUTING -i ${bridge} -j ${sent}`
    : `-A POSTROUTING -o ${bridge} -j ${received}`;
}

/**
 * The rules of the walls among the saved ones, to compare with those that were read right after the walls were put up:
 * the firewall writes rules in its own form. Undefined: a container's packets need not pass them. Pure.
 */
export function standing({ name }: Bridge, { ipv4, ipv6 }: Saved): string | undefined {
  const passes =
    isFirst(ipv4, jumpOf(sent, name)) && isFirst(ipv4, jumpOf(received, name)) && passesIpv6(name, ipv6);
  if (!passes) return undefined;
  return [...ownRules(ipv4), ...ownRules(ipv6)].join("\n");
}

/** Without IPv6 in the kernel there is nothing to save, and nothing to close. */
function passesIpv6(bridge: string, saved: string): boolean {
  return saved === "" || isFirst(saved, jumpOf(sent, bridge));
}

function ownRules(saved: string): string[] {
  return saved.split("\n").filter((line) => /^-A NGPU-(SENT|RECEIVED) /.test(line));
}

/** Whether a jump is there, and no rule before it lets packets pass without it. */
function isFirst(saved: string, jump: string): boolean {
  const [, chain] = jump.split(" ");
  const rules = saved.split("\n").filter((line) => line.startsWith(`-A ${chain} `));
  const at = rules.indexOf(jump);
  return (
    at >= 0 && rules.slice(0, at).every((rule) => isJump(rule) || /-j (MARK|CONNMARK|LOG|NFLOG)\b/.test(rule))
  );
}

/** The IPv4 name servers in the text of a resolv.conf. Those of this machine alone are asked by the engine itself. */
export function resolversIn(text: string): string[] {
  const named = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address = ""]) => address);
  return [...new Set(named)].filter((address) => isIPv4(address) && !address.startsWith("127."));
}

/** Removes the walls: for a bridge that is gone. */
export function removalRules(saved: string): string {
  const lines = saved.split("\n");
  const chains = [sent, received].filter((chain) => lines.some((line) => line.startsWith(`:${chain} `)));
  if (chains.length === 0) return "";
  return [
    "*mangle",
    ...lines.filter(isJump).map((line) => line.replace(/^-A/, "-D")),
    ...chains.flatMap((chain) => [`-F ${chain}`, `-X ${chain}`]),
    "COMMIT",
    "",
  ].join("\n");
}
