import type { ServerMessage } from "@ngpu/protocol/wire";
import { NgpuError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { type Measurement, type MeasureOptions, measureProbe } from "./measure.ts";

export type Order = Extract<ServerMessage, { type: "measure" }>;

/** The result for a node that did not respond. */
const absence: Measurement = {
  absent: true,
  downMbps: 0,
  upMbps: 0,
  latencyTenthMs: 0,
  portsReachable: 0,
  diskFreeGib: 0,
  diskWriteMibps: 0,
};

/** Longest measurement, in milliseconds. */
const maxDuration = 60_000;
/** Pause between attempts to reach a node, in milliseconds. */
const retryInterval = 1_000;

/**
 * Measures a node for a round. A node that has not reported its probe as ready (`awaitProbe`) is polled until only the time
 * needed to submit the result remains. It is absent when its port never responded.
 *
 * @param windowSeconds Length of a round's window.
 * @throws NgpuError when the node could be neither measured nor found absent.
 */
export async function measureRound(
  order: Pick<Order, "url" | "token" | "closesAt" | "awaitProbe">,
  windowSeconds: number,
  options: Pick<MeasureOptions, "signal" | "limits" | "privateAddresses">,
): Promise<Measurement> {
  const closesAt = order.closesAt * 1_000;
  const once = () => {
    const remaining = Math.max(1, Math.min(closesAt - Date.now(), maxDuration));
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(remaining)]);
    return measureProbe({ ...options, url: order.url, token: order.token, signal });
  };
  if (!order.awaitProbe) return once();
  const until = closesAt - Math.min(20_000, (windowSeconds * 1_000) / 8);
  for (;;) {
    try {
      return await once();
    } catch (error) {
      // Any other error means that the port responded.
      if (!(error instanceof NgpuError) || error.code !== "probe_unreachable") throw error;
      if (options.signal.aborted) throw error;
      if (Date.now() + retryInterval >= until) return absence;
    }
    await rest(retryInterval, options.signal);
  }
}
