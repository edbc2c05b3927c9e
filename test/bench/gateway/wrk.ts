import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { runToEnd } from "../../../scripts/embedded/command.ts";

/** What a contender is asked for. */
export type Call = { url: string; body: string; headers: Record<string, string> };

/** Requests a second, and latencies in microseconds. */
export type Rate = { perSecond: number; p50: number; p99: number; calls: number };

const script = join(import.meta.dirname, "peers/wrk.lua");
const resultLine = /^result (\{.*\})$/m;

/**
 * Repeats a call with wrk.
 *
 * @throws FatalError `bench_call_failed` when a call fails, since a refusal is cheaper than an answer.
 */
export async function measureRate(
  wrk: string,
  { url, body, headers }: Call,
  of: { connections: number; seconds: number; folder: string },
): Promise<Rate> {
  const bodyFile = join(of.folder, "body.json");
  writeFileSync(bodyFile, body);
  const given = Object.entries({ "content-type": "application/json", ...headers });
  const { output } = await runToEnd(wrk, [
    "-t1",
    `-c${of.connections}`,
    `-d${of.seconds}s`,
    "--timeout",
    "60s",
    "--latency",
    "-s",
    script,
    url,
    "--",
    bodyFile,
    ...given.map(([name, value]) => `${name}=${value}`),
  ]);
  const found = resultLine.exec(output)?.[1];
  const result = JSON.parse(found ?? "null") as Record<string, number> | null;
  const { requests = 0, microseconds = 1, p50 = 0, p99 = 0, failed = 0 } = result ?? {};
  if (result === null || requests === 0 || failed > 0) {
    throw new FatalError(`${failed} of ${requests} calls of ${url} failed:\n${output.trim()}`, {
      code: "bench_call_failed",
      hint: "Send one call by hand; the logs of the processes are in the state folder of the tests.",
    });
  }
  return { perSecond: (requests * 1e6) / microseconds, p50, p99, calls: requests };
}
