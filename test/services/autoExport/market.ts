import { type Address, concat, type Hex, toHex } from "viem";
import { eventLog, previousContracts, type ScriptedLog } from "../../packages/chain-reader/scriptedChain.ts";
import { measurement, spec, word, workspaceSpec } from "./fixtures.ts";

/** Replaced contracts and the current ones beside them. Each generation has its own ids and accounting. */
type Generation = "previous" | "current";

type Lease = {
  generation: Generation;
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  open: boolean;
};

/** State of the contracts of one generation. */
type GenerationState = {
  workspaces: bigint;
  authorizations: bigint;
  receipts: bigint;
  epochs: bigint;
  claimed: Record<string, string>;
};

/** State of the contracts after a block, as far as needed to emit only events that they could emit. */
type Market = {
  nodes: number;
  measurers: number;
  rounds: bigint;
  slots: bigint;
  leases: Lease[];
  generations: Record<Generation, GenerationState>;
};

const account = (number: number): Address => word(0xacc0000 + number, 20);
const zero = word(0, 20);

/**
 * Generates the events of consecutive blocks as the contracts could emit them. State is kept for each block, so that a fork
 * continues from the state of its own parent.
 */
export function createMarket(random: () => number) {
  const states = new Map<Hex, Market>();
  const upTo = (limit: number) => Math.floor(random() * limit);

  return {
    /** @returns The logs of the next block, and a function to call with its hash. */
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
    measurers: 0,
    rounds: 0n,
    slots: 0n,
    leases: [],
    generations: { previous: emptyGeneration(), current: emptyGeneration() },
  };
}

function emptyGeneration(): GenerationState {
  return { workspaces: 0n, authorizations: 0n, receipts: 0n, epochs: 0n, claimed: {} };
}

const idsBefore: Record<Generation, bigint> = { previous: 0n, current: 2n ** 40n };

