import { type WavePartName, wavePartBytes } from "@ngpu/protocol/waves";
import { rest } from "@ngpu/runtime/loop";
import { readWithin } from "@ngpu/runtime/readWithin";
import { open, type Probe, requirePublic } from "../probeClient.ts";

/** Milliseconds between two tries to reach a node. */
const retryInterval = 500;

/**
 * Reads a part of a device's answer from the node's own address and container, which holds the request until the part is
 * there. Undefined: it was not there before the probe's signal aborted.
 */
export async function readPart(
  probe: Probe,
  device: number,
  part: WavePartName,
): Promise<Uint8Array | undefined> {
  requirePublic(probe);
  while (!probe.signal.aborted) {
    try {
      const response = await open(probe, "GET", `/wave/${device}/${part}`);
      if (response.statusCode === 200) return await readWithin(response, wavePartBytes[part]);
      response.resume();
    } catch {
      // A node may be unreachable for a moment: what counts is whether the part comes in time.
    }
    await rest(retryInterval, probe.signal);
  }
  return undefined;
}
