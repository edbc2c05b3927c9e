import type { ServerMessage } from "@ngpu/protocol/wire";
import { NgpuError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { type Measurement, type MeasureOptions, measureProbe } from "./measure.ts";

export type Order = Extract<ServerMessage, { type: "measure" }>;

/** What is said of a node that did not answer. */
const absence: Measurement = {
  absent: true,
  downMbps: 0,
  upMbps: 0,
  latencyTenthMs: 0,
  portsReachable: 0,
  diskFreeGib: 0,
  diskWriteMibps: 0,
};

/** Most milliseconds of one measurement. */
const longest = 60_000;
/** Between two looks for a node that does not answer, in ms. */
const pause = 1_000;

/**
 * Measures a node for a round. One that has not said that its probe answers is looked for until only as much time is left as
 * the chain needs to hear of it; it is absent when nothing answered at its port all that while.
 *
 * @param windowSeconds Length of a round's window.
 * @throws NgpuError when it could neither be measured nor found absent.
 */
export async function measureRound(
  order: Pick<Order, "url" | "token" | "closesAt" | "awaitProbe">,
  windowSeconds: number,
  options: Pick<MeasureOptions, "signal" | "limits">,
): Promise<Measurement> {
  const closesAt = order.closesAt * 1_000;
  const once = () => {
    const remaining = Math.max(1, Math.min(closesAt - Date.now(), longest));
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(remaining)]);
    return measureProbe({ ...options, url: order.url, token: order.token, signal });
  };
  if (!order.awaitProbe) return once();
  const until = closesAt - Math.min(20_000, (windowSeconds * 1_000) / 8);
  for (;;) {
    try {
      return await once();
    } catch (error) {
      // Whoever answers otherwise is there.
      if (!(error instanceof NgpuError) || error.code !== "probe_unreachable") throw error;
      if (options.signal.aborted) throw error;
      if (Date.now() + pause >= until) return absence;
    }
    await rest(pause, options.signal);
  }
}
