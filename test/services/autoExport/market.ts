import { type Address, concat, type Hex, toHex } from "viem";
import { eventLog, type ScriptedLog } from "../../shared/scriptedChain.ts";
import { measurement, spec, word, workspaceSpec } from "./fixtures.ts";

type Lease = { workspaceId: bigint; replica: number; lease: number; nodeId: number; open: boolean };

/** What the contracts would know after a block; enough to emit only events that they could emit. */
type Market = {
  nodes: number;
  workspaces: bigint;
  authorizations: bigint;
  receipts: bigint;
  measurers: number;
  rounds: bigint;
  slots: bigint;
  epochs: bigint;
  leases: Lease[];
  claimed: Record<string, string>;
};

const account = (number: number): Address => word(0xacc0000 + number, 20);
const zero = word(0, 20);

/**
 * Makes the events of blocks, block after block, as the contracts could emit them. Its state is kept per block, so that
 * a fork goes on from what its own blocks did.
 */
export function createMarket(random: () => number) {
  const states = new Map<Hex, Market>();
  const upTo = (limit: number) => Math.floor(random() * limit);

  return {
    /** @returns The logs of the next block and how to tell which hash it got. */
    next(parent: Hex, acts: number): { logs: ScriptedLog[]; settle: (hash: Hex) => void } {
      const state = structuredClone(states.get(parent) ?? empty());
      const logs = Array.from({ length: acts }, () => act(state, upTo)).flat();
      return { logs, settle: (hash) => states.set(hash, state) };
    },
  };
}

function empty(): Market {
  return {
    nodes: 0,
    workspaces: 0n,
    authorizations: 0n,
    receipts: 0n,
    measurers: 0,
    rounds: 0n,
    slots: 0n,
    epochs: 0n,
    leases: [],
    claimed: {},
  };
}

type Act = (state: Market, upTo: (limit: number) => number) => ScriptedLog[];

function act(state: Market, upTo: (limit: number) => number): ScriptedLog[] {
  const all = [nodeActs, ownerActs, leaseActs, leaseActs, measureActs, rewardActs];
  return (all[upTo(all.length)] as Act)(state, upTo);
}

const nodeActs: Act = (state, upTo) => {
  const scale = upTo(1_000);
  if (state.nodes === 0 || upTo(4) === 0) {
    state.nodes += 1;
    const nodeId = state.nodes;
    const wallet = upTo(2) === 0 ? zero : account(upTo(5));
    const gpuUuids = Array.from({ length: upTo(3) }, (_, index) => word(nodeId * 10 + index));
    return [
      eventLog("ComputeNode", "NodeRegistered", {
        nodeId,
        key: account(100 + nodeId),
        wallet,
        spec: spec(scale),
        pricePerSecond: BigInt(scale),
        gpuName: `GPU \0 "${scale}"`,
        gpuUuids,
      }),
    ];
  }
  const nodeId = 1 + upTo(state.nodes);
  const choice = upTo(4);
  if (choice === 0) return [eventLog("ComputeNode", "NodeStatusChanged", { nodeId, status: 1 + upTo(3) })];
  if (choice === 1) {
    const wallet = upTo(3) === 0 ? zero : account(upTo(5));
    return [eventLog("ComputeNode", "NodeWalletSet", { nodeId, wallet })];
  }
  if (choice === 2) {
    state.slots += 1n;
    const bits = word(upTo(255), 1);
    return [
      eventLog("ComputeNode", "HeartbeatsCommitted", {
        slot: state.slots,
        encoding: upTo(2),
        nodeCount: state.nodes,
        bits,
      }),
    ];
  }
  return [
    eventLog("ComputeNode", "NodeSpecUpdated", {
      nodeId,
      spec: spec(scale),
      pricePerSecond: BigInt(scale),
      gpuName: `GPU ${scale}`,
    }),
  ];
};

