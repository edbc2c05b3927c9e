import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { maxWaveNodes } from "@ngpu/protocol/waves";
import type { ServerMessage } from "@ngpu/protocol/wire";
import { readHead } from "@ngpu/queries/fleet";
import { blocksOf, type WaveBlocks, type WaveTerms } from "@ngpu/waves/schedule";
import { probeUrl } from "../measurement/measureOrders.ts";
import type { Session } from "../sessions/session.ts";
import type { Sessions } from "../sessions/sessions.ts";
import { readNodes, type ServedWave, servedWaves, type WaveNode } from "./waveStore.ts";

export type WaveOrderOptions = {
  pool: Database;
  deployment: Deployment;
  sessions: Sessions;
  probeImage: string;
};

/** Delivers to a session what it has not got yet under a key. */
type Deliver = (session: Session | undefined, key: string, deliver: (to: Session) => void) => void;

/** Waves whose nodes are kept in memory: they do not change. */
const keptWaves = 4;

/** Delivers the waves in progress to nodes and to drawn measurers with a session on this instance. */
export function createWaveOrders({ pool, deployment, sessions, probeImage }: WaveOrderOptions) {
  const terms = deployment.parameters.waves;
  const known = new Map<string, WaveNode[]>();

  return async (once: Deliver): Promise<void> => {
    const head = Number((await readHead(pool)).number);
    for (const wave of await servedWaves(pool, head - blocksOf(0, terms).revealed)) {
      const nodes = await nodesOf(wave);
      const blocks = blocksOf(wave.fillBlock, terms);
      // A node that hears of it later has no answer in time.
      if (head < blocks.work) {
        for (const node of nodes)
          once(sessions.ofSubject("node", node.nodeId), `wave:${wave.fillHash}`, (to) =>
            to.send(waveMessageOf({ wave, node, blocks, terms, image: probeImage })),
          );
      }
      for (const measurerId of wave.drawn ?? [])
        once(sessions.ofSubject("measurer", measurerId), `measureWave:${wave.fillHash}`, (to) => {
          for (const order of measureOrders(wave, nodes, measurerId)) to.send(order);
        });
    }
  };

  async function nodesOf({ fillBlock, fillHash }: ServedWave): Promise<WaveNode[]> {
    const nodes = known.get(fillHash) ?? (await readNodes(pool, fillBlock));
    known.set(fillHash, nodes);
    const [oldest] = known.keys();
    if (known.size > keptWaves && oldest !== undefined) known.delete(oldest);
    return nodes;
  }
}

function waveMessageOf(given: {
  wave: ServedWave;
  node: WaveNode;
  blocks: WaveBlocks;
  terms: WaveTerms;
  image: string;
}): Extract<ServerMessage, { type: "wave" }> {
  const { wave, node, blocks, terms, image } = given;
  const { blockMs, beganAt } = wave;
  const { committed, revealed: _, ...parts } = blocks;
  // Measurers read transcripts until they commit.
  const seconds = Math.ceil(((committed - blocks.fill) * blockMs) / 1_000);
  return {
    type: "wave",
    nodeId: node.nodeId,
    image,
    port: node.port,
    token: node.token,
    blocks: parts,
    milliseconds: {
      chase: Math.max(1, terms.chaseBlocks * blockMs),
      work: Math.max(1, terms.workBlocks * blockMs),
    },
    claims: node.claims.map(({ device, bytes }) => ({ device, bytes: BigInt(bytes) })),
    closesAt: Math.ceil(beganAt) + seconds,
  };
}

/** The orders to a measurer: as many as the wave's nodes need, one at least. */
export function measureOrders(
  { waveId, fillBlock }: ServedWave,
  nodes: readonly WaveNode[],
  measurerId: number,
): Extract<ServerMessage, { type: "measureWave" }>[] {
  if (waveId === null) return [];
  const parts = Math.max(1, Math.ceil(nodes.length / maxWaveNodes));
  return Array.from({ length: parts }, (_, part) => ({
    type: "measureWave",
    waveId,
    measurerId,
    fill: fillBlock,
    part,
    parts,
    nodes: nodes
      .slice(part * maxWaveNodes, (part + 1) * maxWaveNodes)
      .map(({ nodeId, host, port, token }) => ({ nodeId, url: probeUrl(host, port), token })),
  }));
}
