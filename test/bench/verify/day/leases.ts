import { codeOf, leaseClocks, releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import { decide } from "@ngpu/placement/decide";
import { countedExclusions } from "@ngpu/placement/exclusions";
import type { PlacementRequest } from "@ngpu/placement/fleet";
import { preferencesIn, requestOf, strategyOf } from "@ngpu/placement/preferences";
import { packNodes } from "@ngpu/protocol/placement/nodeList";
import { strategyTexts } from "@ngpu/protocol/placement/strategies";
import { type Hex, keccak256, numberToHex, pad } from "viem";
import { followFleet } from "./fleetAt.ts";
import type { Market } from "./market.ts";
import { addressOf } from "./nodes.ts";

/** A lease of the day, and when it ran. */
export type GeneratedLease = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  rate: bigint;
  owner: Hex;
  /** Blocks. */
  from: number;
  to: number | undefined;
  /** Until when it was settled, Unix seconds, and what was paid. */
  settledAt: number;
  paid: bigint;
};

type Wish = { workspaceId: bigint; authorizationId: bigint; spec: ReturnType<typeof specOf>; config: string };
/** A replica's next step. */
type Step = { block: number; act: () => void };

const partners = 200;
const highest = 2n ** 62n;

/** Writes two leases for each pair of nodes: published, decided by the placement engine, run, closed or lost. */
export function writeLeases(market: Market): GeneratedLease[] {
  const { add, blockAt, dayBegin, dayEnd, timeOf, scale, between, random } = market;
  for (let id = 1; id <= partners; id++) {
    add("Escrow", "Authorized", 3, {
      authorizationId: BigInt(id),
      owner: addressOf(0xc1, id),
      delegate: addressOf(0xc2, id),
      maxRate: highest,
      daily: 10n ** 27n,
      total: 10n ** 27n,
      scope: pad("0x"),
      expiry: 2 ** 39,
    });
  }
  const fleet = followFleet(market);
  const written: GeneratedLease[] = [];
  const steps: Step[] = [];
  const later = (block: number, act: () => void) => {
    const place = steps.findLastIndex((step) => step.block <= block);
    steps.splice(place + 1, 0, { block, act });
  };
  const write = (contract: string, name: string, block: number, args: Record<string, unknown>) =>
    fleet.take(add(contract, name, block, args));
  const gap = Math.ceil(60 / scale.blockSeconds);

  const place = (wish: Wish, given: Placed) => {
    const { block, replica, lease, position, limit, excluded } = given;
    const decidedAt = block - 1;
    const nodes = fleet.at(decidedAt);
    const request = requestFor(wish, { position, limit, excluded });
    const counted = countedExclusions((nodeId) => nodes.find((node) => node.nodeId === nodeId), request);
    const named = { number: BigInt(decidedAt), hash: market.hashOf(decidedAt), time: timeOf(decidedAt) };
    const decision = decide({ block: named, nodes }, request, strategyOf(preferencesIn(wish.config)));
    if (decision.type !== "placed") return;
    const { nodeId, pricePerSecond } = decision.ranking[0] as (typeof decision.ranking)[0];
    const ids = { workspaceId: wish.workspaceId, nodeId, replica, lease };
    write("DockerContract", "Assigned", block, {
      ...ids,
      fence: pad("0x", { size: 8 }),
      pricePerSecond,
      start: true,
      decidedAt: BigInt(decidedAt),
      position,
      excluded: packNodes(counted),
    });
    const { authorizationId } = wish;
    const opened = { ...ids, authorizationId, rate: pricePerSecond, lock: pricePerSecond * 600n };
    write("Escrow", "LeaseOpened", block, opened);
    const from = block + 2;
    const owner = addressOf(0xc1, Number(authorizationId));
    const own: GeneratedLease = {
      ...ids,
      rate: pricePerSecond,
      owner,
      from,
      to: undefined,
      settledAt: timeOf(from),
      paid: 0n,
    };
    written.push(own);
    later(from, () => run(wish, own));
  };

  const run = (wish: Wish, own: GeneratedLease) => {
    const { rate, owner: _owner, from, to: _to, settledAt: _settledAt, paid: _paid, ...ids } = own;
    const state = { state: 3, sequence: 1, detail: pad("0x") };
    write("DockerContract", "StateChanged", from, { ...ids, ...state });
    const clock = codeOf(leaseClocks, "running");
    write("Escrow", "LeaseClockSet", from, { ...ids, clock, since: timeOf(from) });
    const end = from + between(10 * gap, 600 * gap);
    if (end > blockAt(dayEnd) - 30 * gap || random() > 0.4) return;
    const isLost = own.replica === 0 && own.lease === 1 && random() < 0.3;
    later(end, () => {
      own.to = end;
      settle(market, own, end);
      write("Escrow", "LeaseClosed", end, { ...ids, reason: 0 });
      if (!isLost) write("DockerContract", "DeleteRequested", end, ids);
      const reason = codeOf(releaseReasons, isLost ? "lost" : "deleted");
      write("DockerContract", "Released", end, { ...ids, reason });
      if (!isLost) return;
      const limit = rate + rate / 10n;
      const { workspaceId, replica, lease } = ids;
      const until = timeOf(end) + 86_400;
      write("DockerContract", "PriceLimited", end, {
        workspaceId,
        replica,
        lease,
        pricePerSecond: limit,
        until,
      });
      const again = { replica, lease: lease + 1, position: 0, limit, excluded: [ids.nodeId] };
      later(end + gap + 2, () => place(wish, { ...again, block: end + gap + 2 }));
    });
  };

  for (let id = 1; id <= Math.ceil(scale.nodes / 2); id++) {
    const block = between(blockAt(dayBegin + 120), blockAt(dayEnd - 3_600));
    const wish = wishOf(market, id);
    steps.push({
      block,
      act: () => {
        const { workspaceId, authorizationId, spec, config } = wish;
        const owner = addressOf(0xc1, Number(authorizationId));
        const published = {
          workspaceId,
          owner,
          image: spec.image,
          authorizationId,
          replicas: 2,
          spec,
          config,
        };
        write("DockerContract", "WorkspacePublished", block, published);
      },
    });
    for (const replica of [0, 1]) {
      const first = { replica, lease: 1, position: replica, limit: highest, excluded: [] };
      steps.push({ block: block + 1, act: () => place(wish, { ...first, block: block + 1 }) });
    }
  }
  steps.sort((a, b) => a.block - b.block);
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) step.act();
  return written;
}

