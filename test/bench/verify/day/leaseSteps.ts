import { codeOf, leaseClocks, releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import { decide } from "@ngpu/placement/decide";
import { countedExclusions } from "@ngpu/placement/exclusions";
import { preferencesIn, strategyOf } from "@ngpu/placement/preferences";
import { packNodes } from "@ngpu/protocol/placement/nodeList";
import { type Hex, pad } from "viem";
import type { Fleets } from "./fleetAt.ts";
import type { Market } from "./market.ts";
import { addressOf } from "./nodes.ts";
import { requestFor, type Wish } from "./wishes.ts";

/** A lease of the day, and when it ran. */
export type GeneratedLease = {
  ids: { workspaceId: bigint; nodeId: number; replica: number; lease: number };
  rate: bigint;
  owner: Hex;
  /** Blocks. */
  from: number;
  to: number | undefined;
  /** Until when it was settled, Unix seconds, and what was paid. */
  settledAt: number;
  paid: bigint;
};

/** A placement as it is to be decided: in the block before, with these nodes left out. */
export type Wanted = {
  block: number;
  replica: number;
  lease: number;
  position: number;
  limit: bigint;
  excluded: number[];
};

type Writing = {
  market: Market;
  fleet: Fleets;
  /** Does something in a later block. */
  later: (block: number, act: () => void) => void;
};
type Write = (contract: string, name: string, block: number, args: Record<string, unknown>) => void;
type Writer = Writing & {
  written: GeneratedLease[];
  write: Write;
  place: (wish: Wish, wanted: Wanted) => void;
};

/** Writes leases step by step, in the order of their blocks. */
export function createLeaseWriter(writing: Writing): Writer {
  const { market, fleet } = writing;
  const writer: Writer = {
    ...writing,
    written: [],
    write: (contract, name, block, args) => fleet.take(market.add(contract, name, block, args)),
    place: (wish, wanted) => place(writer, wish, wanted),
  };
  return writer;
}

function place(writer: Writer, wish: Wish, wanted: Wanted): void {
  const { market, write, written, later } = writer;
  const { block, replica, lease, position } = wanted;
  const best = decided(writer, wish, wanted);
  if (best === undefined) return;
  const { nodeId, pricePerSecond, counted } = best;
  const ids = { workspaceId: wish.workspaceId, nodeId, replica, lease };
  write("DockerContract", "Assigned", block, {
    ...ids,
    fence: pad("0x", { size: 8 }),
    pricePerSecond,
    start: true,
    decidedAt: BigInt(block - 1),
    position,
    excluded: packNodes(counted),
  });
  const { authorizationId } = wish;
  const opened = { authorizationId, rate: pricePerSecond, lock: pricePerSecond * 600n };
  write("Escrow", "LeaseOpened", block, { ...ids, ...opened });
  const from = block + 2;
  const own: GeneratedLease = {
    ids,
    rate: pricePerSecond,
    owner: addressOf(0xc1, Number(authorizationId)),
    from,
    to: undefined,
    settledAt: market.timeOf(from),
    paid: 0n,
  };
  written.push(own);
  later(from, () => run(writer, wish, own));
}

/** The node that the placement engine chooses, and the excluded nodes that count. */
function decided({ market, fleet }: Writer, wish: Wish, wanted: Wanted) {
  const number = wanted.block - 1;
  const nodes = fleet.at(number);
  const request = requestFor(wish, wanted);
  const block = { number: BigInt(number), hash: market.hashOf(number), time: market.timeOf(number) };
  const decision = decide({ block, nodes }, request, strategyOf(preferencesIn(wish.config)));
  if (decision.type !== "placed" || decision.ranking[0] === undefined) return undefined;
  const counted = countedExclusions((nodeId) => nodes.find((node) => node.nodeId === nodeId), request);
  return { ...decision.ranking[0], counted };
}

function run(writer: Writer, wish: Wish, own: GeneratedLease): void {
  const { market, write, later } = writer;
  const { blockAt, timeOf, dayEnd, between, random, scale } = market;
  const { ids, from } = own;
  const minute = Math.ceil(60 / scale.blockSeconds);
  write("DockerContract", "StateChanged", from, { ...ids, state: 3, sequence: 1, detail: pad("0x") });
  const clock = codeOf(leaseClocks, "running");
  write("Escrow", "LeaseClockSet", from, { ...ids, clock, since: timeOf(from) });
  const end = from + between(10 * minute, 600 * minute);
  if (end > blockAt(dayEnd) - 30 * minute || random() > 0.4) return;
  const isLost = ids.replica === 0 && ids.lease === 1 && random() < 0.3;
  later(end, () => finish(writer, own, { end, isLost }));
  if (!isLost) return;
  const again = { block: end + minute + 2, replica: ids.replica, lease: ids.lease + 1, position: 0 };
  const limit = own.rate + own.rate / 10n;
  later(again.block, () => place(writer, wish, { ...again, limit, excluded: [ids.nodeId] }));
}

function finish(
  { market, write }: Writer,
  own: GeneratedLease,
  given: { end: number; isLost: boolean },
): void {
  const { end, isLost } = given;
  const { ids, rate } = own;
  own.to = end;
  settle(market, own, end);
  write("Escrow", "LeaseClosed", end, { ...ids, reason: 0 });
  if (!isLost) write("DockerContract", "DeleteRequested", end, ids);
  const reason = codeOf(releaseReasons, isLost ? "lost" : "deleted");
  write("DockerContract", "Released", end, { ...ids, reason });
  if (!isLost) return;
  const { nodeId: _nodeId, ...replica } = ids;
  const until = market.timeOf(end) + 86_400;
  write("DockerContract", "PriceLimited", end, { ...replica, pricePerSecond: rate + rate / 10n, until });
}

/** Pays a lease up to a block. */
export function settle({ add, timeOf }: Market, own: GeneratedLease, block: number): void {
  const settledAt = timeOf(block);
  const amount = own.rate * BigInt(settledAt - own.settledAt);
  if (amount <= 0n) return;
  add("Escrow", "Settled", block, { ...own.ids, amount, fromLock: 0n, settledAt });
  own.settledAt = settledAt;
  own.paid += amount;
}