/** A log of a contract of a generation. */
function logOf(
  generation: Generation,
  contract: keyof typeof previousContracts,
  event: string,
  args: object,
): ScriptedLog {
  return eventLog(
    contract,
    event,
    { ...args },
    generation === "previous" ? previousContracts[contract] : undefined,
  );
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

const anyGeneration = (upTo: (limit: number) => number): Generation =>
  upTo(3) === 0 ? "previous" : "current";

const ownerActs: Act = (state, upTo) => {
  const generation = anyGeneration(upTo);
  const own = state.generations[generation];
  const owner = account(upTo(4));
  const amount = BigInt(1 + upTo(1e9)) * 10n ** 18n;
  const choice = upTo(7);
  if (choice === 0)
    return [logOf(generation, "Escrow", "Deposited", { account: owner, from: owner, amount })];
  if (choice === 1)
    return [logOf(generation, "Escrow", "Withdrawn", { account: owner, to: owner, amount: 1n })];
  if (choice === 2) {
    const image = {
      digest: word(1 + upTo(3)),
      owner,
      sizeBytes: BigInt(upTo(1e9)),
      chunkRoot: word(2),
      ref: "host/name",
    };
    return [logOf(generation, "DockerContract", "ImageRegistered", image)];
  }
  if (own.authorizations === 0n || choice === 3) {
    own.authorizations += 1n;
    return [
      logOf(generation, "Escrow", "Authorized", {
        authorizationId: idsBefore[generation] + own.authorizations,
        owner,
        delegate: account(9),
        maxRate: 2n ** 64n - 1n,
        total: 2n ** 128n - 1n,
        scope: word(0),
        expiry: 2 ** 40 - 1,
      }),
    ];
  }
  const authorizationId = idsBefore[generation] + BigInt(1 + upTo(Number(own.authorizations)));
  if (choice === 4) return [logOf(generation, "Escrow", "AuthorizationRevoked", { authorizationId })];
  if (own.workspaces > 0n && choice === 5) {
    const workspaceId = idsBefore[generation] + BigInt(1 + upTo(Number(own.workspaces)));
    return upTo(2) === 0
      ? [logOf(generation, "DockerContract", "ReplicasSet", { workspaceId, replicas: upTo(5) })]
      : [logOf(generation, "DockerContract", "WorkspaceClosed", { workspaceId })];
  }
  own.workspaces += 1n;
  return [
    logOf(generation, "DockerContract", "WorkspacePublished", {
      workspaceId: idsBefore[generation] + own.workspaces,
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
  const generation = anyGeneration(upTo);
  const own = state.generations[generation];
  if (state.nodes === 0) return nodeActs(state, upTo);
  if (own.workspaces === 0n || own.authorizations === 0n) return ownerActs(state, upTo);
  if (chosen === undefined || upTo(5) === 0) {
    const workspaceId = idsBefore[generation] + BigInt(1 + upTo(Number(own.workspaces)));
    const replica = upTo(3);
    const number =
      state.leases.filter((l) => l.workspaceId === workspaceId && l.replica === replica).length + 1;
    const lease = {
      generation,
      workspaceId,
      replica,
      lease: number,
      nodeId: 1 + upTo(state.nodes),
      open: true,
    };
    state.leases.push(lease);
    const { open: _open, generation: _generation, ...ref } = lease;
    const authorizationId = idsBefore[generation] + BigInt(1 + upTo(Number(own.authorizations)));
    return [
      logOf(generation, "Escrow", "LeaseOpened", { ...ref, authorizationId, rate: 5n }),
      logOf(generation, "DockerContract", "Assigned", {
        ...ref,
        fence: word(number, 8),
        pricePerSecond: 5n,
        start: upTo(2) === 0,
      }),
    ];
  }
  const { open: _, generation: its, ...ref } = chosen;
  const { workspaceId, nodeId, replica, lease } = ref;
  const settled = logOf(its, "Escrow", "Settled", {
    ...ref,
    amount: BigInt(upTo(1e9)),
    settledAt: upTo(1e9),
  });
  const acts: (() => ScriptedLog[])[] = [
    () => [logOf(its, "DockerContract", "StartRequested", ref)],
    () => [logOf(its, "DockerContract", "StopRequested", ref)],
    () => [logOf(its, "DockerContract", "LeaseLost", { ...ref, releasableAt: upTo(1e9) })],
    () => [
      logOf(its, "DockerContract", "StateChanged", {
        ...ref,
        state: 2 + upTo(4),
        sequence: 16_777_215,
        detail: word(8080),
      }),
    ],
    () => [
      settled,
      logOf(its, "Escrow", "LeaseClockSet", { ...ref, running: upTo(2) === 0, since: upTo(1e9) }),
    ],
    () => [
      logOf(its, "Progress", "ProgressReported", {
        workspaceId,
        nodeId,
        replica,
        lease,
        milestone: 1 + upTo(4),
      }),
    ],
    () => [logOf(its, "Escrow", "Collected", { nodeId, to: account(1), amount: 3n, fee: 1n })],
    () => [
      logOf(its, "Escrow", "Refunded", {
        ...ref,
        owner: account(upTo(4)),
        day: 20_000n,
        downSeconds: upTo(86_400),
        amount: BigInt(upTo(1e9)),
      }),
    ],
    () => {
      state.generations[its].receipts += 1n;
      return [
        logOf(its, "Pomc", "ReceiptsCommitted", {
          number: idsBefore[its] + state.generations[its].receipts,
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
        logOf(its, "DockerContract", "DeleteRequested", ref),
        settled,
        logOf(its, "Escrow", "LeaseClosed", { ...ref, reason: upTo(3) }),
        logOf(its, "DockerContract", "Released", { ...ref, reason: upTo(5) }),
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
  const generation = anyGeneration(upTo);
  const own = state.generations[generation];
  const choice = upTo(4);
  if (choice === 0) {
    return [eventLog("ComputeNode", "ItemRefused", { index: BigInt(upTo(9)), reason: word(upTo(255), 4) })];
  }
  if (choice === 1)
    return [
      eventLog("Escrow", "Deposited", { account: account(1), from: account(1), amount: 1n }, account(77)),
    ];
  if (own.epochs === 0n || choice === 2) {
    own.epochs += 1n;
    return [
      logOf(generation, "Pomc", "EpochPosted", {
        number: own.epochs,
        root: toHex(upTo(1e9), { size: 20 }),
        total: own.epochs * 10n ** 24n,
        dataHash: word(upTo(1e9)),
        activatesAt: 1_700_000_000,
      }),
    ];
  }
  const number = BigInt(1 + upTo(Number(own.epochs)));
  const to = account(upTo(4));
  const cumulative = BigInt(own.claimed[to] ?? 0) + BigInt(upTo(1e6));
  own.claimed[to] = cumulative.toString();
  if (upTo(2) === 0) return [logOf(generation, "Pomc", "Claimed", { account: to, cumulative })];
  const grants = concat([to, toHex(cumulative, { size: 12 })]);
  return [logOf(generation, "Pomc", "ClaimedMany", { number, grants })];
};
