import type { MeasureWaveOrder } from "@ngpu/protocol/waves";
import { decodeDevice } from "@ngpu/waves/claims";
import type { Claims } from "../../journal/waves.ts";
import type { WaveSubject } from "./measureWave.ts";

/**
 * The devices of a wave: all that the chain's claims name. Where each node answers is what match says; a node that match
 * does not name answers nowhere.
 */
export function subjectsOf(claims: Claims, nodes: MeasureWaveOrder["nodes"]): WaveSubject[] {
  const places = new Map(nodes.map(({ nodeId, url, token }) => [nodeId, { url, token }]));
  return [...claims].flatMap(([nodeId, words]) =>
    words.map((word, device) => ({
      nodeId,
      device,
      claimed: decodeDevice(word),
      at: places.get(nodeId) ?? null,
    })),
  );
}
