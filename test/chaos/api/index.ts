import type { Trial, Verdict } from "../../../scripts/chaos/subject.ts";
import { stopParts } from "../../support/parts.ts";
import { fuzz } from "./fuzz.ts";
import { type FuzzMarket, heapLimitMib, openFuzzMarket } from "./market.ts";

/*
 * Sends requests to every operation of the API's OpenAPI document: valid ones, and those with one mutation of body, headers, query,
 * path or method, and raw bytes. No answer may be 5xx, each must be one that the document allows, and the server must
 * keep running within its memory.
 */

/** Most that the server's resident memory may be after the run, in MiB. */
const residentLimitMib = 640;
/** Requests before memory is first measured, at most. */
const warmUp = 500;

type Memory = { rssMib: number; heapMib: number };

export async function run(trial: Trial): Promise<Verdict> {
  const market = await openFuzzMarket();
  try {
    return await tryOut(market, trial);
  } finally {
    await market.api.stop();
    await stopParts();
  }
}

/** Runs the trial on a market that is open. */
export async function tryOut(
  { api, server, facts }: FuzzMarket,
  { kills: requests, seed, signal, progress }: Trial,
): Promise<Verdict> {
  const options = { url: api.url, contract: api.contract, facts, signal };
  let crash: string | undefined;
  void server.exited.then(({ code, signal: by }) => {
    crash ??= `apiServer ended with ${code ?? by}: see ${server.logFile}`;
  });
  await fuzz({
    ...options,
    requests: Math.min(warmUp, requests),
    seed: seed ^ 0x5eed,
    progress: () => undefined,
  });
  const before = await memoryOf(api.internalUrl);
  const started = performance.now();
  const { sent, statuses, failures } = await fuzz({
    ...options,
    requests,
    seed,
    progress: (done) => progress(Math.min(done, requests), "requests to every operation"),
  });
  const seconds = Math.round((performance.now() - started) / 1_000);
  const after = crash === undefined ? await memoryOf(api.internalUrl) : { rssMib: 0, heapMib: 0 };
  if (crash !== undefined) failures.unshift(crash);
  if (after.rssMib > residentLimitMib) {
    failures.push(
      `apiServer has ${after.rssMib} MiB of resident memory; the limit is ${residentLimitMib} MiB`,
    );
  }
  const ok = failures.length === 0;
  const figures = { sent, seconds, statuses, before, after, heapLimitMib, residentLimitMib, failures };
  return { ok, figures, text: textOf(ok, figures) };
}

/** Memory of the server, from its metrics. */
async function memoryOf(internalUrl: string): Promise<Memory> {
  const metrics = await (await fetch(`${internalUrl}/metrics`)).text();
  const mibOf = (name: string) =>
    Math.round(Number(new RegExp(`^${name}\\S* (\\S+)`, "m").exec(metrics)?.[1]) / 2 ** 20);
  return { rssMib: mibOf("process_resident_memory_bytes"), heapMib: mibOf("nodejs_heap_size_used_bytes") };
}

function textOf(
  ok: boolean,
  figures: {
    sent: number;
    seconds: number;
    statuses: object;
    before: Memory;
    after: Memory;
    failures: string[];
  },
): string {
  const { sent, seconds, statuses, before, after, failures } = figures;
  const rows: [string, string | number][] = [
    ["requests", `${sent} in ${seconds} s`],
    ["answers by status", JSON.stringify(statuses)],
    [
      "resident memory",
      `${before.rssMib} MiB before, ${after.rssMib} MiB after, at most ${residentLimitMib} MiB`,
    ],
    ["heap", `${before.heapMib} MiB before, ${after.heapMib} MiB after, at most ${heapLimitMib} MiB`],
  ];
  return [
    ok ? "All conditions hold." : "A condition is violated.",
    ...rows.map(([name, value]) => `${name.padEnd(36)}${value}`),
    ...failures,
  ].join("\n");
}