type Placed = {
  block: number;
  replica: number;
  lease: number;
  position: number;
  limit: bigint;
  excluded: number[];
};

/** Pays a lease up to a block. */
export function settle({ add, timeOf }: Market, own: GeneratedLease, block: number): void {
  const { workspaceId, nodeId, replica, lease, rate } = own;
  const amount = rate * BigInt(timeOf(block) - own.settledAt);
  if (amount <= 0n) return;
  const settledAt = timeOf(block);
  const ids = { workspaceId, nodeId, replica, lease };
  add("Escrow", "Settled", block, { ...ids, amount, fromLock: 0n, settledAt });
  own.settledAt = settledAt;
  own.paid += amount;
}

function wishOf(market: Market, id: number): Wish {
  const strategies = Object.keys(strategyTexts);
  const strategy = strategies[market.between(0, strategies.length - 1)];
  const replicas = market.random() < 0.3 ? "pack" : "spread";
  return {
    workspaceId: BigInt(id),
    authorizationId: BigInt(market.between(1, partners)),
    spec: specOf(market, id),
    config: JSON.stringify({ image: "chat", placement: { strategy, replicas } }),
  };
}

function specOf({ between, random }: Market, id: number) {
  const gpus = random() < 0.4 ? 1 : 0;
  return {
    image: keccak256(pad(numberToHex(1 + (id % 50)), { size: 32 })),
    policy: 0,
    graceSeconds: 60,
    maxPricePerSecond: highest,
    gpuModel: pad("0x", { size: 8 }),
    minVramMib: gpus * between(8, 20) * 1_000,
    minComputeCapability: 0,
    region: "0x0000" as Hex,
    resources: { gpus, cpuMilli: 1_000 * between(1, 4), memoryMib: 2_048, diskGib: 10, ports: 1 },
    expiresAt: 0,
    configHash: pad("0x"),
  };
}

function requestFor(
  { workspaceId, spec, config }: Wish,
  { position, limit, excluded }: Pick<Placed, "position" | "limit" | "excluded">,
): PlacementRequest {
  return {
    ...requestOf(preferencesIn(config)),
    workspaceId,
    position,
    excluded,
    image: spec.image,
    wanted: spec.resources,
    gpuModel: null,
    region: null,
    minVramMib: spec.minVramMib,
    minComputeCapability: 0,
    maxPricePerSecond: limit < spec.maxPricePerSecond ? limit : spec.maxPricePerSecond,
  };
}
