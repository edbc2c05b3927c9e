import Docker from "dockerode";
import type { ChainWatch } from "./chainWatch.ts";
import { watchLosses } from "./losses.ts";
import type { BenchMarket } from "./market.ts";
import { type Spares, spareRegion } from "./spares.ts";

/** Blocks from the request's to that of its effect; seconds from the caller's request. */
export type Sample = { blocks: number; seconds: number };

type Published = { id: string; block: number; start: number };

/** Publishes a workspace, waits until it runs, stops it, deletes it, repeatedly, with the image present. */
export async function measurePresent(
  market: BenchMarket,
  chain: ChainWatch,
  runs: number,
): Promise<{ present: Sample[]; stopped: Sample[] }> {
  const present: Sample[] = [];
  const stopped: Sample[] = [];
  for (let run = 0; run < runs; run += 1) {
    const published = await publish(market, chain);
    const { lease, block } = await chain.state(published.id, "running");
    present.push(shown(market, "image present", sampleOf(published, block)));
    const start = performance.now();
    const { txHash } = await market.api.post<{ txHash: string }>(`/v1/workspaces/${published.id}/stop`, {});
    const ordered = { block: await chain.blockOf(txHash), start };
    const over = await chain.state(published.id, "stopped");
    stopped.push(shown(market, "stop", sampleOf(ordered, over.block)));
    await end(market, chain, published.id, lease);
  }
  return { present, stopped };
}

/** The same, but the image is removed from the engine before each run. */
export async function measureAbsent(market: BenchMarket, chain: ChainWatch, runs: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let run = 0; run < runs; run += 1) {
    await removeImage(market);
    const published = await publish(market, chain);
    const { lease, block } = await chain.state(published.id, "running");
    samples.push(shown(market, "image absent", sampleOf(published, block)));
    await end(market, chain, published.id, lease);
  }
  return samples;
}

/** Results of killing nodes that run a replica. */
export type Failovers = {
  /** Seconds from the kill until match declared the node lost. */
  noticed: number[];
  /** Blocks from the release of the lost lease to the next assignment; seconds from the kill. */
  reassigned: Sample[];
  /** The same, to the report that the next lease runs. */
  running: Sample[];
};

/** Kills the client of the node that runs a replica, and waits until another node runs it. */
export async function measureFailover(
  market: BenchMarket,
  chain: ChainWatch,
  spares: Spares,
  runs: number,
): Promise<Failovers> {
  const found: Failovers = { noticed: [], reassigned: [], running: [] };
  for (let run = 0; run < runs; run += 1) {
    const { id } = await publish(market, chain, { region: spareRegion });
    const first = await chain.state(id, "running");
    const losses = await watchLosses(market);
    const start = performance.now();
    const noticed = losses.next();
    const restart = await spares.kill(first.nodeId);
    found.noticed.push((await noticed) - start / 1_000);
    const block = await chain.released(id, first.lease);
    const next = await chain.assigned(id, first.lease);
    found.reassigned.push(shown(market, "reassigned", sampleOf({ block, start }, next.block)));
    const second = await chain.state(id, "running", first.lease);
    found.running.push(shown(market, "runs elsewhere", sampleOf({ block, start }, second.block)));
    await restart();
    await end(market, chain, id, second.lease);
  }
  return found;
}

async function publish(
  { api, image }: BenchMarket,
  chain: ChainWatch,
  given: Record<string, unknown> = {},
): Promise<Published> {
  const start = performance.now();
  const { id, txHash } = await api.post<{ id: string; txHash: string }>("/v1/workspaces", {
    image,
    ports: [8080],
    health: "/healthz",
    cpu: 0.25,
    memoryMib: 256,
    diskGib: 1,
    maxPricePerSecond: "10000000000000",
    ...given,
  });
  return { id, block: await chain.blockOf(txHash), start };
}

async function end({ api }: BenchMarket, chain: ChainWatch, id: string, lease: number): Promise<void> {
  await api.delete(`/v1/workspaces/${id}`);
  await chain.released(id, lease);
}

function sampleOf(asked: { block: number; start: number }, block: number): Sample {
  return { blocks: block - asked.block, seconds: (performance.now() - asked.start) / 1_000 };
}

function shown({ print }: BenchMarket, what: string, sample: Sample): Sample {
  print(`  ${what}: ${sample.blocks} blocks, ${sample.seconds.toFixed(2)} s`);
  return sample;
}

/** Removes all names of an image from the engine, and with them the image. */
async function removeImage({ image, dockerSocket: socketPath }: BenchMarket): Promise<void> {
  const docker = new Docker({ socketPath });
  const { Id } = await docker.getImage(image).inspect();
  await docker.getImage(Id).remove({ force: true });
}
