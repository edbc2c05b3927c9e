import { pad } from "viem";
import { followFleet } from "./fleetAt.ts";
import { createLeaseWriter, type GeneratedLease } from "./leaseSteps.ts";
import type { Market } from "./market.ts";
import { addressOf } from "./nodes.ts";
import { highest, partners, type Wish, wishOf } from "./wishes.ts";

/** Something that happens in a block. */
type Step = { block: number; act: () => void };

/** Writes two leases for each pair of nodes: published, decided by the placement engine, run, closed or lost. */
export function writeLeases(market: Market): GeneratedLease[] {
  const { blockAt, dayBegin, dayEnd, scale, between } = market;
  writePartners(market);
  const steps: Step[] = [];
  const later = (block: number, act: () => void) => {
    steps.splice(steps.findLastIndex((step) => step.block <= block) + 1, 0, { block, act });
  };
  const writer = createLeaseWriter({ market, fleet: followFleet(market), later });
  for (let id = 1; id <= Math.ceil(scale.nodes / 2); id++) {
    const block = between(blockAt(dayBegin + 120), blockAt(dayEnd - 3_600));
    const wish = wishOf(market, id);
    steps.push({ block, act: () => publish(writer.write, wish, block) });
    for (const replica of [0, 1]) {
      const first = { block: block + 1, replica, lease: 1, position: replica, limit: highest, excluded: [] };
      steps.push({ block: block + 1, act: () => writer.place(wish, first) });
    }
  }
  steps.sort((a, b) => a.block - b.block);
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) step.act();
  return writer.written;
}

function writePartners({ add }: Market): void {
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
}

function publish(
  write: ReturnType<typeof createLeaseWriter>["write"],
  { workspaceId, authorizationId, spec, config }: Wish,
  block: number,
): void {
  const owner = addressOf(0xc1, Number(authorizationId));
  const published = { workspaceId, owner, image: spec.image, authorizationId, replicas: 2, spec, config };
  write("DockerContract", "WorkspacePublished", block, published);
}