const ownerActs: Act = (state, upTo) => {
  const owner = account(upTo(4));
  const amount = BigInt(1 + upTo(1e9)) * 10n ** 18n;
  const choice = upTo(6);
  if (choice === 0) return [eventLog("Escrow", "Deposited", { account: owner, from: owner, amount })];
  if (choice === 1) return [eventLog("Escrow", "Withdrawn", { account: owner, to: owner, amount: 1n })];
  if (state.authorizations === 0n || choice === 2) {
    state.authorizations += 1n;
    return [
      eventLog("Escrow", "Authorized", {
        authorizationId: state.authorizations,
        owner,
        delegate: account(9),
        maxRate: 2n ** 64n - 1n,
        total: 2n ** 128n - 1n,
        scope: word(0),
        expiry: 2 ** 40 - 1,
      }),
    ];
  }
  const authorizationId = BigInt(1 + upTo(Number(state.authorizations)));
  if (choice === 3) return [eventLog("Escrow", "AuthorizationRevoked", { authorizationId })];
  if (state.workspaces > 0n && choice === 4) {
    const workspaceId = BigInt(1 + upTo(Number(state.workspaces)));
    return upTo(2) === 0
      ? [eventLog("DockerContract", "ReplicasSet", { workspaceId, replicas: upTo(5) })]
      : [eventLog("DockerContract", "WorkspaceClosed", { workspaceId })];
  }
  state.workspaces += 1n;
  return [
    eventLog("DockerContract", "WorkspacePublished", {
      workspaceId: state.workspaces,
      owner,
      image: word(7),
      authorizationId,
      replicas: 1 + upTo(4),
      spec: workspaceSpec(upTo(1_000)),
      config: JSON.stringify({ image: "registry/name", ports: [8080] }),
    }),
  ];
};

const leaseActs: Act = (state, upTo) => {
  const open = state.leases.filter((lease) => lease.open);
  const chosen = open[upTo(open.length)];
  if (state.nodes === 0 || state.workspaces === 0n || state.authorizations === 0n)
    return nodeActs(state, upTo);
  if (chosen === undefined || upTo(5) === 0) {
    const workspaceId = BigInt(1 + upTo(Number(state.workspaces)));
    const replica = upTo(3);
    const number =
      state.leases.filter((l) => l.workspaceId === workspaceId && l.replica === replica).length + 1;
    const lease = { workspaceId, replica, lease: number, nodeId: 1 + upTo(state.nodes), open: true };
    state.leases.push(lease);
    const { open: _, ...ref } = lease;
    const authorizationId = BigInt(1 + upTo(Number(state.authorizations)));
    return [
      eventLog("Escrow", "LeaseOpened", { ...ref, authorizationId, rate: 5n }),
      eventLog("DockerContract", "Assigned", {
        ...ref,
        fence: word(number, 8),
        pricePerSecond: 5n,
        start: upTo(2) === 0,
      }),
    ];
  }
  const { open: _, ...ref } = chosen;
  const { workspaceId, nodeId, replica, lease } = ref;
  const settled = eventLog("Escrow", "Settled", { ...ref, amount: BigInt(upTo(1e9)), settledAt: upTo(1e9) });
  const acts: (() => ScriptedLog[])[] = [
    () => [eventLog("DockerContract", "StartRequested", ref)],
    () => [eventLog("DockerContract", "StopRequested", ref)],
    () => [eventLog("DockerContract", "LeaseLost", { ...ref, releasableAt: upTo(1e9) })],
    () => [
      eventLog("DockerContract", "StateChanged", {
        ...ref,
        state: 2 + upTo(4),
        sequence: 16_777_215,
        detail: word(8080),
      }),
    ],
    () => [
      settled,
      eventLog("Escrow", "LeaseClockSet", { ...ref, running: upTo(2) === 0, since: upTo(1e9) }),
    ],
    () => [
      eventLog("Progress", "ProgressReported", {
        workspaceId,
        nodeId,
        replica,
        lease,
        milestone: 1 + upTo(4),
      }),
    ],
    () => [eventLog("Escrow", "Collected", { nodeId, to: account(1), amount: 3n, fee: 1n })],
    () => [
      eventLog("Escrow", "Refunded", {
        ...ref,
        owner: account(upTo(4)),
        day: 20_000n,
        downSeconds: upTo(86_400),
        amount: BigInt(upTo(1e9)),
      }),
    ],
    () => {
      state.receipts += 1n;
      return [
        eventLog("Pomc", "ReceiptsCommitted", {
          number: state.receipts,
          root: word(upTo(1e9)),
          total: BigInt(upTo(1e9)),
          nodeTotals: [word(nodeId), word(2)],
          payerTotals: [],
        }),
      ];
    },
    () => {
      chosen.open = false;
      return [
        eventLog("DockerContract", "DeleteRequested", ref),
        settled,
        eventLog("Escrow", "LeaseClosed", { ...ref, reason: upTo(3) }),
        eventLog("DockerContract", "Released", { ...ref, reason: upTo(5) }),
      ];
    },
  ];
  return (acts[upTo(acts.length)] as () => ScriptedLog[])();
};

