import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Call } from "./wrk.ts";

const event = /^data: \{"at":([\d.]+)\}$/gm;

/**
 * Opens event streams and reads them for some seconds.
 *
 * @returns The times from the sending of each event to its arrival, in milliseconds, sorted.
 */
export async function measureStreams(
  { url, body, headers }: Call,
  { count, seconds }: { count: number; seconds: number },
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  const measuring = { is: false };
  const failed: unknown[] = [];
  const streams = Array.from({ length: count }, () => {
    const sent = request(url, {
      agent,
      method: "POST",
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers },
    });
    const begun = new Promise<void>((resolve) => {
      sent.once("response", (message) => {
        if (message.statusCode !== 200) failed.push(message.statusCode);
        message.on("error", () => undefined);
        message.once("data", () => resolve());
        message.setEncoding("utf8").on("data", (text: string) => {
          if (!measuring.is) return;
          const now = performance.timeOrigin + performance.now();
          for (const [, at] of text.matchAll(event)) times.push(now - Number(at));
        });
      });
      sent.on("error", (error) => {
        if (measuring.is) failed.push(error);
        resolve();
      });
    });
    sent.end(body);
    return { sent, begun };
  });
  await Promise.all(streams.map(({ begun }) => begun));
  await delay(1_000);
  measuring.is = true;
  await delay(seconds * 1000);
  measuring.is = false;
  for (const { sent } of streams) sent.destroy();
  agent.destroy();
  if (failed.length > 0) throw new Error(`${failed.length} streams failed: ${String(failed[0])}`);
  return times.sort((a, b) => a - b);
}
