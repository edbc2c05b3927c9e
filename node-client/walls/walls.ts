import { messageOf, RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { findNetwork, type WorkspaceNetwork } from "../docker/containers.ts";
import type { Engine } from "../docker/engine.ts";
import type { HostShell } from "./hostShell.ts";
import {
  type LeaseLimits,
  removalRules,
  resolversIn,
  type Saved,
  standing,
  type Wanted,
  wallRules,
} from "./rules.ts";

/** What is known of the walls. Times in milliseconds. */
export type WallsStatus = {
  /** `unused`: no lease has run on this engine yet. */
  state: "unused" | "up" | "down";
  checkedAt: number;
  /** Since when they are down. */
  downSince: number | null;
  /** How often another program had removed or changed the rules, and they were put back. */
  repairs: number;
  repairedAt: number | null;
  /** Why the walls are down. */
  failure: string | null;
};

/** The firewall between the containers of leases and everything that is not public. */
export type Walls = {
  /**
   * Returns once the walls of a network are up. No container of a lease starts before.
   *
   * @throws RetryableError `walls_unavailable`.
   */
  ensure(network: WorkspaceNetwork): Promise<void>;
  /** Puts back what is missing, if there is a network. @throws RetryableError `walls_unavailable`. */
  check(): Promise<void>;
  /** Removes the rules once the network is gone. */
  remove(): Promise<void>;
  /** Whether they have been down so long that running containers must stop. */
  isExposed(now: number): boolean;
  status(): WallsStatus;
};

/** Milliseconds for which a check holds when a lease starts. */
const freshness = 10_000;
/** @deadline The firewall to take its rules back. Running containers of leases stop, and their leases fail. */
const exposure = 60_000;

type State = {
  engine: Engine;
  shell: HostShell;
  logger: Logger;
  limits?: LeaseLimits;
  status: WallsStatus;
  /** The bridge whose walls were put up, and the rules as the firewall prints them. */
  built: { bridge: string; rules: string; inputs: string } | undefined;
  /** Checks run one after the other. */
  last: Promise<unknown>;
};

/** @param deps.limits What a container may send and receive. */
export function createWalls(deps: Pick<State, "engine" | "shell" | "logger" | "limits">): Walls {
  const status: WallsStatus = {
    state: "unused",
    checkedAt: 0,
    downSince: null,
    repairs: 0,
    repairedAt: null,
    failure: null,
  };
  const state: State = { ...deps, status, built: undefined, last: Promise.resolve() };
  return {
    ensure: async (network) => {
      const isFresh = status.state === "up" && Date.now() - status.checkedAt < freshness;
      if (isFresh && state.built?.bridge === network.bridge.name) return;
      await inTurn(state, () => examine(state, network));
    },
    check: () =>
      inTurn(state, async () => {
        const network = await findNetwork(state.engine);
        if (network !== undefined) await examine(state, network);
      }),
    remove: () => inTurn(state, () => remove(state)),
    isExposed: (now) => status.downSince !== null && now - status.downSince > exposure,
    status: () => ({ ...status }),
  };
}

function inTurn(state: State, work: () => Promise<void>): Promise<void> {
  const result = state.last.then(work);
  state.last = result.catch(() => undefined);
  return result;
}

/** Compares the rules with those that were put up, and puts up what is missing. */
async function examine(state: State, network: WorkspaceNetwork): Promise<void> {
  const { status } = state;
  try {
    await examineRules(state, network);
    Object.assign(status, { state: "up", checkedAt: Date.now(), downSince: null, failure: null });
  } catch (error) {
    status.state = "down";
    status.failure = messageOf(error);
    status.downSince ??= Date.now();
    throw error;
  }
}

async function examineRules(state: State, { bridge }: WorkspaceNetwork): Promise<void> {
  const reading = await read(state.shell);
  if (reading.bridgeFilter !== "1") throw bridgeUnfiltered();
  const wanted = wallRules(bridge, reading.resolvers, reading.saved, state.limits);
  const inputs = JSON.stringify([bridge, reading.resolvers]);
  const { built } = state;
  const isSame = built?.bridge === bridge.name && built.inputs === inputs;
  if (isSame && standing(bridge, reading.saved) === built.rules) return;
  await apply(state.shell, wanted, reading.hasIpv6);
  const rules = standing(bridge, (await read(state.shell)).saved);
  if (rules === undefined) throw notKept();
  state.built = { bridge: bridge.name, rules, inputs };
  if (isSame) noteRepair(state);
  else state.logger.info({ event: "walls_up", bridge: bridge.name });
}

function noteRepair({ status, logger }: State): void {
  status.repairs += 1;
  status.repairedAt = Date.now();
  const hint =
    "Another program changes the firewall: exclude the chains NGPU-SENT and NGPU-RECEIVED from it.";
  logger.warn({ event: "walls_put_back", repairs: status.repairs, hint });
}

type Reading = { bridgeFilter: string; hasIpv6: boolean; saved: Saved; resolvers: string[] };

const readScript = `
set -e
part() { printf '\\n=== %s\\n' "$1"; }
part filter; cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || :
part ipv4; iptables-save -t mangle
part ipv6; if [ -e /proc/net/if_inet6 ]; then ip6tables-save -t mangle; else echo none; fi
part resolvers; cat /etc/resolv.conf /run/systemd/resolve/resolv.conf 2>/dev/null || :
`;

async function read(shell: HostShell): Promise<Reading> {
  const text = await shell(readScript);
  const parts = new Map(
    text.split(/^=== /m).map((part) => {
      const [name = "", ...lines] = part.split("\n");
      return [name, lines.join("\n").trim()];
    }),
  );
  const ipv6 = parts.get("ipv6") ?? "";
  const hasIpv6 = ipv6 !== "none";
  return {
    bridgeFilter: parts.get("filter") ?? "",
    hasIpv6,
    saved: { ipv4: parts.get("ipv4") ?? "", ipv6: hasIpv6 ? ipv6 : "" },
    resolvers: resolversIn(parts.get("resolvers") ?? ""),
  };
}

const restore = 'printf %s "$1" | iptables-restore --noflush --wait 5';
const restore6 = 'printf %s "$2" | ip6tables-restore --noflush --wait 5';

async function apply(shell: HostShell, { ipv4, ipv6 }: Wanted, hasIpv6: boolean): Promise<void> {
  // IPv6 first: a failure between the two leaves more closed.
  await shell(hasIpv6 ? `set -e; ${restore6}; ${restore}` : restore, [ipv4, ipv6]);
}

async function remove(state: State): Promise<void> {
  const { engine, shell, status } = state;
  if (state.built === undefined || (await findNetwork(engine)) !== undefined) return;
  const { saved, hasIpv6 } = await read(shell);
  const [ipv4, ipv6] = [removalRules(saved.ipv4), removalRules(saved.ipv6)];
  if (ipv4 !== "") await shell(restore, [ipv4]);
  if (hasIpv6 && ipv6 !== "") await shell(restore6, ["", ipv6]);
  state.built = undefined;
  status.state = "unused";
}

function bridgeUnfiltered(): RetryableError {
  return new RetryableError("The kernel does not pass packets between containers through the firewall.", {
    code: "walls_unavailable",
    hint: "Run: modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1",
  });
}

function notKept(): RetryableError {
  return new RetryableError("The firewall does not keep the rules that separate tenants from this network.", {
    code: "walls_unavailable",
    hint: "Another program changes table mangle: exclude the chains NGPU-SENT and NGPU-RECEIVED from it.",
  });
}
