import { setTimeout as delay } from "node:timers/promises";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { nodeKey } from "./keys.ts";
import { latencyOf } from "./latency.ts";
import { type Notes, nextOrder, openNode, validReceipts } from "./node.ts";

/* All nodes of the benchmark, in a separate process. */

type Begin = { url: string; deployment: unknown; committer: string; sessions: number; seed: number };

const concurrentHandshakes = 48;

const begin = await nextOrder<Begin>();
const deployment = parseDeployment(begin.deployment);
const notes: Notes = { handshakes: [], receipts: [], acks: [], lost: 0, samples: [] };
const places = Array.from({ length: begin.sessions }, (_, place) => place).values();
const nodes: Awaited<ReturnType<typeof openNode>>[] = [];
const since = performance.now();
const timers: NodeJS.Timeout[] = [];
const open = async () => {
  for (const place of places) {
    const account = nodeKey(begin.seed, place);
    const node = await openNode({ url: begin.url, deployment, account, notes });
    nodes.push(node);
    const periodMs = node.heartbeatSeconds * 1_000;
    node.beat();
    // Random phases, as of nodes that connected at different times.
    timers.push(setTimeout(() => timers.push(setInterval(node.beat, periodMs)), Math.random() * periodMs));
    if (nodes.length % 1_000 === 0) process.send?.({ type: "opened", sessions: nodes.length });
  }
};
await Promise.all(Array.from({ length: concurrentHandshakes }, open));
const seconds = (performance.now() - since) / 1_000;
process.send?.({ type: "open", perSecond: nodes.length / seconds, latency: latencyOf(notes.handshakes) });

const { seconds: holdFor } = await nextOrder<{ seconds: number }>();
// Acknowledgements received while sessions were being opened do not count.
notes.receipts = [];
notes.acks = [];
await delay(holdFor * 1_000);
for (const timer of timers) clearInterval(timer);
const { receipts, acks, lost, samples } = notes;
process.send?.({
  type: "held",
  receipts: latencyOf(receipts),
  acks: latencyOf(acks),
  lost,
  samples: samples.length,
  validSamples: await validReceipts(deployment, samples, begin.committer),
});
for (const node of nodes) node.close();
process.disconnect();
process.exit(0);
