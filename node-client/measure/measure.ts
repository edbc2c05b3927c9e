import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import type { RelayMessage } from "@ngpu/protocol/relayKinds";
import { FatalError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { z } from "zod";

export type Measurement = RelayMessage<"reveal">["result"];

export type MeasureOptions = {
  /** URL of the probe's mapped port. */
  url: string;
  token: string;
  signal: AbortSignal;
  /** Most time and bytes of one transfer, and MiB of the disk test. */
  limits?: { milliseconds: number; bytes: number; diskMib: number };
};

const defaults = { milliseconds: 3_000, bytes: 256 * 2 ** 20, diskMib: 64 };
const latencySamples = 9;
const uploadChunk = randomBytes(256 * 1024);
const maxUint32 = 2 ** 32 - 1;

type Probe = { agent: Agent; url: string; token: string; signal: AbortSignal };

/**
 * Measures a node through its probe container: verifies that the mapped port leads to it, then measures latency, both
 * transfer rates and the disk.
 *
 * @throws FatalError `probe_mismatch` when the server at the port does not have the token; RetryableError
 * `probe_unreachable` or `probe_failed`.
 */
export async function measureProbe(options: MeasureOptions): Promise<Measurement> {
  const { milliseconds, bytes, diskMib } = options.limits ?? defaults;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const probe: Probe = { agent, ...options };
  try {
    await challenge(probe);
    const latency = await medianLatency(probe);
    const down = await download(probe, { milliseconds, bytes });
    const up = await upload(probe, { milliseconds, bytes });
    const disk = await writeDisk(probe, diskMib);
    return {
      absent: false,
      downMbps: megabits(down),
      upMbps: megabits(up),
      latencyTenthMs: bounded(latency * 10),
      portsReachable: 1,
      diskFreeGib: Math.floor(disk.freeBytes / 2 ** 30),
      diskWriteMibps: bounded(disk.writeMibps),
    };
  } finally {
    agent.destroy();
  }
}

/** Only the container with match's token can compute the response. */
async function challenge(probe: Probe): Promise<void> {
  const nonce = randomBytes(32).toString("hex");
  const answer = await answerOf(await open(probe, "GET", `/challenge?nonce=${nonce}`));
  const hmac = Buffer.from(z.object({ hmac: z.string() }).parse(JSON.parse(answer)).hmac, "hex");
  const expected = createHmac("sha256", probe.token).update(nonce).digest();
  if (hmac.length === expected.length && timingSafeEqual(hmac, expected)) return;
  throw new FatalError("The server at the node's port is not the probe that match ordered.", {
    code: "probe_mismatch",
  });
}

async function medianLatency(probe: Probe): Promise<number> {
  const samples: number[] = [];
  for (let i = 0; i < latencySamples; i += 1) {
    const started = performance.now();
    await answerOf(await open(probe, "GET", "/healthz"));
    samples.push(performance.now() - started);
  }
  samples.sort((a, b) => a - b);
  return samples[Math.floor(latencySamples / 2)] ?? 0;
}

type Transfer = { bytes: number; milliseconds: number };

/** Measures from the first byte until either limit is reached. */
async function download(probe: Probe, limit: Transfer): Promise<Transfer> {
  const response = await open(probe, "GET", `/download?bytes=${limit.bytes}`);
  const started = performance.now();
  let bytes = 0;
  let milliseconds = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).byteLength;
    milliseconds = performance.now() - started;
    if (milliseconds >= limit.milliseconds) break;
  }
  return { bytes, milliseconds };
}

/** Measures the bytes that the probe reports as received, over the time until its response. */
async function upload(probe: Probe, limit: Transfer): Promise<Transfer> {
  const started = performance.now();
  const response = await open(probe, "POST", "/upload", async (outgoing) => {
    let sent = 0;
    while (sent < limit.bytes && performance.now() - started < limit.milliseconds) {
      sent += uploadChunk.byteLength;
      if (!outgoing.write(uploadChunk)) await drained(outgoing);
    }
  });
  const { bytes } = z.object({ bytes: z.number() }).parse(JSON.parse(await answerOf(response)));
  return { bytes, milliseconds: performance.now() - started };
}

async function writeDisk(probe: Probe, mib: number): Promise<{ freeBytes: number; writeMibps: number }> {
  const answer = await answerOf(await open(probe, "POST", `/disk?mib=${mib}`));
  return z.object({ freeBytes: z.number(), writeMibps: z.number() }).parse(JSON.parse(answer));
}

/** Sends a request. @returns The response, once its headers have arrived. */
async function open(
  { agent, url, token, signal }: Probe,
  method: string,
  path: string,
  send?: (outgoing: ClientRequest) => Promise<void>,
): Promise<IncomingMessage> {
  const outgoing = request(new URL(path, url), {
    method,
    agent,
    signal,
    headers: { authorization: `Bearer ${token}` },
  });
  const begun = Promise.withResolvers<IncomingMessage>();
  outgoing.once("response", begun.resolve);
  outgoing.on("error", begun.reject);
  try {
    const sending = send?.(outgoing) ?? Promise.resolve();
    await Promise.race([sending, begun.promise]);
    outgoing.end();
    return await begun.promise;
  } catch (error) {
    throw new RetryableError(`The probe does not respond at ${url}: ${messageOf(error)}`, {
      code: "probe_unreachable",
      cause: error,
    });
  }
}

async function answerOf(response: IncomingMessage): Promise<string> {
  const body = await text(response);
  if (response.statusCode === 200) return body;
  throw new RetryableError(`The probe responded with status ${response.statusCode}: ${body.slice(0, 200)}`, {
    code: "probe_failed",
  });
}

/** Resolves when the request can take more data or is closed. */
function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off("drain", done);
      outgoing.off("close", done);
      resolve();
    };
    outgoing.on("drain", done);
    outgoing.on("close", done);
    if (outgoing.destroyed) done();
  });
}

function megabits({ bytes, milliseconds }: Transfer): number {
  return bounded((bytes * 8) / 1000 / Math.max(milliseconds, 0.001));
}

/** A positive integer that fits the contract's uint32. */
function bounded(value: number): number {
  return Math.min(maxUint32, Math.max(1, Math.round(value)));
}