const measureActs: Act = (state, upTo) => {
  if (upTo(4) === 0) {
    state.measurers += 1;
    return [
      eventLog("Measure", "MeasurerRegistered", {
        measurerId: state.measurers,
        key: account(200 + state.measurers),
        wallet: zero,
        region: "0x4652",
      }),
    ];
  }
  if (state.nodes === 0) return nodeActs(state, upTo);
  if (state.rounds === 0n || upTo(4) === 0) {
    state.rounds += 1n;
    const nodeId = 1 + upTo(state.nodes);
    return [
      eventLog("Measure", "MeasureRequested", {
        roundId: state.rounds,
        nodeId,
        opensAt: 10,
        closesAt: 2 ** 40 - 1,
        drawBlock: 5,
        draws: word(upTo(1e9)),
      }),
    ];
  }
  const roundId = BigInt(1 + upTo(Number(state.rounds)));
  const nodeId = 1;
  const scale = upTo(1_000);
  const choice = upTo(3);
  if (choice === 0) return [eventLog("Measure", "MeasureFailed", { roundId, nodeId, submissions: 0 })];
  if (choice === 1) {
    const result = measurement(scale);
    return [eventLog("Measure", "MeasureSubmitted", { roundId, nodeId, measurerId: 1, port: 80, result })];
  }
  return [
    eventLog("Measure", "MeasureFinalized", {
      roundId,
      nodeId,
      submissions: 1,
      median: measurement(scale),
      expiresAt: 99,
    }),
  ];
};

const rewardActs: Act = (state, upTo) => {
  const choice = upTo(4);
  if (choice === 0) {
    return [eventLog("ComputeNode", "ItemRefused", { index: BigInt(upTo(9)), reason: word(upTo(255), 4) })];
  }
  if (choice === 1)
    return [
      eventLog("Escrow", "Deposited", { account: account(1), from: account(1), amount: 1n }, account(77)),
    ];
  if (state.epochs === 0n || choice === 2) {
    state.epochs += 1n;
    return [
      eventLog("Pomc", "EpochPosted", {
        number: state.epochs,
        root: toHex(upTo(1e9), { size: 20 }),
        total: state.epochs * 10n ** 24n,
        dataHash: word(upTo(1e9)),
        activatesAt: 1_700_000_000,
      }),
    ];
  }
  const number = BigInt(1 + upTo(Number(state.epochs)));
  const to = account(upTo(4));
  const cumulative = BigInt(state.claimed[to] ?? 0) + BigInt(upTo(1e6));
  state.claimed[to] = cumulative.toString();
  if (upTo(2) === 0) return [eventLog("Pomc", "Claimed", { account: to, cumulative })];
  const grants = concat([to, toHex(cumulative, { size: 12 })]);
  return [eventLog("Pomc", "ClaimedMany", { number, grants })];
};
