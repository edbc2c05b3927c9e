import type { ScriptedLog } from "../../packages/chain-reader/scriptedChain.ts";
import { word, workspaceSpec } from "./fixtures.ts";
import { nodeActs } from "./marketNodes.ts";
import {
  type Act,
  account,
  anyGeneration,
  type Generation,
  idsBefore,
  type Lease,
  logOf,
  type Market,
  type UpTo,
} from "./marketState.ts";

export const ownerActs: Act = (state, upTo) => {
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
        daily: 2n ** 96n - 1n,
        total: 2n ** 128n - 1n,
        scope: word(0),
        expiry: 2 ** 40 - 1,
      }),
    ];
  }
  const authorizationId = idsBefore[generation] + BigInt(1 + upTo(Number(own.authorizations)));
  if (choice === 4)
    return [logOf(generation, "Escrow", "AuthorizationRevoked", { authorizationId, expiry: upTo(1e9) })];
  if (own.workspaces > 0n && choice === 5) {
    const workspaceId = idsBefore[generation] + BigInt(1 + upTo(Number(own.workspaces)));
    const change = upTo(3);
    if (change === 0)
      return [logOf(generation, "DockerContract", "ReplicasSet", { workspaceId, replicas: upTo(5) })];
    return change === 1
      ? [logOf(generation, "DockerContract", "StoppedSet", { workspaceId, stopped: upTo(2) === 0 })]
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

export const leaseActs: Act = (state, upTo) => {
  const open = state.leases.filter((lease) => lease.open);
  const chosen = open[upTo(open.length)];
  const generation = anyGeneration(upTo);
  const own = state.generations[generation];
  if (state.nodes === 0) return nodeActs(state, upTo);
  if (own.workspaces === 0n || own.authorizations === 0n) return ownerActs(state, upTo);
  if (chosen === undefined || upTo(5) === 0) return openLease(state, generation, upTo);
  return changeLease(state, chosen, upTo);
};

function openLease(state: Market, generation: Generation, upTo: UpTo): ScriptedLog[] {
  const own = state.generations[generation];
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
    logOf(generation, "Escrow", "LeaseOpened", { ...ref, authorizationId, rate: 5n, lock: 50n }),
    logOf(generation, "DockerContract", "Assigned", {
      ...ref,
      fence: word(number, 8),
      pricePerSecond: 5n,
      start: upTo(2) === 0,
      decidedAt: BigInt(upTo(1e9)),
      position: upTo(3),
      excluded: upTo(2) === 0 ? "0x" : word(number, 4),
    }),
  ];
}

function changeLease(state: Market, chosen: Lease, upTo: UpTo): ScriptedLog[] {
  const { open: _, generation, ...ref } = chosen;
  const { workspaceId, nodeId, replica, lease } = ref;
  const settled = logOf(generation, "Escrow", "Settled", {
    ...ref,
    amount: BigInt(upTo(1e9)),
    fromLock: BigInt(upTo(1e9)),
    settledAt: upTo(1e9),
  });
  const acts: (() => ScriptedLog[])[] = [
    () => [logOf(generation, "DockerContract", "StartRequested", ref)],
    () => [logOf(generation, "DockerContract", "StopRequested", ref)],
    () => [logOf(generation, "DockerContract", "LeaseLost", { ...ref, releasableAt: upTo(1e9) })],
    () => [
      logOf(generation, "DockerContract", "StateChanged", {
        ...ref,
        state: 2 + upTo(4),
        sequence: 16_777_215,
        detail: word(8080),
      }),
    ],
    () => [
      logOf(generation, "Escrow", "WaitCharged", { ...ref, amount: BigInt(upTo(1e9)), waited: upTo(1e9) }),
    ],
    () => [
      settled,
      logOf(generation, "Escrow", "LeaseClockSet", { ...ref, clock: 1 + upTo(7), since: upTo(1e9) }),
    ],
    () => [
      logOf(generation, "Progress", "ProgressReported", {
        workspaceId,
        nodeId,
        replica,
        lease,
        milestone: 1 + upTo(4),
      }),
    ],
    () => [logOf(generation, "Escrow", "Collected", { nodeId, to: account(1), amount: 3n, fee: 1n })],
    () => [
      logOf(generation, "Escrow", "Refunded", {
        ...ref,
        owner: account(upTo(4)),
        day: 20_000n,
        downSeconds: upTo(86_400),
        amount: BigInt(upTo(1e9)),
      }),
    ],
    () => {
      state.generations[generation].receipts += 1n;
      return [
        logOf(generation, "Pomc", "ReceiptsCommitted", {
          number: idsBefore[generation] + state.generations[generation].receipts,
          root: word(upTo(1e9)),
          total: BigInt(upTo(1e9)),
          leaseTotals: [word(nodeId), word(2)],
          payerTotals: [],
        }),
      ];
    },
    () => {
      chosen.open = false;
      return [
        logOf(generation, "DockerContract", "DeleteRequested", ref),
        settled,
        logOf(generation, "Escrow", "LeaseClosed", { ...ref, reason: upTo(4) }),
        logOf(generation, "DockerContract", "Released", { ...ref, reason: upTo(5) }),
        logOf(generation, "DockerContract", "PriceLimited", {
          workspaceId,
          replica,
          lease,
          pricePerSecond: 2n ** 64n - 1n,
          until: upTo(1e9),
        }),
      ];
    },
  ];
  return (acts[upTo(acts.length)] as () => ScriptedLog[])();
}
